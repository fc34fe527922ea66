#include "runtime/float_gemm.h"

#include <fmt/format.h>

#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {

Result<FloatGemm> FloatGemm::Prepare(const FloatWeights& weights, const Encoding& encoding, const OutputStage& stage,
                                     const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  FloatGemm gemm;
  LQ_ASSIGN_OR_RETURN(gemm.packed_, PackFloatScaleWeights(weights, encoding, options));
  // The totals are real already: channels of scale 1, and no codes whose offset would have to be added up.
  WeightSums ones;
  ones.n = gemm.n();
  ones.scale.assign(ones.n, 1.0);
  ones.sum.assign(ones.n, 0);
  PrepareOptions float_bias = options;  // an int32 bias has the input's scale, and there is none
  float_bias.bias = BiasMode::kFloat;
  const PerTensor input = {{16, false}, 1.0f, 0};
  LQ_ASSIGN_OR_RETURN(gemm.output_, OutputArrays::Make(weights.name, ones, 1, input, stage, float_bias));
  gemm.epilogue_ = gemm.output_.Group(0);
  const bool narrow = gemm.packed_->format == WeightFormat::kBlockS4;
  Chosen<kernels::MatmulFloatFn> chosen =
      Choose(narrow ? kernels::MatmulF32S4Variants() : kernels::MatmulF32S8Variants(), options.max_isa);
  gemm.kernel_ = chosen.run;
  gemm.info_.variant = fmt::format("matmul_f32s{}/{}", narrow ? 4 : 8, chosen.name);
  gemm.info_.why_not_better = std::move(chosen.why_not_better);
  gemm.info_.weights = gemm.packed_->description;
  gemm.info_.packed_bytes = gemm.packed_->bytes.size();
  gemm.info_.sums_floats = true;
  return gemm;
}

Partition FloatGemm::Cut(size_t rows, size_t workers) const {
  constexpr size_t kIntegerProducts = 4;  // that the units for integers do in the time of a float one
  return MakePartition(rows, n(), kIntegerProducts * k(), workers, rows);
}

size_t FloatGemm::WorkspaceBytes(size_t rows, size_t workers) const {
  return kAlignment + workers * ScratchBytes(Cut(rows, workers).m_step);
}

void FloatGemm::Run(const FloatRows& in, std::byte* out, kernels::OutputType type, std::byte* workspace,
                    Executor& executor) const {
  const Partition cut = Cut(in.count, executor.workers());
  const size_t scratch_bytes = ScratchBytes(cut.m_step);
  RunTasks(executor, cut.tasks(), [&](size_t task, size_t worker) {
    const Range rows = cut.Rows(task), channels = cut.Channels(task);
    kernels::MatmulFloatArgs args{};
    args.a = in.data + rows.begin * k() * in.ElementBytes();
    args.a_type = in.type;
    args.a_stride = k();
    args.m = rows.end - rows.begin;
    args.n = n();
    args.k = k();
    args.w = packed_->bytes.data();
    args.block = packed_->block;
    args.has_offsets = packed_->has_offsets;
    args.n_begin = channels.begin;
    args.n_end = channels.end;
    args.epilogue = &epilogue_;
    args.out_type = type;
    args.out = out + rows.begin * n() * kernels::SizeOf(type);
    args.out_stride = n();
    args.scratch = workspace + worker * scratch_bytes;
    kernel_(args);
  });
}

}  // namespace lq
