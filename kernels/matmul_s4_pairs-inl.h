// u8 x LPBQ s4 where the CPU has no u8 x s8 quads: products of u8 and s4 add up in 16 bits, then the multiplication by
// ones that would widen them to 32 bits multiplies by the block's scale instead.
//
// Weights are multiplied as they are packed, q + 8: two products are at most 2 * 255 * 15 = 7650. What that is too
// much, 8 * (sum of codes), is where the sums start from, so that it costs nothing (0.86 instead of 1.0 of the peak of
// 16-bit multiply-adds if each weight is brought to -8..7). A 16-bit lane takes two products a quad: of 8 quads the
// finished sum is at most 16 * 255 * 8 = 32640 < 2^15, and what wraps on the way comes back.

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

// Where the sums of up to kChunkPairs pairs of quads start: of the quads in the low nibbles and of those in the high
// ones, -8 * (codes 0 and 1 of each quad), -8 * (codes 2 and 3).
struct ChunkStart {
  uint16_t low[2], high[2];
};
constexpr size_t kChunkPairs = 8;

// Chunks of a block: a quad alone, pairs, a quad alone.
inline size_t Chunks(const S4Block& block) {
  return (block.pairs + kChunkPairs - 1) / kChunkPairs + block.leading_high + block.trailing_low;
}

// Of the codes of `quads` quads, at most 16, whose first is in the low nibbles, or in the high ones; they alternate.
inline ChunkStart StartOf(const uint8_t* a, size_t quads, bool high) {
  uint64_t sums = 0;  // four of 16 bits: at most 8 * 2 * 255
  for (size_t i = 0; i < quads; ++i) {
    uint32_t quad;
    std::memcpy(&quad, a + 4 * i, 4);
    const uint64_t pairs = (quad & 0x00FF00FF) + (quad >> 8 & 0x00FF00FF);
    sums += (i % 2 != 0) != high ? pairs << 32 : pairs;
  }
  ChunkStart start;
  for (size_t i = 0; i < 2; ++i) {
    start.low[i] = static_cast<uint16_t>(-8 * static_cast<int>(sums >> 16 * i & 0xFFFF));
    start.high[i] = static_cast<uint16_t>(-8 * static_cast<int>(sums >> (16 * i + 32) & 0xFFFF));
  }
  return start;
}

// Of one row of codes, in the order in which AddBlock takes its chunks; returns the end.
[[maybe_unused]] static ChunkStart* StartRow(const uint8_t* a, const S4Blocks& blocks, ChunkStart* out) {
  S4Blocks::Cursor cursor(blocks);
  for (size_t b = 0; b < blocks.count(); ++b) {
    const S4Block block = cursor.Next();
    if (block.leading_high) *out++ = StartOf(a, 1, true), a += 4;
    for (size_t left = block.pairs; left != 0;) {
      const size_t pairs = left < kChunkPairs ? left : kChunkPairs;
      *out++ = StartOf(a, 2 * pairs, false);
      a += 8 * pairs;
      left -= pairs;
    }
    if (block.trailing_low) *out++ = StartOf(a, 1, false), a += 4;
  }
  return out;
}

struct PairArgs {
  const uint8_t* a;
  size_t a_stride;
  const ChunkStart* start;
  size_t start_stride;  // chunks of a row
  size_t w_step;        // bytes per pair of quads: 64 per group
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

template <size_t kRows, size_t kVectors>
HWY_INLINE void SetStart(const PairArgs& t, const uint16_t* start, Sums16<kRows, kVectors>& sums) {
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    const auto* at = reinterpret_cast<const uint8_t*>(start + r * t.start_stride * (sizeof(ChunkStart) / 2));
    LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
      sums[r][j] = hn::BitCast(DS16(), tile::Broadcast(at));
      LQ_OPAQUE(sums[r][j]);
    }
  }
}

// sums += one vector of weights (column j of the sums) x a quad of each row.
template <size_t kRows, size_t kVectors>
HWY_INLINE void AddQuad(const PairArgs& t, const uint8_t* a, hn::Vec<DU8> weights, size_t j,
                        Sums16<kRows, kVectors>& sums) {
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    const auto quad = hn::BitCast(DU8(), tile::Broadcast(a + r * t.a_stride));
    sums[r][j] = hn::Add(sums[r][j], hn::SatWidenMulPairwiseAdd(DS16(), quad, hn::BitCast(DS8(), weights)));
    LQ_OPAQUE(sums[r][j]);
  }
}

HWY_INLINE hn::Vec<DU8> LowNibbles(hn::Vec<DU8> x) { return hn::And(x, hn::Set(DU8(), uint8_t{15})); }
HWY_INLINE hn::Vec<DU8> HighNibbles(hn::Vec<DU8> x) {
  const hn::Repartition<uint16_t, tile::D> d16;
  return LowNibbles(hn::BitCast(DU8(), hn::ShiftRight<4>(hn::BitCast(d16, x))));
}

// The scales of a vector of channels, each twice.
HWY_INLINE hn::Vec<DS16> Scales(const uint8_t* scale) {
  const tile::V s = hn::PromoteTo(tile::D(), hn::LoadU(hn::Rebind<uint8_t, tile::D>(), scale));
  return hn::BitCast(DS16(), hn::Or(s, hn::ShiftLeft<16>(s)));
}

// What a chunk adds to kVectors vectors of channels.
struct Chunk {
  const uint8_t* a;
  const ChunkStart* start;
  const uint8_t* w;      // the first of the vectors
  const uint8_t* scale;  // likewise
  int32_t* totals;
};

// A quad alone, in the low or the high nibbles.
template <bool kHigh, size_t kRows, size_t kVectors>
HWY_INLINE void AddSingle(const PairArgs& t, const Chunk& c) {
  const DU8 d8;
  const tile::D d;
  Sums16<kRows, kVectors> sums;
  SetStart<kRows, kVectors>(t, kHigh ? c.start->high : c.start->low, sums);
  LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
    const auto x = hn::LoadU(d8, c.w + j * 4 * tile::kLanes);
    AddQuad<kRows, kVectors>(t, c.a, kHigh ? HighNibbles(x) : LowNibbles(x), j, sums);
  }
  LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
    const auto scale = Scales(c.scale + j * tile::kLanes);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      int32_t* total = c.totals + r * kPanelChannels + j * tile::kLanes;
      hn::StoreU(hn::Add(hn::LoadU(d, total), hn::WidenMulPairwiseAdd(d, sums[r][j], scale)), d, total);
    }
  }
}

template <size_t kRows, size_t kVectors>
HWY_INLINE void AddPairs(const PairArgs& t, const Chunk& c, size_t pairs) {
  const DU8 d8;
  const tile::D d;
  Sums16<kRows, kVectors> low, high;
  SetStart<kRows, kVectors>(t, c.start->low, low);
  SetStart<kRows, kVectors>(t, c.start->high, high);
  const uint8_t* a = c.a;
  const uint8_t* w = c.w;
  for (size_t p = 0; p < pairs; ++p, w += t.w_step, a += 8) {
    LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
      const auto x = hn::LoadU(d8, w + j * 4 * tile::kLanes);
      AddQuad<kRows, kVectors>(t, a, LowNibbles(x), j, low);
      AddQuad<kRows, kVectors>(t, a + 4, HighNibbles(x), j, high);
    }
  }
  LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
    const auto scale = Scales(c.scale + j * tile::kLanes);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      int32_t* total = c.totals + r * kPanelChannels + j * tile::kLanes;
      const auto both =
          hn::Add(hn::WidenMulPairwiseAdd(d, low[r][j], scale), hn::WidenMulPairwiseAdd(d, high[r][j], scale));
      hn::StoreU(hn::Add(hn::LoadU(d, total), both), d, total);
    }
  }
}

// One block, kVectors vectors of channels from `channel` on.
template <size_t kRows, size_t kVectors>
HWY_INLINE void AddBlock(const PairArgs& t, Chunk c, const S4Block& block) {
  if (block.leading_high) {
    AddSingle<true, kRows, kVectors>(t, c);
    c.w += t.w_step;
    c.a += 4;
    ++c.start;
  }
  for (size_t left = block.pairs; left != 0; ++c.start) {
    const size_t pairs = left < kChunkPairs ? left : kChunkPairs;
    AddPairs<kRows, kVectors>(t, c, pairs);
    c.w += pairs * t.w_step;
    c.a += 8 * pairs;
    left -= pairs;
  }
  if (block.trailing_low) AddSingle<false, kRows, kVectors>(t, c);
}

// Blocks outside, channels inside: the weights are read in order, the totals stay in L1.
template <size_t kRows>
static HWY_NOINLINE void PairStrip(const PairArgs& t, const S4Blocks& blocks) {
  constexpr size_t kVectors = kRows == 1 ? tile::kGroupVectors : 1;
  for (size_t r = 0; r < kRows; ++r) std::memset(t.acc + r * kPanelChannels, 0, kPanelChannels * sizeof(int32_t));
  S4Blocks::Cursor cursor(blocks);
  Chunk first = {t.a, t.start, nullptr, nullptr, nullptr};
  for (size_t b = 0; b < blocks.count(); ++b, first.a += t.block_size) {
    const S4Block block = cursor.Next();
    for (size_t channel = 0; channel < t.w_step / 4; channel += kVectors * tile::kLanes) {
      AddBlock<kRows, kVectors>(
          t, {first.a, first.start, block.w + channel * 4, block.scale + channel, t.acc + channel}, block);
    }
    first.start += Chunks(block);
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
