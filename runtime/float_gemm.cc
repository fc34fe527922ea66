#include "runtime/float_gemm.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {

Result<OutputArrays> RealOutputArrays(const std::string& name, size_t channels, size_t groups, const OutputStage& stage,
                                      const PrepareOptions& options) {
  WeightSums ones;
  ones.n = channels;
  ones.scale.assign(channels, 1.0);
  ones.sum.assign(channels, 0);
  PrepareOptions float_bias = options;
  float_bias.bias = BiasMode::kFloat;
  const PerTensor input = {{16, false}, 1.0f, 0};
  return OutputArrays::Make(name, ones, groups, input, stage, float_bias);
}

void FloatGemm::ChooseKernel(const std::string& max_isa) {
  std::span<const kernels::Variant<kernels::MatmulFloatFn>> variants;
  const char* weights = "f32";
  switch (BlockBits(packed_->format)) {
    case 4:
      variants = kernels::MatmulF32S4Variants();
      weights = "s4";
      break;
    case 8:
      variants = kernels::MatmulF32S8Variants();
      weights = "s8";
      break;
    default:
      variants = kernels::MatmulF32F32Variants();
  }
  Chosen<kernels::MatmulFloatFn> chosen = Choose(variants, max_isa);
  kernel_ = chosen.run;
  info_.variant = fmt::format("matmul_f32{}/{}", weights, chosen.name);
  info_.why_not_better = std::move(chosen.why_not_better);
}

Result<FloatGemm> FloatGemm::Prepare(const FloatWeights& weights, const std::optional<Encoding>& encoding,
                                     size_t groups, const OutputStage& stage, const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  FloatGemm gemm;
  LQ_ASSIGN_OR_RETURN(gemm.packed_, PackFloatScaleWeights(weights, encoding, groups, options));
  LQ_ASSIGN_OR_RETURN(gemm.output_, RealOutputArrays(weights.name, weights.out_channels, groups, stage, options));
  for (size_t g = 0; g < groups; ++g) gemm.epilogues_.push_back(gemm.output_.Group(g));
  gemm.ChooseKernel(options.max_isa);
  gemm.info_.weights = gemm.packed_->description;
  gemm.info_.packed_bytes = gemm.packed_->bytes.size();
  gemm.info_.sums_floats = true;
  const auto block = static_cast<double>(gemm.packed_->block), k = static_cast<double>(gemm.k());
  gemm.info_.float_error = FloatError(block + std::ceil(k / block) + 2);
  return gemm;
}

Partition FloatGemm::Cut(size_t rows, size_t workers) const {
  return MakePartition(rows, n(), kIntegerProducts * k(), workers, rows);
}

size_t FloatGemm::WorkspaceBytes(size_t rows, size_t workers) const {
  return kAlignment + workers * ScratchBytes(Cut(rows, workers).m_step);
}

void FloatGemm::Run(const Rows& rows, size_t group, size_t n_begin, size_t n_end, void* scratch) const {
  kernels::MatmulFloatArgs args{};
  args.a = rows.a;
  args.a_type = rows.type;
  args.a_stride = rows.a_stride / (rows.type == kernels::FloatType::kF32 ? 4 : 2);
  args.m = rows.m;
  args.n = n();
  args.k = k();
  args.w = packed_->Group(group);
  args.block = packed_->block;
  args.has_offsets = packed_->has_offsets;
  args.n_begin = n_begin;
  args.n_end = n_end;
  args.epilogue = &epilogues_[group];
  args.out_type = rows.out_type;
  args.out = static_cast<std::byte*>(rows.out) + group * n() * kernels::SizeOf(rows.out_type);
  args.out_stride = rows.out_stride;
  args.scratch = scratch;
  kernel_(args);
}

void FloatGemm::Run(const FloatRows& in, std::byte* out, kernels::OutputType type, std::byte* workspace,
                    Executor& executor) const {
  const Partition cut = Cut(in.count, executor.workers());
  const size_t scratch_bytes = ScratchBytes(cut.m_step), row_bytes = k() * in.ElementBytes();
  RunTasks(executor, cut.tasks(), [&](size_t task, size_t worker) {
    const Range rows = cut.Rows(task), channels = cut.Channels(task);
    const Rows part = {in.data + rows.begin * row_bytes,
                       row_bytes,
                       rows.end - rows.begin,
                       out + rows.begin * n() * kernels::SizeOf(type),
                       n(),
                       type,
                       in.type};
    Run(part, 0, channels.begin, channels.end, workspace + worker * scratch_bytes);
  });
}

}  // namespace lq
