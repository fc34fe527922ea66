// Packs weights with float scales, or floats; packed_weights.cc has those that are integers.
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

using kernels::kPanelChannels;

// Of floats: sums of 64 keep rounding errors small, and a multiplication by 1 for each costs nothing.
constexpr size_t kFloatBlock = 64;

uint8_t* Put(float value, uint8_t* out) {
  std::memcpy(out, &value, sizeof(value));
  return out + sizeof(value);
}

// Channels [first, first + count).
struct Channels {
  size_t first, count;
  size_t padded() const { return RoundUp(count, kernels::kGroupChannels); }
};

// One panel of codes, block by block (PackedBlocks in packing_blocks.h).
void PackCodes(const WeightCodes& codes, const kernels::PackedBlocks& layout, kernels::PackRowsFn pack_rows,
               CodePanel& panel, uint8_t* out) {
  const Channels c{panel.first, panel.count};
  for (size_t b = 0; b < layout.blocks(); ++b) {
    pack_rows({.codes = panel.Channel<int8_t>(0) + b * layout.block,
               .channels = c.padded(),
               .k = layout.BlockSize(b),
               .stride = panel.stride,
               .format = layout.bits == 4 ? kernels::RowFormat::kBlockS4 : kernels::RowFormat::kBlockS8,
               .out = out});
    out += layout.CodeBytes(layout.BlockSize(b), c.padded() / kernels::kGroupChannels);
    for (size_t i = 0; i < c.padded(); ++i) out = Put(i < c.count ? codes.Scale(c.first + i, b) : 0.0f, out);
    if (!layout.has_offsets) continue;
    for (size_t i = 0; i < c.padded(); ++i) {
      out = Put(i < c.count ? static_cast<float>(codes.Offset(c.first + i, b)) : 0.0f, out);
    }
  }
}

// The same of floats.
void PackFloats(const FloatWeights& w, const kernels::PackedBlocks& layout, Channels c, uint8_t* out) {
  const size_t from_channel = w.transposed ? 1 : w.in_channels * w.taps;
  const size_t from_input = w.transposed ? w.out_channels : w.taps;
  for (size_t b = 0; b < layout.blocks(); ++b) {
    const size_t begin = b * layout.block, end = begin + layout.BlockSize(b);
    for (size_t j = begin; j < end; ++j) {
      const size_t tap = j / w.in_channels, input = j % w.in_channels;
      const float* from = w.values.data() + c.first * from_channel + input * from_input + tap;
      for (size_t i = 0; i < c.padded(); ++i) out = Put(i < c.count ? from[i * from_channel] : 0.0f, out);
    }
    for (size_t i = 0; i < c.padded(); ++i) out = Put(1.0f, out);
  }
}

// Of the codes, or without them of floats.
PackedWeights LayoutOf(const FloatWeights& weights, const WeightCodes* codes, size_t groups) {
  PackedWeights packed;
  packed.n = weights.out_channels / groups;
  packed.k = weights.in_channels * weights.taps;
  packed.groups = groups;
  if (codes == nullptr) {
    packed.format = WeightFormat::kBlockF32;
    packed.block = std::min(packed.k, kFloatBlock);
    packed.description = "float32";
    return packed;
  }
  packed.format = codes->bitwidth() <= 4 ? WeightFormat::kBlockS4 : WeightFormat::kBlockS8;
  packed.block = codes->scale_run();
  packed.has_offsets = codes->HasOffsets();
  packed.description = fmt::format("{}-bit, float scales, block {}{}", BlockBits(packed.format), packed.block,
                                   packed.has_offsets ? ", offsets" : "");
  return packed;
}

// Into packed.memory.
void Pack(const FloatWeights& weights, const WeightCodes* codes, const PrepareOptions& options, PackedWeights& packed) {
  const kernels::PackedBlocks layout = {packed.n, packed.k, packed.block, BlockBits(packed.format), packed.has_offsets};
  const kernels::PackRowsFn pack_rows = Choose(kernels::PackRowsVariants(), options.max_isa).run;
  const size_t panels = (packed.n + kPanelChannels - 1) / kPanelChannels;  // of a group
  RunPreparing(options, packed.groups * panels, kPanelChannels * packed.k, [&](Range range) {
    CodePanel panel;
    for (size_t i = range.begin; i < range.end; ++i) {
      const size_t group = i / panels, n0 = i % panels * kPanelChannels;
      const Channels channels = {group * packed.n + n0, std::min(kPanelChannels, packed.n - n0)};
      uint8_t* out = packed.memory.as<uint8_t>() + group * packed.group_bytes + layout.PanelOffset(n0);
      if (codes == nullptr) {
        PackFloats(weights, layout, channels, out);
      } else {
        codes->Quantize(channels.first, channels.count, panel);
        PackCodes(*codes, layout, pack_rows, panel, out);
      }
    }
  });
}

}  // namespace

Result<SharedWeights> PackFloatScaleWeights(const FloatWeights& weights, const std::optional<Encoding>& encoding,
                                            size_t groups, const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(CheckSizes(weights));
  StoredWeights stored(weights, encoding, {true, groups, 0}, options);
  if (stored.Find() != nullptr) return stored.Find();
  std::optional<WeightCodes> codes;
  if (encoding) {
    LQ_ASSIGN_OR_RETURN(WeightCodes made, WeightCodes::Make(weights, *encoding, options));
    codes.emplace(std::move(made));
    if (codes->wide()) {
      return Unsupported(
          fmt::format("{}: weights of {} bits; floats are multiplied by 2 to 8", weights.name, codes->bitwidth()));
    }
  }
  PackedWeights packed = LayoutOf(weights, codes ? &*codes : nullptr, groups);
  LQ_RETURN_IF_ERROR(AllocatePacked(weights.name, packed));
  Pack(weights, codes ? &*codes : nullptr, options, packed);
  return stored.Add(std::move(packed));
}

}  // namespace lq
