// Packs weights with float scales; packed_weights.cc has those that are integers.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/contracts_pack.h"
#include "kernels/packing.h"
#include "kernels/packing_blocks.h"
#include "runtime/packed_weights.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/stored_weights.h"
#include "runtime/variants.h"
#include "runtime/weight_codes.h"

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

Result<SharedWeights> PackFloatScaleWeights(const FloatWeights& weights, const Encoding& encoding,
                                            const PrepareOptions& options) {
  StoredWeights stored(weights, encoding, {true, 1, 0}, options);
  if (stored.Find() != nullptr) return stored.Find();
  LQ_ASSIGN_OR_RETURN(const WeightCodes codes, WeightCodes::Make(weights, encoding, options));
  if (codes.wide()) {
    return Unsupported(
        fmt::format("{}: weights of {} bits; floats are multiplied by 2 to 8", weights.name, codes.bitwidth()));
  }
  PackedWeights packed;
  packed.format = codes.bitwidth() <= 4 ? WeightFormat::kBlockS4 : WeightFormat::kBlockS8;
  packed.n = codes.n();
  packed.k = codes.k();
  packed.block = codes.scale_run();
  packed.has_offsets = codes.HasOffsets();
  const kernels::PackedBlocks layout = {packed.n, packed.k, packed.block, codes.bitwidth() <= 4 ? 4 : 8,
                                        packed.has_offsets};
  packed.description =
      fmt::format("{}-bit, float scales, block {}{}", layout.bits, packed.block, packed.has_offsets ? ", offsets" : "");
  LQ_RETURN_IF_ERROR(AllocatePacked(weights.name, packed));
  const kernels::PackRowsFn pack_rows = Choose(kernels::PackRowsVariants(), options.max_isa).run;
  const size_t panels = (packed.n + kernels::kPanelChannels - 1) / kernels::kPanelChannels;
  RunPreparing(options, panels, kernels::kPanelChannels * packed.k, [&](Range range) {
    CodePanel panel;
    for (size_t i = range.begin; i < range.end; ++i) {
      const size_t n0 = i * kernels::kPanelChannels;
      codes.Quantize(n0, std::min(kernels::kPanelChannels, packed.n - n0), panel);
      PackPanel(codes, layout, pack_rows, panel, packed.memory.as<uint8_t>() + layout.PanelOffset(n0));
    }
  });
  return stored.Add(std::move(packed));
}

}  // namespace lq
