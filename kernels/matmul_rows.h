// How the matmul kernels cut and copy the rows of A, and the scratch that holds the copies.
#ifndef LANEQUANT_KERNELS_MATMUL_ROWS_H_
#define LANEQUANT_KERNELS_MATMUL_ROWS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"
#include "kernels/packing.h"
#include "kernels/round_up.h"

namespace lq::kernels {

// Where a block of outputs stands.
struct Block2d {
  size_t row, rows, n0;
};

// m rows cut into strips of at most `most` rows, as even as can be: 16 by 6 is 6, 5, 5.
class Strips {
 public:
  Strips(size_t m, size_t most)
      : count_((m + most - 1) / most), least_(m / std::max<size_t>(count_, 1)), longer_(m - least_ * count_) {}
  size_t count() const { return count_; }
  size_t rows(size_t i) const { return least_ + (i < longer_ ? 1 : 0); }

 private:
  size_t count_, least_, longer_;
};

// Targets without a u8 x s8 dot product copy A, this many rows at a time: 128 rows of k = 4096 are 1 MiB.
constexpr size_t kSplitRows = 128;
// The fused u8s4 kernels copy A as s8, at most this many rows; from there on it is faster to unpack the weights.
constexpr size_t kSignedRows = 18;

// Split rows: for each quad of k four bytes of even k, four of odd k, each code in 16 bits.
inline size_t SplitStride(size_t k) { return (k + 3) / 4 * 8; }
void SplitQuads(const uint8_t* a, size_t a_stride, size_t rows, size_t k, uint8_t* out);
// Of rows first .. of a call, which may be patches.
void SplitQuads(const MatmulArgs& args, size_t first, size_t rows, uint8_t* out);

// Where row r of a call begins.
inline const uint8_t* RowOf(const MatmulArgs& args, size_t r) {
  if (args.patches == nullptr) return args.a + r * args.a_stride;
  const Patches& p = *args.patches;
  const size_t line = r / p.width;
  return args.a + line / p.height * p.image_step + line % p.height * p.line_step + r % p.width * args.a_stride;
}
// Its codes first .. first + count - 1 into `out`.
void CopyCodes(const MatmulArgs& args, size_t r, size_t first, size_t count, uint8_t* out);

// Scratch of matmul_u8s4: signed rows, -8 * (sum over each block) of each, an unpacked panel.
struct S4Scratch {
  size_t rows, k;
  size_t stride() const { return RoundUp(k + 4, 64); }  // + 4: the quad that the last superblock may lack
  size_t SumsOffset() const { return rows * stride(); }
  size_t PanelOffset() const { return SumsOffset() + RoundUp(rows * (k / 4) * sizeof(int32_t), 64); }
  size_t Bytes() const { return PanelOffset() + kPanelChannels * RoundUp(k, 4); }
};

// Scratch of the AMX kernels: rows of A in tiles of 16 rows x 64 k, a panel of s8 weights up to whole tiles.
struct AmxScratch {
  size_t rows, k;  // rows of bytes: of u16 codes two for each row of A

  static size_t Steps(size_t k) { return (k + 63) / 64; }
  // Packed at a time: 1 MiB (256 rows of k = 4096) leaves the other half of L2 to the weights; with 1.5 MiB the speed
  // halves.
  static size_t MostRowTiles(size_t k) { return std::clamp<size_t>(1024 / Steps(k), 3, 32); }
  size_t PanelOffset() const { return std::min((rows + 15) / 16, MostRowTiles(k)) * Steps(k) * 1024; }
  size_t Bytes() const { return PanelOffset() + Steps(k) * 64 * kPanelChannels; }
};

// The u16 kernels copy A as planes: of each row one row of the high bytes, one of the low ones. So many rows of A at a
// time, cut evenly (256 rows of k = 4096 are 2 MiB); where they are split once more, fewer.
constexpr size_t kPlaneRows = 256, kSplitPlaneRows = kSplitRows / 2;
// An odd number of cache lines, so that the rows of a tile do not meet in the sets of L1.
inline size_t PlaneStride(size_t k) { return RoundUp(k, 64) | 64; }
inline size_t PlaneBytes(size_t rows, size_t k) { return 2 * rows * PlaneStride(k); }

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_MATMUL_ROWS_H_
