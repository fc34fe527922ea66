// Packed weights: what the matmul and depthwise kernels read. Plain C++: packing runs once.
//
// A panel holds 64 output channels (the last one what is left, in groups of 16, missing channels zero). Within a panel
// memory runs along k: rows of 64 bytes, 16 channels x 4 k each, one row per group. A row is one AVX-512 vector, two
// AVX2 ones, four NEON ones, and a row of an AMX B tile.
#ifndef LANEQUANT_KERNELS_PACKING_H_
#define LANEQUANT_KERNELS_PACKING_H_

#include <cstddef>
#include <cstdint>

namespace lq::kernels {

constexpr size_t kPanelChannels = 64;
constexpr size_t kGroupChannels = 16;

// Groups of 16 channels in the panel that starts at channel n0.
inline size_t PanelGroups(size_t n, size_t n0) {
  const size_t left = n - n0 < kPanelChannels ? n - n0 : kPanelChannels;
  return (left + kGroupChannels - 1) / kGroupChannels;
}

// s8: [panel][k quad][group][16 channels][4 k]; k padded with zeros to a multiple of 4.
size_t PackedS8Bytes(size_t n, size_t k);
void PackS8(const int32_t* w, size_t n, size_t k, int8_t* out);  // w: [n][k], each in -128..127
// Byte offset of the panel that starts at channel n0 (a multiple of 64).
size_t PanelS8Offset(size_t n0, size_t k);

// s16: [panel][k pair][group][16 channels][2 k]; k padded with zeros to a multiple of 2.
size_t PackedS16Bytes(size_t n, size_t k);
void PackS16(const int32_t* w, size_t n, size_t k, int16_t* out);
size_t PanelS16Offset(size_t n0, size_t k);

// s4 LPBQ: q + 8 in 0..15. block a multiple of 4 that divides k. A superblock is one block if block / 4 is even, else
// two (the last may be one), so that quads pair up: [panel][superblock]{ [pair of quads][group][16 channels][4 bytes:
// quad 2v in the low nibble, quad 2v + 1 in the high one (a missing one: 8)], scales [block][16 * groups channels] of
// u8 }.
struct PackedS4 {
  size_t n, k, block;

  size_t blocks() const { return k / block; }
  size_t blocks_per_superblock() const { return block % 8 == 0 ? 1 : 2; }
  size_t superblocks() const { return (blocks() + blocks_per_superblock() - 1) / blocks_per_superblock(); }
  size_t SuperblockBytes(size_t groups) const;  // of a full superblock
  size_t PanelBytes(size_t groups) const;
  size_t PanelOffset(size_t n0) const;  // n0 a multiple of 64
  size_t Bytes() const;
};
// q: [n][k] codes in -8..7; scale: [n][k / block] in 1..255.
void PackS4(const PackedS4& layout, const int32_t* q, const uint32_t* scale, uint8_t* out);

// Depthwise: [pair of taps][channels rounded up to 16][2 taps]; an odd last tap is paired with zero weights.
size_t PackedDepthwiseCount(size_t channels, size_t taps);
void PackDepthwise(const int32_t* w, size_t channels, size_t taps, int16_t* out);  // w: [channels][taps]

// Depthwise s8, for the native 8-bit dot: its four products are four rows of a column (a quad), so that codes of rows
// below one another are interleaved once and serve every tap of a window's row. Two output rows share their quads where
// both fit (3x3: rows 0-2 and 1-3 of four). A vector is 64 lanes: the channels of a chunk, of one pixel or, where that
// is short, of several neighbours. The last chunk ends at the last channel and overlaps the one before.
// [chunk][quad][kernel column][vector 0..3][output row][4-lane block 0..3]{ 4 lanes x 4 input rows }: block b of vector
// v holds lanes 16 b + 4 v .., which is how interleaving leaves them.
struct PackedDepthwiseS8 {
  size_t channels, kernel_height, kernel_width, stride_height, stride_width;

  static constexpr size_t kLargestKernel = 8;  // two quads
  // Dilation must be 1. Wider strides would interleave columns that no window reads.
  bool Fits() const;
  size_t output_rows() const { return QuadsOf(2) == QuadsOf(1) ? 2 : 1; }
  size_t quads() const { return QuadsOf(output_rows()); }
  // Neighbouring pixels in a vector.
  size_t pixels() const { return stride_width == 1 && (channels == 16 || channels == 32) ? 64 / channels : 1; }
  size_t chunks() const { return (channels + 63) / 64; }
  size_t FirstChannel(size_t chunk) const;
  size_t ChunkBytes() const { return quads() * kernel_width * output_rows() * 256; }
  size_t Bytes() const { return chunks() * ChunkBytes(); }

 private:
  size_t QuadsOf(size_t rows) const { return (kernel_height + (rows - 1) * stride_height + 3) / 4; }
};
// w: [channels][taps], each in -128..127.
void PackDepthwiseS8(const PackedDepthwiseS8& layout, const int32_t* w, int8_t* out);

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_PACKING_H_
