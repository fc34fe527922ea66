// u8 x LPBQ s4 for few rows, on CPUs that multiply u8 x s8 quads: weights stay 4-bit, unpacked in registers.
//
// The weights, q + 8 in 0..15, are the unsigned operand and the codes minus 128 the signed one. That q + 8 stands for q
// costs nothing: the sums of a block start from -8 * (sum of the row over the block). After the block they are
// multiplied by its integer scale and added to the totals; everything wraps in 32 bits, the total does not.

#if defined(LANEQUANT_KERNELS_MATMUL_S4_VNNI_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_S4_VNNI_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_S4_VNNI_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_S4_VNNI_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/matmul_rows.h"
#include "kernels/matmul_s4_blocks.h"
#include "kernels/matmul_tile-inl.h"

#if LQ_NATIVE_DOT

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace s4 {

using tile::D;
using tile::V;
using DU8 = hn::Repartition<uint8_t, D>;
using DS8 = hn::Repartition<int8_t, D>;
using VU8 = hn::Vec<DU8>;

// With their totals they stay in registers: 6 rows, whose totals stand in memory, reach 0.88 of the peak instead of
// 0.91.
constexpr size_t kMaxRows = 3;

struct TileArgs {
  const uint8_t* a;     // codes minus 128
  size_t a_stride;      // bytes
  const int32_t* sums;  // -8 * sum, one per block
  size_t sums_stride;
  size_t first_group;  // of the panel
  size_t w_step;       // bytes from pair of quads to pair of quads
  size_t block_size;
  int32_t* acc;  // first channel of the tile, kPanelChannels per row
};

// Of a tile of a whole panel these are constants, which saves registers and instructions.
template <size_t kGroups, class Args>
HWY_INLINE size_t FirstGroup(const Args& t) {
  return kGroups == 4 ? 0 : t.first_group;
}
template <size_t kGroups, class Args>
HWY_INLINE size_t WeightStep(const Args& t) {
  return kGroups == 4 ? 256 : t.w_step;
}

HWY_INLINE VU8 Low(VU8 x) { return hn::And(x, hn::Set(DU8(), uint8_t{0x0F})); }
HWY_INLINE VU8 High(VU8 x) {
  const hn::Repartition<uint16_t, D> d16;
  return Low(hn::BitCast(DU8(), hn::ShiftRight<4>(hn::BitCast(d16, x))));
}
HWY_INLINE VU8 HighTimes16(VU8 x) { return hn::And(x, hn::Set(DU8(), uint8_t{0xF0})); }

template <size_t kRows, size_t kGroups>
using Sums = V[kRows][kGroups];

enum class Nibble { kLow, kHigh, kHighTimes16 };

// acc += nibbles of one row of weights x a quad of each row.
template <Nibble kNibble, size_t kRows, size_t kGroups>
HWY_INLINE void AddQuad(const TileArgs& t, const uint8_t* a, const uint8_t* w, Sums<kRows, kGroups>& acc) {
  LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) {
    const VU8 x = hn::LoadU(DU8(), w + 64 * g);
    const VU8 nibbles = kNibble == Nibble::kLow ? Low(x) : kNibble == Nibble::kHigh ? High(x) : HighTimes16(x);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      const auto quad = hn::BitCast(DS8(), tile::Broadcast(a + r * t.a_stride));
      acc[r][g] = hn::SumOfMulQuadAccumulate(D(), nibbles, quad, acc[r][g]);
      LQ_OPAQUE(acc[r][g]);
    }
  }
}

// Both nibbles: quads a and a + 4 of each row. The weights are loaded once.
template <bool kTimes16, size_t kRows, size_t kGroups>
HWY_INLINE void AddPair(const TileArgs& t, const uint8_t* a, const uint8_t* w, Sums<kRows, kGroups>& acc,
                        Sums<kRows, kGroups>& high) {
  LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) {
    VU8 x = hn::LoadU(DU8(), w + 64 * g);
    LQ_OPAQUE(x);  // else g++ loads it twice
    // More rows have more broadcasts than fit the registers: kept for all groups they would push accumulators out.
    if constexpr (kRows > 2) LQ_OPAQUE_POINTER(a);
    const VU8 lows = Low(x), highs = kTimes16 ? HighTimes16(x) : High(x);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      const uint8_t* quads = a + r * t.a_stride;
      acc[r][g] = hn::SumOfMulQuadAccumulate(D(), lows, hn::BitCast(DS8(), tile::Broadcast(quads)), acc[r][g]);
      LQ_OPAQUE(acc[r][g]);
      high[r][g] = hn::SumOfMulQuadAccumulate(D(), highs, hn::BitCast(DS8(), tile::Broadcast(quads + 4)), high[r][g]);
      LQ_OPAQUE(high[r][g]);
    }
  }
}

// One or two rows leave registers for a second set of sums: high nibbles stay multiplied by 16 there, which saves a
// shift per vector. The sums must fit 32 bits for the division at the end, so it is for blocks up to 2^16: 2^16 / 2 *
// 240 * 128 < 2^31.
constexpr size_t kMaxTimes16Block = 65536;

// All quads of one block. `high`: sums of the high nibbles, with kTimes16 multiplied by 16, else `acc` itself.
template <bool kTimes16, size_t kRows, size_t kGroups>
HWY_INLINE void AddBlock(const TileArgs& t, const uint8_t* a, const S4Block& block, Sums<kRows, kGroups>& acc,
                         Sums<kRows, kGroups>& high) {
  constexpr Nibble kHigh = kTimes16 ? Nibble::kHighTimes16 : Nibble::kHigh;
  const uint8_t* w = block.w + FirstGroup<kGroups>(t) * 64;
  const size_t w_step = WeightStep<kGroups>(t);
  if (block.leading_high) {
    AddQuad<kHigh, kRows, kGroups>(t, a, w, high);
    w += w_step;
    a += 4;
  }
  for (size_t p = 0; p < block.pairs; ++p, w += w_step, a += 8) {
    AddPair<kTimes16, kRows, kGroups>(t, a, w, acc, high);
  }
  if (block.trailing_low) AddQuad<Nibble::kLow, kRows, kGroups>(t, a, w, acc);
}

// The same, started from -8 * (sum of the row).
template <bool kTimes16, size_t kRows, size_t kGroups>
HWY_INLINE void SumBlock(const TileArgs& t, size_t b, const S4Block& block, Sums<kRows, kGroups>& acc) {
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) {
      acc[r][g] = hn::Set(D(), t.sums[r * t.sums_stride + b]);
      if constexpr (kRows > 2) LQ_OPAQUE(acc[r][g]);
    }
  }
  const uint8_t* a = t.a + b * t.block_size;
  if constexpr (kTimes16) {
    Sums<kRows, kGroups> high;
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) high[r][g] = hn::Zero(D());
    }
    AddBlock<kTimes16, kRows, kGroups>(t, a, block, acc, high);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) acc[r][g] = hn::Add(acc[r][g], hn::ShiftRight<4>(high[r][g]));
    }
  } else {
    AddBlock<kTimes16, kRows, kGroups>(t, a, block, acc, acc);
  }
}

// kRows rows x kGroups groups over the whole of k.
template <bool kTimes16, size_t kRows, size_t kGroups, class Cursor>
static HWY_NOINLINE void Tile(const TileArgs& args, const S4Blocks& blocks) {
  const D d;
  const TileArgs t = args;  // which no store can change
  Sums<kRows, kGroups> total;
  tile::SetZero(total);
  const size_t count = blocks.count();
  Cursor cursor(blocks);
  for (size_t b = 0; b < count; ++b) {
    const S4Block block = cursor.Next();
    Sums<kRows, kGroups> acc;
    SumBlock<kTimes16, kRows, kGroups>(t, b, block, acc);
    LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) {
      const uint8_t* scales = block.scale + (FirstGroup<kGroups>(t) + g) * 16;
      const V scale = hn::PromoteTo(d, hn::LoadU(hn::Rebind<uint8_t, D>(), scales));
      LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
        total[r][g] = hn::Add(total[r][g], hn::Mul(acc[r][g], scale));
        LQ_OPAQUE(total[r][g]);
      }
    }
  }
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t g = 0; g < kGroups; ++g) hn::StoreU(total[r][g], d, t.acc + r * kPanelChannels + g * 16);
  }
}

// A group at a time. Not inlined: the copy would then be made for whole panels too, and wait for the tile before.
template <bool kTimes16, size_t kRows>
static HWY_NOINLINE void StripByGroups(TileArgs t, const S4Blocks& blocks) {
  for (; t.first_group < blocks.groups(); ++t.first_group, t.acc += kGroupChannels) {
    Tile<kTimes16, kRows, 1, S4Blocks::Cursor>(t, blocks);
  }
}

template <bool kTimes16, size_t kRows>
HWY_INLINE void Strip(const TileArgs& t, const S4Blocks& blocks) {
  if (blocks.full_pairs()) return Tile<kTimes16, kRows, 4, S4Blocks::FullCursor>(t, blocks);
  if (blocks.groups() == 4) return Tile<kTimes16, kRows, 4, S4Blocks::Cursor>(t, blocks);
  StripByGroups<kTimes16, kRows>(t, blocks);
}

HWY_INLINE void CallStrip(const TileArgs& t, const S4Blocks& blocks, size_t rows) {
  const bool times16 = t.block_size <= kMaxTimes16Block;
  if (rows == 1) return times16 ? Strip<true, 1>(t, blocks) : Strip<false, 1>(t, blocks);
  if (rows == 2) return times16 ? Strip<true, 2>(t, blocks) : Strip<false, 2>(t, blocks);
  Strip<false, 3>(t, blocks);
}

// out = the codes minus 128, sums = -8 * (their sum over each block).
static HWY_NOINLINE void SignRow(const uint8_t* HWY_RESTRICT a, const PackedS4& layout, uint8_t* HWY_RESTRICT out,
                                 int32_t* HWY_RESTRICT sums) {
  const D d;
  const DU8 d8;
  const auto flip = hn::Set(d8, uint8_t{0x80});
  const size_t lanes = hn::Lanes(d8);
  for (size_t b = 0; b < layout.blocks(); ++b, a += layout.block, out += layout.block) {
    V sum = hn::Zero(d);
    for (size_t i = 0; i < layout.block; i += lanes) {
      const size_t count = std::min(lanes, layout.block - i);
      const auto codes = count == lanes ? hn::LoadU(d8, a + i)
                                        : hn::IfThenElse(hn::FirstN(d8, count), hn::LoadN(d8, a + i, count), flip);
      const auto centred = hn::Xor(codes, flip);
      if (count == lanes) {
        hn::StoreU(centred, d8, out + i);
      } else {
        hn::StoreN(centred, d8, out + i, count);
      }
      sum = hn::SumOfMulQuadAccumulate(d, hn::Set(d8, uint8_t{1}), hn::BitCast(DS8(), centred), sum);
    }
    sums[b] = -8 * hn::ReduceSum(d, sum);
  }
}

}  // namespace s4
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LQ_NATIVE_DOT
#endif  // LANEQUANT_KERNELS_MATMUL_S4_VNNI_INL_H_
