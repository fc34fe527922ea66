#include "kernels/packing_blocks.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/packing.h"
#include "kernels/round_up.h"

namespace lq::kernels {
namespace {

constexpr size_t kNibbles = 8;  // in the 32 bits of a lane

// The codes of channel c and the block that starts at k0; missing channels get zeros.
uint32_t Lane(const PackedBlocks& layout, const float* q, size_t c, size_t k0, size_t count) {
  uint32_t lane = 0;
  for (size_t j = 0; j < kNibbles; ++j) {
    const auto code = static_cast<int32_t>(c < layout.n && j < count ? q[c * layout.k + k0 + j] : 0.0f);
    lane |= (static_cast<uint32_t>(code) & 15) << NibbleShift(j);
  }
  return lane;
}

uint8_t* PackCodes(const PackedBlocks& layout, const float* q, size_t b, size_t n0, uint8_t* out) {
  const size_t channels = PanelGroups(layout.n, n0) * kGroupChannels;
  const size_t begin = b * layout.block, end = begin + layout.BlockSize(b);
  for (size_t k = begin; k < end; k += layout.bits == 4 ? kNibbles : 1) {
    for (size_t c = n0; c < n0 + channels; ++c) {
      const float value = c < layout.n ? q[c * layout.k + k] : 0.0f;
      if (layout.bits == 8) {
        *out++ = static_cast<uint8_t>(static_cast<int32_t>(value));
        continue;
      }
      const uint32_t lane = layout.bits == 4 ? Lane(layout, q, c, k, end - k) : std::bit_cast<uint32_t>(value);
      std::memcpy(out, &lane, sizeof(lane));
      out += sizeof(lane);
    }
  }
  return out;
}

// One value for each channel of the panel, of block b.
uint8_t* PackFloats(const PackedBlocks& layout, const float* values, size_t b, size_t n0, uint8_t* out) {
  const size_t channels = PanelGroups(layout.n, n0) * kGroupChannels;
  for (size_t c = n0; c < n0 + channels; ++c, out += sizeof(float)) {
    const float value = c < layout.n ? values[c * layout.blocks() + b] : 0.0f;
    std::memcpy(out, &value, sizeof(float));
  }
  return out;
}

}  // namespace

size_t PackedBlocks::CodeBytes(size_t size, size_t groups) const {
  const size_t per_channel = bits == 4 ? RoundUp(size, kNibbles) / 2 : size * static_cast<size_t>(bits) / 8;
  return per_channel * groups * kGroupChannels;
}

size_t PackedBlocks::PanelBytes(size_t groups) const {
  const size_t whole = blocks() - 1;
  const size_t floats = (has_offsets ? 2 : 1) * sizeof(float) * groups * kGroupChannels;
  return whole * CodeBytes(block, groups) + CodeBytes(BlockSize(whole), groups) + blocks() * floats;
}

size_t PackedBlocks::PanelOffset(size_t n0) const {
  return n0 / kPanelChannels * PanelBytes(kPanelChannels / kGroupChannels);
}

size_t PackedBlocks::Bytes() const {
  const size_t last = (n - 1) / kPanelChannels * kPanelChannels;
  return PanelOffset(last) + PanelBytes(PanelGroups(n, last));
}

void PackBlocks(const PackedBlocks& layout, const BlockWeights& weights, uint8_t* out) {
  for (size_t n0 = 0; n0 < layout.n; n0 += kPanelChannels) {
    for (size_t b = 0; b < layout.blocks(); ++b) {
      out = PackCodes(layout, weights.q, b, n0, out);
      out = PackFloats(layout, weights.scale, b, n0, out);
      if (layout.has_offsets) out = PackFloats(layout, weights.offset, b, n0, out);
    }
  }
}

}  // namespace lq::kernels
