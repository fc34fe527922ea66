// u8 x LPBQ s4 where the CPU has no u8 x s8 quads: products of u8 and s4 add up in 16 bits, then the multiplication by
// ones that would widen them to 32 bits multiplies by the block's scale instead.
//
// A 16-bit lane takes two products a quad: 8 quads are at most 16 * 255 * 8 = 32640 < 2^15.

#if defined(LANEQUANT_KERNELS_MATMUL_S4_PAIRS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_S4_PAIRS_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_S4_PAIRS_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_S4_PAIRS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/matmul_s4_blocks.h"
#include "kernels/matmul_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace s4 {

struct PairArgs {
  const uint8_t* a;
  size_t a_stride;
  size_t w_step;  // bytes per pair of quads: 64 per group
  size_t block_size;
  int32_t* acc;  // kPanelChannels per row
};

#if HWY_HAVE_SCALABLE

constexpr size_t kMaxPairRows = 2;

// No arrays of vectors there: plain loops.
HWY_INLINE void AddQuad(const PairArgs& t, const uint8_t* a, const uint8_t* w, int shift, int32_t* sums) {
  for (size_t i = 0; i < t.w_step; ++i) sums[i / 4] += ((w[i] >> shift & 15) - 8) * int32_t{a[i % 4]};
}

static void PairRow(const PairArgs& t, const S4Blocks& blocks) {
  std::memset(t.acc, 0, t.w_step / 4 * sizeof(int32_t));
  const uint8_t* a = t.a;
  S4Blocks::Cursor cursor(blocks);
  for (size_t b = 0; b < blocks.count(); ++b) {
    const S4Block block = cursor.Next();
    const uint8_t* w = block.w;
    int32_t sums[kPanelChannels] = {};
    bool high = block.leading_high;
    for (size_t quad = 0; quad < t.block_size / 4; ++quad, a += 4) {
      AddQuad(t, a, w, high ? 4 : 0, sums);
      if (high) w += t.w_step;
      high = !high;
    }
    for (size_t c = 0; c < t.w_step / 4; ++c) t.acc[c] += sums[c] * block.scale[c];
  }
}

template <size_t kRows>
static void PairStrip(PairArgs t, const S4Blocks& blocks) {
  for (size_t r = 0; r < kRows; ++r, t.a += t.a_stride, t.acc += kPanelChannels) PairRow(t, blocks);
}

#else

using DS8 = hn::Repartition<int8_t, tile::D>;
using DU8 = hn::Repartition<uint8_t, tile::D>;
using DS16 = hn::Repartition<int16_t, tile::D>;
constexpr size_t kMaxPairRows = tile::kLanes == 4 ? 2 : 4;

template <size_t kRows, size_t kVectors>
using Sums16 = hn::Vec<DS16>[kRows][kVectors];

// Not "= {}", which on NEON leaves them as they are.
template <size_t kRows, size_t kVectors>
HWY_INLINE void SetZero(Sums16<kRows, kVectors>& sums) {
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) sums[r][j] = hn::Zero(DS16());
  }
}

// sums += the low or the high nibbles of kVectors vectors x a quad of each row.
template <bool kHigh, size_t kRows, size_t kVectors>
HWY_INLINE void AddQuad(const PairArgs& t, const uint8_t* a, const uint8_t* w, Sums16<kRows, kVectors>& sums) {
  const DU8 d8;
  const DS16 d16;
  LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
    auto x = hn::LoadU(d8, w + j * 4 * tile::kLanes);
    if constexpr (kHigh) x = hn::BitCast(d8, hn::ShiftRight<4>(hn::BitCast(hn::Repartition<uint16_t, tile::D>(), x)));
    const auto q = hn::Sub(hn::BitCast(DS8(), hn::And(x, hn::Set(d8, uint8_t{15}))), hn::Set(DS8(), int8_t{8}));
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      const auto quad = hn::BitCast(d8, tile::Broadcast(a + r * t.a_stride));
      sums[r][j] = hn::Add(sums[r][j], hn::SatWidenMulPairwiseAdd(d16, quad, q));
      LQ_OPAQUE(sums[r][j]);
    }
  }
}

// totals += sums * scale, from the first channel of the vectors on.
template <size_t kRows, size_t kVectors>
HWY_INLINE void AddScaled(const Sums16<kRows, kVectors>& sums, const uint8_t* scale, int32_t* totals) {
  const tile::D d;
  LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
    const tile::V s = hn::PromoteTo(d, hn::LoadU(hn::Rebind<uint8_t, tile::D>(), scale + j * tile::kLanes));
    const auto pair = hn::BitCast(DS16(), hn::Or(s, hn::ShiftLeft<16>(s)));
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      int32_t* total = totals + r * kPanelChannels + j * tile::kLanes;
      hn::StoreU(hn::Add(hn::LoadU(d, total), hn::WidenMulPairwiseAdd(d, sums[r][j], pair)), d, total);
    }
  }
}

// One block, kVectors vectors of channels from `channel` on.
template <size_t kRows, size_t kVectors>
HWY_INLINE void AddBlock(const PairArgs& t, const uint8_t* a, const S4Block& block, size_t channel) {
  const uint8_t* w = block.w + channel * 4;
  const uint8_t* scale = block.scale + channel;
  int32_t* totals = t.acc + channel;
  if (block.leading_high) {
    Sums16<kRows, kVectors> sums;
    SetZero<kRows, kVectors>(sums);
    AddQuad<true, kRows, kVectors>(t, a, w, sums);
    AddScaled<kRows, kVectors>(sums, scale, totals);
    w += t.w_step;
    a += 4;
  }
  for (size_t left = block.pairs; left != 0;) {
    const size_t pairs = left < 4 ? left : 4;
    Sums16<kRows, kVectors> sums;
    SetZero<kRows, kVectors>(sums);
    for (size_t p = 0; p < pairs; ++p, w += t.w_step, a += 8) {
      AddQuad<false, kRows, kVectors>(t, a, w, sums);
      AddQuad<true, kRows, kVectors>(t, a + 4, w, sums);
    }
    AddScaled<kRows, kVectors>(sums, scale, totals);
    left -= pairs;
  }
  if (block.trailing_low) {
    Sums16<kRows, kVectors> sums;
    SetZero<kRows, kVectors>(sums);
    AddQuad<false, kRows, kVectors>(t, a, w, sums);
    AddScaled<kRows, kVectors>(sums, scale, totals);
  }
}

// Blocks outside, channels inside: the weights are read in order, the totals stay in L1.
template <size_t kRows>
static HWY_NOINLINE void PairStrip(const PairArgs& t, const S4Blocks& blocks) {
  constexpr size_t kVectors = kRows == 1 ? tile::kGroupVectors : 1;
  for (size_t r = 0; r < kRows; ++r) std::memset(t.acc + r * kPanelChannels, 0, kPanelChannels * sizeof(int32_t));
  S4Blocks::Cursor cursor(blocks);
  for (size_t b = 0; b < blocks.count(); ++b) {
    const S4Block block = cursor.Next();
    for (size_t channel = 0; channel < t.w_step / 4; channel += kVectors * tile::kLanes) {
      AddBlock<kRows, kVectors>(t, t.a + b * t.block_size, block, channel);
    }
  }
}

#endif  // HWY_HAVE_SCALABLE

template <size_t... kIndex>
HWY_INLINE void CallPairStrip(const PairArgs& t, const S4Blocks& blocks, size_t rows, std::index_sequence<kIndex...>) {
  ((rows == kIndex + 1 ? PairStrip<kIndex + 1>(t, blocks) : void()), ...);
}

}  // namespace s4
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_S4_PAIRS_INL_H_
