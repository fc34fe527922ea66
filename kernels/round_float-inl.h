// Per-target: rounding of floats to a coarser float grid (FloatGrid) without conversions.

#if defined(LANEQUANT_KERNELS_ROUND_FLOAT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_ROUND_FLOAT_INL_H_
#undef LANEQUANT_KERNELS_ROUND_FLOAT_INL_H_
#else
#define LANEQUANT_KERNELS_ROUND_FLOAT_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/contracts_float.h"
#include "kernels/quantize-inl.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace round_float {

using DF32 = hn::CappedTag<float, 16>;
using VF32 = hn::Vec<DF32>;

constexpr int32_t kExponentBits = 0x7F800000;

template <class DF>
HWY_INLINE hn::Vec<hn::RebindToSigned<DF>> MagnitudeBits(DF /*df*/, hn::Vec<DF> v) {
  return hn::BitCast(hn::RebindToSigned<DF>(), hn::Abs(v));
}

// The bits of 2^exponent.
constexpr int32_t PowerBits(int exponent) { return (exponent + 127) << 23; }

// What makes an exponent's bits the bits of 1.5 times the value whose last place is the step of that exponent.
constexpr int32_t MagicBits(int mantissa_bits) { return ((23 - mantissa_bits) << 23) | 0x400000; }

// x to the nearest multiple of 2^(max(e, min_exponent) - mantissa_bits), ties to even: adding 1.5 * 2^23 steps leaves
// no room for more digits, and the addition's own rounding does the work. `exponent` holds the exponent bits of |x|.
// NaN stays NaN; what becomes 0 becomes +0.
template <class DF, class DI = hn::RebindToSigned<DF>>
HWY_INLINE hn::Vec<DF> RoundToStep(DF df, hn::Vec<DF> x, hn::Vec<DI> exponent, int min_exponent, int mantissa_bits) {
  const DI di;
  const auto at_least = hn::Max(exponent, hn::Set(di, PowerBits(min_exponent)));
  const auto magic = hn::BitCast(df, hn::Add(at_least, hn::Set(di, MagicBits(mantissa_bits))));
  return hn::Sub(hn::Add(x, magic), magic);
}

template <class DF>
HWY_INLINE hn::Vec<hn::RebindToSigned<DF>> ExponentBits(DF /*df*/, hn::Vec<DF> x) {
  const hn::RebindToSigned<DF> di;
  return hn::And(hn::BitCast(di, x), hn::Set(di, kExponentBits));
}

// The same of a carried logarithm (FloatGrid::carry).
template <class DF>
HWY_INLINE hn::Vec<hn::RebindToSigned<DF>> CarriedExponentBits(DF df, hn::Vec<DF> x, const uint32_t* carry) {
  const hn::RebindToSigned<DF> di;
  const auto magnitude = MagnitudeBits(df, x);
  const auto added = hn::GatherIndex(di, reinterpret_cast<const int32_t*>(carry), hn::ShiftRight<23>(magnitude));
  return hn::And(hn::Add(magnitude, added), hn::Set(di, kExponentBits));
}

enum class GridKind { kPlain, kCarried, kBFloat16 };

template <GridKind kKind>
HWY_INLINE hn::Vec<hn::RebindToSigned<DF32>> ExponentOf(VF32 x, const FloatGrid& grid) {
  if constexpr (kKind == GridKind::kCarried) {
    return CarriedExponentBits(DF32(), x, grid.carry);
  } else {
    return ExponentBits(DF32(), x);
  }
}

// x within +-limit; NaN stays NaN.
HWY_INLINE VF32 Limit(VF32 x, VF32 limit) { return quantize::Smaller(limit, quantize::Larger(hn::Neg(limit), x)); }

// Whether values within the limit may round to values that are not the grid's.
HWY_INLINE bool Overflows(const FloatGrid& grid) { return grid.limit > grid.largest; }

// C(x) of QuantizeDequantizeFloatArgs, but for the limit, which x keeps. `sign`: x, or what it is a quotient of, whose
// sign a zero takes. `overflows`: Overflows(grid), which loops find out once.
template <GridKind kKind>
HWY_INLINE VF32 RoundToGrid(VF32 x, VF32 sign, const FloatGrid& grid, bool overflows) {
  const DF32 df;
  VF32 r;
  if constexpr (kKind == GridKind::kBFloat16) {
    r = small_floats::RoundTo<FloatType::kBF16>(df, x);
  } else {
    r = RoundToStep(df, x, ExponentOf<kKind>(x, grid), grid.min_exponent, grid.mantissa_bits);
  }
  if (HWY_UNLIKELY(overflows)) {
    r = hn::IfThenElse(hn::Gt(hn::Abs(r), hn::Set(df, grid.largest)), hn::Set(df, grid.overflow), r);
  }
  const VF32 sign_bit = grid.unsigned_zero ? hn::Zero(df) : hn::SignBit(df);
  return hn::Or(r, hn::And(sign_bit, sign));
}

}  // namespace round_float

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_ROUND_FLOAT_INL_H_
