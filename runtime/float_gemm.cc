#include "runtime/float_gemm.h"

#include <fmt/format.h>

#include "kernels/packing_blocks.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {

Result<FloatGemm> FloatGemm::Prepare(const std::string& name, const FloatScaleWeights& weights,
                                     const OutputStage& stage, const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  FloatGemm gemm;
  gemm.n_ = weights.n;
  gemm.k_ = weights.k;
  gemm.block_ = weights.block;
  gemm.has_offsets_ = !weights.offset.empty();
  // The totals are real already: channels of scale 1, and no codes whose offset would have to be added up.
  LayerWeights ones;
  ones.n = weights.n;
  ones.scale.assign(weights.n, 1.0);
  ones.sum.assign(weights.n, 0);
  PrepareOptions float_bias = options;  // an int32 bias has the input's scale, and there is none
  float_bias.bias = BiasMode::kFloat;
  const PerTensor input = {{16, false}, 1.0f, 0};
  LQ_ASSIGN_OR_RETURN(gemm.output_, OutputArrays::Make(name, ones, 1, input, stage, float_bias));
  gemm.epilogue_ = gemm.output_.Group(0);
  const kernels::PackedBlocks layout = {gemm.n_, gemm.k_, gemm.block_, weights.bits, gemm.has_offsets_};
  LQ_ASSIGN_OR_RETURN(gemm.packed_, AlignedBuffer::Make(name + " (packed weights)", layout.Bytes()));
  kernels::PackBlocks(layout, {weights.q.data(), weights.scale.data(), weights.offset.data()},
                      gemm.packed_.as<uint8_t>());
  Chosen<kernels::MatmulFloatFn> chosen =
      Choose(weights.bits == 4 ? kernels::MatmulF32S4Variants() : kernels::MatmulF32S8Variants(), options.max_isa);
  gemm.kernel_ = chosen.run;
  gemm.info_.variant = fmt::format("matmul_f32s{}/{}", weights.bits, chosen.name);
  gemm.info_.why_not_better = std::move(chosen.why_not_better);
  gemm.info_.weights =
      fmt::format("{}-bit, float scales, block {}{}", weights.bits, gemm.block_, gemm.has_offsets_ ? ", offsets" : "");
  gemm.info_.packed_bytes = gemm.packed_.size();
  return gemm;
}

Partition FloatGemm::Cut(size_t rows, size_t workers) const {
  constexpr size_t kIntegerProducts = 4;  // that the units for integers do in the time of a float one
  return MakePartition(rows, n_, kIntegerProducts * k_, workers, rows);
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
    args.a = in.data + rows.begin * k_ * in.ElementBytes();
    args.a_type = in.type;
    args.a_stride = k_;
    args.m = rows.end - rows.begin;
    args.n = n_;
    args.k = k_;
    args.w = packed_.data();
    args.block = block_;
    args.has_offsets = has_offsets_;
    args.n_begin = channels.begin;
    args.n_end = channels.end;
    args.epilogue = &epilogue_;
    args.out_type = type;
    args.out = out + rows.begin * n_ * kernels::SizeOf(type);
    args.out_stride = n_;
    args.scratch = workspace + worker * scratch_bytes;
    kernel_(args);
  });
}

}  // namespace lq
