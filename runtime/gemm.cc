#include "runtime/gemm.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/output_arrays.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"
#include "runtime/views.h"

namespace lq {

void Gemm::ChooseKernel(const std::string& max_isa) {
  std::span<const kernels::Variant<kernels::MatmulFn>> variants;
  const char* weights = "";
  switch (packed_->format) {
    case WeightFormat::kS4:
      variants = wide_ ? kernels::MatmulU16S4Variants() : kernels::MatmulU8S4Variants();
      weights = "s4";
      break;
    case WeightFormat::kS8:
      variants = wide_ ? kernels::MatmulU16S8Variants() : kernels::MatmulU8S8Variants();
      weights = "s8";
      break;
    case WeightFormat::kS16:
      variants = wide_ ? kernels::MatmulU16S16Variants() : kernels::MatmulU8S16Variants();
      weights = "s16";
      break;
    case WeightFormat::kBlockS8:
    case WeightFormat::kBlockS4:
    case WeightFormat::kBlockF32:
      break;  // FloatGemm's
  }
  Chosen<kernels::MatmulFn> chosen = Choose(variants, max_isa);
  kernel_ = chosen.run;
  info_.variant = fmt::format("matmul_{}{}/{}", wide_ ? "u16" : "u8", weights, chosen.name);
  info_.why_not_better = std::move(chosen.why_not_better);
}

Result<Gemm> Gemm::Prepare(const FloatWeights& weights, const Encoding& encoding, size_t groups, const PerTensor& input,
                           const OutputStage& stage, const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(ValidateEncoding(weights.name + " input", input, Shape{}));
  Gemm gemm;
  gemm.wide_ = CodeBytes(input.grid) == 2;
  LQ_ASSIGN_OR_RETURN(gemm.packed_, PackWeights(weights, encoding, groups, input, options));
  const WeightSums& sums = gemm.packed_->sums;
  LQ_ASSIGN_OR_RETURN(gemm.output_, OutputArrays::Make(weights.name, sums, groups, input, stage, options));
  gemm.sums_fit_s32_ = sums.largest_absolute_sum <= (kInt32Limit - 1) / LargestCentred(input);
  gemm.info_.weights = gemm.packed_->description;
  gemm.info_.packed_bytes = gemm.packed_->bytes.size();
  gemm.ChooseKernel(options.max_isa);
  for (size_t g = 0; g < groups; ++g) gemm.epilogues_.push_back(gemm.output_.Group(g));
  return gemm;
}

size_t Gemm::ScratchBytes(size_t rows) const {
  return RoundUp(wide_ ? kernels::MatmulU16ScratchBytes(rows, k()) : kernels::MatmulScratchBytes(rows, k()),
                 kAlignment);
}

void Gemm::Run(const Rows& rows, size_t group, size_t n_begin, size_t n_end, void* scratch) const {
  kernel_({.a = reinterpret_cast<const uint8_t*>(rows.a),
           .a_stride = rows.a_stride,
           .m = rows.m,
           .n = n(),
           .k = k(),
           .w = packed_->Group(group),
           .block = packed_->block,
           .n_begin = n_begin,
           .n_end = n_end,
           .epilogue = &epilogues_[group],
           .out_type = rows.out_type,
           .out = static_cast<std::byte*>(rows.out) + group * n() * kernels::SizeOf(rows.out_type),
           .out_stride = rows.out_stride,
           .scratch = scratch,
           .row_terms = rows.terms,
           .patches = rows.patches});
}

}  // namespace lq
