// u8 x LPBQ s4 for many rows, on CPUs that multiply u8 x s8 quads: the first strip of rows multiplies its weights by
// their integer scales, uses them, and leaves them behind as an s8 panel in scratch (L2); for the other strips the
// panel is plain s8. A pass of its own would wait for its stores (0.80 instead of 0.91 of peak at 16 rows).

#if defined(LANEQUANT_KERNELS_MATMUL_S4_UNPACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_S4_UNPACK_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_S4_UNPACK_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_S4_UNPACK_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/matmul_s4_blocks.h"
#include "kernels/matmul_s4_vnni-inl.h"
#include "kernels/matmul_tile-inl.h"

#if LQ_NATIVE_DOT

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace s4 {

using DU16 = hn::Repartition<uint16_t, D>;

struct UnpackArgs {
  const uint8_t* a;  // codes
  size_t a_stride;
  size_t first_group;
  size_t w_step;  // bytes per pair of quads, and per quad of the panel
  int8_t* panel;  // first channel of the tile
  int32_t* acc;
};

// Of a block: s in each 16 bits and 8 s in each byte. In memory: eight more registers would push accumulators out.
template <size_t kGroups>
struct BlockScales {
  HWY_ALIGN uint16_t factor[kGroups][32];
  HWY_ALIGN uint8_t eight[kGroups][64];
};

template <size_t kGroups>
HWY_INLINE void LoadScales(const uint8_t* scale, BlockScales<kGroups>* out) {
  const D d;
  LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) {
    const V s = hn::PromoteTo(d, hn::LoadU(hn::Rebind<uint8_t, D>(), scale + 16 * g));
    const V pair = hn::Or(s, hn::ShiftLeft<16>(s));
    hn::Store(hn::BitCast(DU16(), pair), DU16(), out->factor[g]);
    hn::Store(hn::BitCast(DU8(), hn::ShiftLeft<3>(hn::Or(pair, hn::ShiftLeft<8>(pair)))), DU8(), out->eight[g]);
  }
}

// (q + 8) * s - 8 * s, two products in each 16 bits: (q + 8) * s <= 240 carries nothing into the upper one.
HWY_INLINE hn::Vec<DS8> Scaled(VU8 nibbles, const uint16_t* factor, const uint8_t* eight) {
  const auto product = hn::Mul(hn::BitCast(DU16(), nibbles), hn::Load(DU16(), factor));
  return hn::BitCast(DS8(), hn::Sub(hn::BitCast(DU8(), product), hn::Load(DU8(), eight)));
}

template <Nibble kNibble, size_t kRows, size_t kGroups>
HWY_INLINE void UnpackQuad(const UnpackArgs& t, const uint8_t* w, const BlockScales<kGroups>& scales,
                           Sums<kRows, kGroups>& acc) {
  LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) {
    const VU8 x = hn::LoadU(DU8(), w + 64 * g);
    hwy::Prefetch(w + 64 * g + 2048);
    const auto weights = Scaled(kNibble == Nibble::kLow ? Low(x) : High(x), scales.factor[g], scales.eight[g]);
    hn::StoreU(weights, DS8(), t.panel + 64 * g);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      acc[r][g] = tile::Dot(tile::LoadQuad(t.a + r * t.a_stride), {weights}, acc[r][g]);
    }
  }
}

// Both nibbles. The weights and their scales are loaded once: with a broadcast for every product, loads are what is
// scarce.
template <size_t kRows, size_t kGroups>
HWY_INLINE void UnpackPair(const UnpackArgs& t, const uint8_t* w, const BlockScales<kGroups>& scales,
                           Sums<kRows, kGroups>& acc) {
  int8_t* panel = t.panel;
  LQ_UNROLL for (size_t g = 0; g < kGroups; ++g, panel += 64) {
    const VU8 x = hn::LoadU(DU8(), w + 64 * g);
    hwy::Prefetch(w + 64 * g + 2048);
    const auto low = Scaled(Low(x), scales.factor[g], scales.eight[g]);
    const auto high = Scaled(High(x), scales.factor[g], scales.eight[g]);
    hn::StoreU(low, DS8(), panel);
    hn::StoreU(high, DS8(), panel + WeightStep<kGroups>(t));
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      const uint8_t* quads = t.a + r * t.a_stride;
      acc[r][g] = tile::Dot(tile::LoadQuad(quads), {low}, acc[r][g]);
      acc[r][g] = tile::Dot(tile::LoadQuad(quads + 4), {high}, acc[r][g]);
    }
  }
}

template <size_t kGroups>
HWY_INLINE void NextQuad(UnpackArgs* t) {
  t->a += 4;
  t->panel += WeightStep<kGroups>(*t);
}

template <size_t kRows, size_t kGroups, class Cursor>
static HWY_NOINLINE void UnpackTile(const UnpackArgs& args, const S4Blocks& blocks) {
  UnpackArgs t = args;
  BlockScales<kGroups> storage;
  Sums<kRows, kGroups> acc;
  tile::SetZero(acc);
  Cursor cursor(blocks);
  for (size_t b = 0; b < blocks.count(); ++b) {
    const S4Block block = cursor.Next();
    LoadScales<kGroups>(block.scale + FirstGroup<kGroups>(t) * 16, &storage);
    const BlockScales<kGroups>* scales = &storage;
    LQ_OPAQUE_POINTER(scales);
    const uint8_t* w = block.w + FirstGroup<kGroups>(t) * 64;
    if (block.leading_high) {
      UnpackQuad<Nibble::kHigh, kRows, kGroups>(t, w, *scales, acc);
      NextQuad<kGroups>(&t);
      w += WeightStep<kGroups>(t);
    }
    for (size_t p = 0; p < block.pairs; ++p, w += WeightStep<kGroups>(t)) {
      UnpackPair<kRows, kGroups>(t, w, *scales, acc);
      NextQuad<kGroups>(&t);
      NextQuad<kGroups>(&t);
    }
    if (block.trailing_low) {
      UnpackQuad<Nibble::kLow, kRows, kGroups>(t, w, *scales, acc);
      NextQuad<kGroups>(&t);
    }
  }
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) hn::StoreU(acc[r][g], D(), t.acc + r * kPanelChannels + g * 16);
  }
}

template <size_t kRows>
static HWY_NOINLINE void UnpackByGroups(UnpackArgs t, const S4Blocks& blocks) {
  for (; t.first_group < blocks.groups(); ++t.first_group, t.panel += 64, t.acc += kGroupChannels) {
    UnpackTile<kRows, 1, S4Blocks::Cursor>(t, blocks);
  }
}

template <size_t kRows>
HWY_INLINE void UnpackStrip(const UnpackArgs& t, const S4Blocks& blocks) {
  if (blocks.full_pairs()) return UnpackTile<kRows, 4, S4Blocks::FullCursor>(t, blocks);
  if (blocks.groups() == 4) return UnpackTile<kRows, 4, S4Blocks::Cursor>(t, blocks);
  UnpackByGroups<kRows>(t, blocks);
}

// Unpacked weights take registers, too: fewer rows than a tile has.
constexpr size_t kUnpackRows = 6;

// Strips of more than kSignedRows rows cut evenly by kUnpackRows have 4 rows at least.
HWY_INLINE void UnpackAndMultiplyStrip(const UnpackArgs& t, const S4Blocks& blocks, size_t rows) {
  if (rows == 4) UnpackStrip<4>(t, blocks);
  if (rows == 5) UnpackStrip<5>(t, blocks);
  if (rows == 6) UnpackStrip<6>(t, blocks);
}

}  // namespace s4
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LQ_NATIVE_DOT
#endif  // LANEQUANT_KERNELS_MATMUL_S4_UNPACK_INL_H_
