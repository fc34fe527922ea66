// Per-target: x / s on its way to the grid of a small float format, the fastest way that its one scale s allows.

#if defined(LANEQUANT_KERNELS_FLOAT_QUOTIENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_FLOAT_QUOTIENT_INL_H_
#undef LANEQUANT_KERNELS_FLOAT_QUOTIENT_INL_H_
#else
#define LANEQUANT_KERNELS_FLOAT_QUOTIENT_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/contracts_float.h"
#include "kernels/exact_division-inl.h"
#include "kernels/round_float-inl.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace float_quotient {

using round_float::DF32;
using round_float::GridKind;
using round_float::VF32;

enum class Division {
  kDivided,
  kMultiplied,  // by 1 / s: s is a power of two, such as the 1 of quantizers that are not calibrated, or see below
  kCorrected,   // exact_division-inl.h
};

// The nearest number of as many bits as those of kIn, whatever its exponent.
template <FloatType kIn>
HWY_INLINE VF32 NearestOf(VF32 x) {
  const DF32 df;
  constexpr int kBits = kIn == FloatType::kF16 ? 10 : 7;
  return round_float::RoundToStep(df, x, round_float::ExponentBits(df, x), -126, kBits);
}

// Whether x * fl(1 / s) rounds to the grid as fl(x / s) does, for all float16 or bfloat16 x. Where they differ, a
// middle of two values of the grid is not beyond both quotients, so that x is within 2^-22 of that middle times s,
// relative to it: x is the value of 11 or 8 bits that is nearest to it. Powers of two change nothing, so that one x has
// to be tried for each odd number below 2^(mantissa_bits + 2).
template <FloatType kIn>
HWY_INLINE bool RoundsAlike(float scale, const FloatGrid& grid) {
  constexpr int kMostBits = 3;  // one vector of numbers, or four
  if (kIn == FloatType::kF32 || grid.mantissa_bits > kMostBits) return false;
  const DF32 df;
  const VF32 s = hn::Set(df, scale), inverse = hn::Set(df, 1.0f / scale);
  const int end = 4 << grid.mantissa_bits;
  for (int first = 1; first < end; first += 2 * static_cast<int>(hn::Lanes(df))) {
    const VF32 steps = hn::Iota(df, 0), middle = hn::Add(hn::Add(steps, steps), hn::Set(df, static_cast<float>(first)));
    const VF32 x = NearestOf<kIn>(hn::Mul(middle, s));
    const VF32 divided = hn::Div(x, s), multiplied = hn::Mul(x, inverse);
    const auto below = hn::Xor(hn::Lt(divided, middle), hn::Lt(multiplied, middle));
    const auto above = hn::Xor(hn::Gt(divided, middle), hn::Gt(multiplied, middle));
    if (!hn::AllFalse(df, hn::Or(below, above))) return false;
  }
  return true;
}

// exact_division-inl.h gives up bits below 2^-26, which here are far below half a step, 2^-25 at least. x is clamped
// before the division instead of after it: that moves a quotient at the limit by 2^-24 of itself, and rounding takes it
// to the limit, a value of the grid with few digits, all the same.
HWY_INLINE bool MayCorrect(const FloatGrid& grid) {
  return grid.limit <= 0x1p22f && grid.min_exponent - grid.mantissa_bits >= -24;
}

template <GridKind kKind, FloatType kIn, FloatType kRound>
Division DivisionOf(float scale, const FloatGrid& grid) {
  if (scale < exact_division::kSmallestDivisor || scale > exact_division::kLargestDivisor) return Division::kDivided;
  if ((hwy::BitCastScalar<uint32_t>(scale) & 0x7FFFFF) == 0) return Division::kMultiplied;
  if (kKind != GridKind::kPlain || kRound == FloatType::kBF16) return Division::kDivided;
  if (!MayCorrect(grid)) return Division::kDivided;
  return kRound == FloatType::kF32 && RoundsAlike<kIn>(scale, grid) ? Division::kMultiplied : Division::kCorrected;
}

// R(x / s), within the limit. NaN stays NaN.
template <Division kDivision, FloatType kRound>
HWY_INLINE VF32 Quotient(VF32 x, VF32 scale, VF32 inverse, VF32 limit) {
  const DF32 df;
  if constexpr (kDivision == Division::kCorrected) {
    const VF32 inside = round_float::Limit(x, hn::Mul(limit, scale));
    return small_floats::RoundTo<kRound>(df, exact_division::Quotient(inside, scale, inverse));
  } else {
    const VF32 t = kDivision == Division::kMultiplied ? hn::Mul(x, inverse) : hn::Div(x, scale);
    return round_float::Limit(small_floats::RoundTo<kRound>(df, t), limit);
  }
}

}  // namespace float_quotient

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_FLOAT_QUOTIENT_INL_H_
