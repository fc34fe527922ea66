#include "runtime/gemm.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/packing.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"
#include "runtime/views.h"

namespace lq {
namespace {

constexpr int64_t kInt32Limit = int64_t{1} << 31;
constexpr uint32_t kLargestU8Scale = 255;

// Why LPBQ weights cannot stay 4-bit; empty if they can.
std::string WhyExpand(const LayerWeights& weights, bool fits_int32) {
  if (weights.block % 4 != 0) return fmt::format("block {} is not a multiple of 4", weights.block);
  if (weights.bitwidth > 4) return fmt::format("codes have {} bits", weights.bitwidth);
  const uint32_t largest = *std::max_element(weights.block_scale.begin(), weights.block_scale.end());
  if (largest > kLargestU8Scale) return fmt::format("integer scale {} is above {}", largest, kLargestU8Scale);
  if (!fits_int32) return "sums could leave 32 bits";
  return "";
}

}  // namespace

void Gemm::ChooseFormat(const LayerWeights& weights, const PerTensor& input) {
  // Of u16 codes the kernels add up the two bytes apart.
  const int64_t largest = wide_ ? 255 : LargestCentred(input), sum = weights.largest_absolute_sum;
  const bool fits_int32 = sum * largest < kInt32Limit;
  sums_fit_s32_ = sum * LargestCentred(input) < kInt32Limit;
  const bool fits_s8 = weights.low >= -128 && weights.high <= 127;
  format_ = fits_s8 && fits_int32 ? Format::kS8 : Format::kS16;
  info_.weights = format_ == Format::kS8 ? "int8"
                                         : fmt::format("int16: weights in {}..{}{}", weights.low, weights.high,
                                                       fits_int32 ? "" : ", sums need 64 bits");
  if (weights.block == 0) return;
  const std::string why = WhyExpand(weights, fits_int32);
  if (why.empty()) {
    format_ = Format::kS4;
    block_ = weights.block;
    info_.weights = fmt::format("4-bit LPBQ, block {}", block_);
  } else {
    info_.weights = fmt::format("LPBQ expanded to {}: {}", format_ == Format::kS8 ? "int8" : "int16", why);
  }
}

// Panels follow one another in memory: one is packed as a layer of its channels.
void Gemm::PackPanel(const LayerWeights& weights, size_t group, size_t panel) {
  const size_t n0 = panel * kernels::kPanelChannels, count = std::min(kernels::kPanelChannels, n_ - n0);
  const size_t first = (group * n_ + n0) * k_;
  std::byte* out = packed_.data() + group * group_bytes_;
  switch (format_) {
    case Format::kS4:
      kernels::PackS4({count, k_, block_}, weights.codes.data() + first, weights.block_scale.data() + first / block_,
                      reinterpret_cast<uint8_t*>(out) + kernels::PackedS4{n_, k_, block_}.PanelOffset(n0));
      break;
    case Format::kS8:
      kernels::PackS8(weights.w.data() + first, count, k_,
                      reinterpret_cast<int8_t*>(out + kernels::PanelS8Offset(n0, k_)));
      break;
    case Format::kS16:
      kernels::PackS16(weights.w.data() + first, count, k_,
                       reinterpret_cast<int16_t*>(out + kernels::PanelS16Offset(n0, k_)));
      break;
  }
}

Status Gemm::Pack(const std::string& name, const LayerWeights& weights, size_t groups, const PrepareOptions& options) {
  const kernels::PackedS4 s4{n_, k_, block_};
  const size_t bytes = format_ == Format::kS4   ? s4.Bytes()
                       : format_ == Format::kS8 ? kernels::PackedS8Bytes(n_, k_)
                                                : kernels::PackedS16Bytes(n_, k_);
  group_bytes_ = RoundUp(bytes, kAlignment);
  LQ_ASSIGN_OR_RETURN(packed_, AlignedBuffer::Make(name + " (packed weights)", group_bytes_ * groups));
  const size_t panels = (n_ + kernels::kPanelChannels - 1) / kernels::kPanelChannels;
  RunPreparing(options, groups * panels, kernels::kPanelChannels * k_, [&](Range range) {
    for (size_t i = range.begin; i < range.end; ++i) PackPanel(weights, i / panels, i % panels);
  });
  info_.packed_bytes = packed_.size();
  return OkStatus();
}

void Gemm::ChooseKernel(const std::string& max_isa) {
  std::span<const kernels::Variant<kernels::MatmulFn>> variants;
  const char* weights = "";
  switch (format_) {
    case Format::kS4:
      variants = wide_ ? kernels::MatmulU16S4Variants() : kernels::MatmulU8S4Variants();
      weights = "s4";
      break;
    case Format::kS8:
      variants = wide_ ? kernels::MatmulU16S8Variants() : kernels::MatmulU8S8Variants();
      weights = "s8";
      break;
    case Format::kS16:
      variants = wide_ ? kernels::MatmulU16S16Variants() : kernels::MatmulU8S16Variants();
      weights = "s16";
      break;
  }
  Chosen<kernels::MatmulFn> chosen = Choose(variants, max_isa);
  kernel_ = chosen.run;
  info_.variant = fmt::format("matmul_{}{}/{}", wide_ ? "u16" : "u8", weights, chosen.name);
  info_.why_not_better = std::move(chosen.why_not_better);
}

Result<Gemm> Gemm::Prepare(const std::string& name, const LayerWeights& weights, size_t groups, const PerTensor& input,
                           const OutputStage& stage, const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(ValidateEncoding(name + " input", input, Shape{}));
  Gemm gemm;
  gemm.wide_ = CodeBytes(input.grid) == 2;
  gemm.n_ = weights.n / groups;
  gemm.k_ = weights.k;
  LQ_ASSIGN_OR_RETURN(gemm.output_, OutputArrays::Make(name, weights, groups, input, stage, options));
  gemm.ChooseFormat(weights, input);
  LQ_RETURN_IF_ERROR(gemm.Pack(name, weights, groups, options));
  gemm.ChooseKernel(options.max_isa);
  for (size_t g = 0; g < groups; ++g) gemm.epilogues_.push_back(gemm.output_.Group(g));
  return gemm;
}

size_t Gemm::ScratchBytes(size_t rows) const {
  return RoundUp(wide_ ? kernels::MatmulU16ScratchBytes(rows, k_) : kernels::MatmulScratchBytes(rows, k_), kAlignment);
}

void Gemm::Run(const Rows& rows, size_t group, size_t n_begin, size_t n_end, void* scratch) const {
  kernel_({.a = reinterpret_cast<const uint8_t*>(rows.a),
           .a_stride = rows.a_stride,
           .m = rows.m,
           .n = n_,
           .k = k_,
           .w = packed_.data() + group * group_bytes_,
           .block = block_,
           .n_begin = n_begin,
           .n_end = n_end,
           .epilogue = &epilogues_[group],
           .out_type = rows.out_type,
           .out = static_cast<std::byte*>(rows.out) + group * n_ * kernels::SizeOf(rows.out_type),
           .out_stride = rows.out_stride,
           .scratch = scratch,
           .row_terms = rows.terms});
}

}  // namespace lq
