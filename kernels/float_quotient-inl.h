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
  kMultiplied,  // by 1 / s, exact: s is a power of two, such as the 1 of quantizers that are not calibrated
  kCorrected,   // exact_division-inl.h
};

// exact_division-inl.h gives up bits below 2^-26, which here are far below half a step, 2^-25 at least. x is clamped
// before the division instead of after it: that moves a quotient at the limit by 2^-24 of itself, and rounding takes it
// to the limit, a value of the grid with few digits, all the same.
template <GridKind kKind, FloatType kRound>
Division DivisionOf(float scale, const FloatGrid& grid) {
  if (scale < exact_division::kSmallestDivisor || scale > exact_division::kLargestDivisor) return Division::kDivided;
  if ((hwy::BitCastScalar<uint32_t>(scale) & 0x7FFFFF) == 0) return Division::kMultiplied;
  if (kKind != GridKind::kPlain || kRound == FloatType::kBF16) return Division::kDivided;
  const bool corrected = grid.limit <= 0x1p22f && grid.min_exponent - grid.mantissa_bits >= -24;
  return corrected ? Division::kCorrected : Division::kDivided;
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
