// Packed weights with float scales: what matmul_f32s4, matmul_f32s8 and matmul_f32f32 read.
#ifndef LANEQUANT_KERNELS_PACKING_BLOCKS_H_
#define LANEQUANT_KERNELS_PACKING_BLOCKS_H_

#include <cstddef>
#include <cstdint>

namespace lq::kernels {

// Panels of 64 channels as in packing.h: [panel][block]{ codes, scales, offsets }.
// 8-bit codes and floats: [k of the block][16 * groups channels]. 4-bit ones, two's complement: [8 k of the block][16 *
// groups channels] of 32 bits, k number j of the 8 at bit NibbleShift(j) (the last 8 k of a block may be fewer). So
// whatever the width a vector of 32-bit lanes takes its channels from consecutive bytes. scales, offsets: [16 * groups
// channels] of float; offsets only where has_offsets. Neighbours stand in the two halves: AVX-512 has permutations that
// look at the lowest bits of 32 or of 16, so that one shift serves both.
constexpr int NibbleShift(size_t j) { return static_cast<int>(j % 2 * 16 + j / 2 * 4); }

struct PackedBlocks {
  size_t n, k, block;  // the last block may be short
  int bits;            // 4, 8, or 32: floats in the place of codes
  bool has_offsets;

  size_t blocks() const { return (k + block - 1) / block; }
  size_t BlockSize(size_t b) const { return b + 1 < blocks() ? block : k - b * block; }  // in k
  size_t CodeBytes(size_t size, size_t groups) const;                                    // of a block of `size` k
  size_t PanelBytes(size_t groups) const;
  size_t PanelOffset(size_t n0) const;  // n0 a multiple of 64
  size_t Bytes() const;
};

// Arrays are [n][k] and [n][blocks].
struct BlockWeights {
  const float* q;  // codes on the signed grid of the layout's bits, or any floats
  const float* scale;
  const float* offset;  // if has_offsets: of the codes as they are here
};
void PackBlocks(const PackedBlocks& layout, const BlockWeights& weights, uint8_t* out);

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_PACKING_BLOCKS_H_
