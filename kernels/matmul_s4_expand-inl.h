// An LPBQ s4 panel as an s8 one: codes times their integer scales, which fit s8 for scales up to 16. For any length of
// vectors: a row of 64 bytes per group is taken as plain bytes.

#if defined(LANEQUANT_KERNELS_MATMUL_S4_EXPAND_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_S4_EXPAND_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_S4_EXPAND_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_S4_EXPAND_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/matmul_s4_blocks.h"
#include "kernels/packing.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace s4 {

// Products of 4-bit codes with scales up to 16 fit s8.
[[maybe_unused]] static HWY_NOINLINE bool ScalesFitS8(const S4Blocks& blocks, size_t groups) {
  const hn::CappedTag<uint8_t, 16> d_group;
  const size_t lanes = hn::Lanes(d_group);
  auto largest = hn::Zero(d_group);
  S4Blocks::Cursor cursor(blocks);
  for (size_t b = 0; b < blocks.count(); ++b) {
    const S4Block block = cursor.Next();
    for (size_t c = 0; c < groups * kGroupChannels; c += lanes) {
      largest = hn::Max(largest, hn::LoadU(d_group, block.scale + c));
    }
  }
  return hn::AllTrue(d_group, hn::Le(largest, hn::Set(d_group, uint8_t{16})));
}

namespace expand {

using D8 = hn::CappedTag<uint8_t, 64>;
using D16 = hn::Repartition<uint16_t, D8>;
using D32 = hn::Repartition<int32_t, D8>;

// Of a block, for each byte of a row: s in each 16 bits, and 8 s.
struct Scales {
  HWY_ALIGN uint8_t factor[kPanelChannels * 4];
  HWY_ALIGN uint8_t eight[kPanelChannels * 4];
};

HWY_INLINE void Load(const uint8_t* scale, size_t channels, Scales* out) {
  const D32 d;
  for (size_t c = 0; c < channels; c += hn::Lanes(d)) {
    const auto s = hn::PromoteTo(d, hn::LoadU(hn::Rebind<uint8_t, D32>(), scale + c));
    const auto pair = hn::Or(s, hn::ShiftLeft<16>(s));
    hn::StoreU(hn::BitCast(D8(), pair), D8(), out->factor + 4 * c);
    hn::StoreU(hn::BitCast(D8(), hn::ShiftLeft<3>(hn::Or(pair, hn::ShiftLeft<8>(pair)))), D8(), out->eight + 4 * c);
  }
}

// (q + 8) * s - 8 * s, two products in each 16 bits: (q + 8) * s <= 240 carries nothing into the upper one.
HWY_INLINE hn::Vec<D8> Product(hn::Vec<D8> x, const Scales& scales, size_t i) {
  const auto nibbles = hn::And(x, hn::Set(D8(), uint8_t{15}));
  const auto factor = hn::BitCast(D16(), hn::LoadU(D8(), scales.factor + i));
  const auto product = hn::BitCast(D8(), hn::Mul(hn::BitCast(D16(), nibbles), factor));
  return hn::Sub(product, hn::LoadU(D8(), scales.eight + i));
}

// Rows of the high and of the low nibbles of a packed row; either may be null.
HWY_INLINE void Row(const uint8_t* HWY_RESTRICT w, size_t row_bytes, const Scales& scales, uint8_t* HWY_RESTRICT low,
                    uint8_t* HWY_RESTRICT high) {
  const D8 d;
  for (size_t i = 0; i < row_bytes; i += hn::Lanes(d)) {
    const auto x = hn::LoadU(d, w + i);
    if (low != nullptr) hn::StoreU(Product(x, scales, i), d, low + i);
    if (high != nullptr) {
      const auto shifted = hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(D16(), x)));
      hn::StoreU(Product(shifted, scales, i), d, high + i);
    }
  }
}

}  // namespace expand

// out: [k quad][group][16 channels][4 k], with zeros up to `quads` quads. All scales fit s8.
[[maybe_unused]] static HWY_NOINLINE void ExpandPanel(const S4Blocks& blocks, size_t groups, size_t quads,
                                                      int8_t* out) {
  const size_t row = groups * 64;
  uint8_t* panel = reinterpret_cast<uint8_t*>(out);
  uint8_t* const end = panel + quads * row;
  expand::Scales scales;
  S4Blocks::Cursor cursor(blocks);
  for (size_t b = 0; b < blocks.count(); ++b) {
    const S4Block block = cursor.Next();
    const uint8_t* w = block.w;
    expand::Load(block.scale, groups * kGroupChannels, &scales);
    if (block.leading_high) {
      expand::Row(w, row, scales, nullptr, panel);
      w += row;
      panel += row;
    }
    for (size_t p = 0; p < block.pairs; ++p, w += row, panel += 2 * row) {
      expand::Row(w, row, scales, panel, panel + row);
    }
    if (block.trailing_low) {
      expand::Row(w, row, scales, panel, nullptr);
      panel += row;
    }
  }
  std::memset(panel, 0, static_cast<size_t>(end - panel));
}

}  // namespace s4
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_S4_EXPAND_INL_H_
