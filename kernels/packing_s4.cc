#include <algorithm>

#include "kernels/packing.h"

namespace lq::kernels {
namespace {

// One superblock of a panel: the weights that it packs.
struct Source {
  const PackedS4& layout;
  const int32_t* q;
  const uint32_t* scale;
  size_t n0;  // first channel
  size_t groups;
  size_t first_block;
  size_t blocks;  // 1 or 2

  // q + 8; channels beyond n and the missing quad: 8, which stands for 0.
  uint8_t Nibble(size_t channel, size_t k_in_superblock) const {
    const size_t k = first_block * layout.block + k_in_superblock;
    if (channel >= layout.n || k_in_superblock >= blocks * layout.block) return 8;
    return static_cast<uint8_t>(q[channel * layout.k + k] + 8);
  }
};

uint8_t* PackSuperblock(const Source& source, uint8_t* out) {
  const size_t channels = source.groups * kGroupChannels;
  const size_t size = source.blocks * source.layout.block;
  constexpr size_t kLine = 64 / sizeof(int32_t);  // k that are read of a channel at once, as PackRows does
  const size_t row = channels * 4;
  for (size_t k0 = 0; k0 < size; k0 += kLine) {
    for (size_t c = 0; c < channels; ++c) {
      uint8_t* to = out + k0 / 8 * row + c * 4;
      for (size_t k = k0; k < std::min(k0 + kLine, size); k += 8, to += row) {
        for (size_t i = 0; i < 4; ++i) {
          const uint8_t low = source.Nibble(source.n0 + c, k + i), high = source.Nibble(source.n0 + c, k + 4 + i);
          to[i] = static_cast<uint8_t>(low | high << 4);
        }
      }
    }
  }
  out += (size + 7) / 8 * row;
  for (size_t b = source.first_block; b < source.first_block + source.blocks; ++b) {
    for (size_t c = source.n0; c < source.n0 + channels; ++c) {
      *out++ = c < source.layout.n ? static_cast<uint8_t>(source.scale[c * source.layout.blocks() + b]) : uint8_t{1};
    }
  }
  return out;
}

// `blocks` blocks of `block` k: pairs of quads (rounded up), then the scales; both by rows of 64 and 16 bytes per
// group.
size_t BytesOf(size_t blocks, size_t block, size_t groups) {
  const size_t pairs = (blocks * block / 4 + 1) / 2;
  return groups * (pairs * 64 + blocks * kGroupChannels);
}

}  // namespace

size_t PackedS4::SuperblockBytes(size_t groups) const { return BytesOf(blocks_per_superblock(), block, groups); }

size_t PackedS4::PanelBytes(size_t groups) const {
  const size_t last = blocks() - (superblocks() - 1) * blocks_per_superblock();
  return (superblocks() - 1) * SuperblockBytes(groups) + BytesOf(last, block, groups);
}

size_t PackedS4::PanelOffset(size_t n0) const {
  return n0 / kPanelChannels * PanelBytes(kPanelChannels / kGroupChannels);
}

size_t PackedS4::Bytes() const {
  const size_t last = (n - 1) / kPanelChannels * kPanelChannels;
  return PanelOffset(last) + PanelBytes(PanelGroups(n, last));
}

void PackS4(const PackedS4& layout, const int32_t* q, const uint32_t* scale, uint8_t* out) {
  for (size_t n0 = 0; n0 < layout.n; n0 += kPanelChannels) {
    for (size_t b = 0; b < layout.blocks(); b += layout.blocks_per_superblock()) {
      const size_t blocks = std::min(layout.blocks_per_superblock(), layout.blocks() - b);
      out = PackSuperblock({layout, q, scale, n0, PanelGroups(layout.n, n0), b, blocks}, out);
    }
  }
}

}  // namespace lq::kernels
