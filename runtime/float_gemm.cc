#include "runtime/float_gemm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernels/contracts_pack.h"
#include "kernels/packing.h"
#include "kernels/packing_blocks.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {

namespace {

// One panel, block by block (PackedBlocks in packing_blocks.h).
void PackPanel(const WeightCodes& codes, const kernels::PackedBlocks& layout, kernels::PackRowsFn pack_rows,
               CodePanel& panel, uint8_t* out) {
  const size_t channels = RoundUp(panel.count, kernels::kGroupChannels), groups = channels / kernels::kGroupChannels;
  const auto put = [&](size_t c, float value) { std::memcpy(out + c * sizeof(float), &value, sizeof(float)); };
  for (size_t b = 0; b < layout.blocks(); ++b) {
    pack_rows({.codes = panel.Channel<int8_t>(0) + b * layout.block,
               .channels = channels,
               .k = layout.BlockSize(b),
               .stride = panel.stride,
               .format = layout.bits == 4 ? kernels::RowFormat::kBlockS4 : kernels::RowFormat::kBlockS8,
               .out = out});
    out += layout.CodeBytes(layout.BlockSize(b), groups);
    for (size_t c = 0; c < channels; ++c) put(c, c < panel.count ? codes.Scale(panel.first + c, b) : 0.0f);
    out += channels * sizeof(float);
    if (!layout.has_offsets) continue;
    for (size_t c = 0; c < channels; ++c) {
      put(c, c < panel.count ? static_cast<float>(codes.Offset(panel.first + c, b)) : 0.0f);
    }
    out += channels * sizeof(float);
  }
}

}  // namespace

Status FloatGemm::Pack(const WeightCodes& codes, const std::string& name, const PrepareOptions& options) {
  const kernels::PackedBlocks layout = {n_, k_, block_, codes.bitwidth() <= 4 ? 4 : 8, has_offsets_};
  LQ_ASSIGN_OR_RETURN(packed_, AlignedBuffer::MakeUnfilled(name + " (packed weights)", layout.Bytes()));
  const kernels::PackRowsFn pack_rows = Choose(kernels::PackRowsVariants(), options.max_isa).run;
  const size_t panels = (n_ + kernels::kPanelChannels - 1) / kernels::kPanelChannels;
  RunPreparing(options, panels, kernels::kPanelChannels * k_, [&](Range range) {
    CodePanel panel;
    for (size_t i = range.begin; i < range.end; ++i) {
      const size_t n0 = i * kernels::kPanelChannels;
      codes.Quantize(n0, std::min(kernels::kPanelChannels, n_ - n0), panel);
      PackPanel(codes, layout, pack_rows, panel, packed_.as<uint8_t>() + layout.PanelOffset(n0));
    }
  });
  return OkStatus();
}

Result<FloatGemm> FloatGemm::Prepare(const FloatWeights& weights, const Encoding& encoding, const OutputStage& stage,
                                     const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_ASSIGN_OR_RETURN(const WeightCodes codes, WeightCodes::Make(weights, encoding, options));
  if (codes.wide()) {
    return Unsupported(
        fmt::format("{}: weights of {} bits; floats are multiplied by 2 to 8", weights.name, codes.bitwidth()));
  }
  FloatGemm gemm;
  gemm.n_ = codes.n();
  gemm.k_ = codes.k();
  gemm.block_ = codes.scale_run();
  gemm.has_offsets_ = codes.HasOffsets();
  // The totals are real already: channels of scale 1, and no codes whose offset would have to be added up.
  WeightSums ones;
  ones.n = gemm.n_;
  ones.scale.assign(ones.n, 1.0);
  ones.sum.assign(ones.n, 0);
  PrepareOptions float_bias = options;  // an int32 bias has the input's scale, and there is none
  float_bias.bias = BiasMode::kFloat;
  const PerTensor input = {{16, false}, 1.0f, 0};
  LQ_ASSIGN_OR_RETURN(gemm.output_, OutputArrays::Make(weights.name, ones, 1, input, stage, float_bias));
  gemm.epilogue_ = gemm.output_.Group(0);
  LQ_RETURN_IF_ERROR(gemm.Pack(codes, weights.name, options));
  const bool narrow = codes.bitwidth() <= 4;
  Chosen<kernels::MatmulFloatFn> chosen =
      Choose(narrow ? kernels::MatmulF32S4Variants() : kernels::MatmulF32S8Variants(), options.max_isa);
  gemm.kernel_ = chosen.run;
  gemm.info_.variant = fmt::format("matmul_f32s{}/{}", narrow ? 4 : 8, chosen.name);
  gemm.info_.why_not_better = std::move(chosen.why_not_better);
  gemm.info_.weights = fmt::format("{}-bit, float scales, block {}{}", narrow ? 4 : 8, gemm.block_,
                                   gemm.has_offsets_ ? ", offsets" : "");
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
