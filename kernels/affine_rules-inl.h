// Per-target: float -> units of the scale, the fast way. With the offset o and the shift h (0 or 1/2) of an element, a
// unit is q + o, what the code q stands for.
//
// The definitions (contracts_quantize.h) clamp last, or clamp the value; these clamp the value in any case, to
// low = fl(s * (qmin + o + h)) and high = fl(s * (qmax + o + h)). That gives the same code, as every step is monotone
// and low and high themselves give qmin and qmax: within the limits below their quotients are less than 1/4 from
// qmin + o + h and qmax + o + h (three roundings of 2^-24 times 2^21), or, rounded to 16 bits, exactly that. It also
// keeps infinities and overflows away from the division.

#if defined(LANEQUANT_KERNELS_AFFINE_RULES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_AFFINE_RULES_INL_H_
#undef LANEQUANT_KERNELS_AFFINE_RULES_INL_H_
#else
#define LANEQUANT_KERNELS_AFFINE_RULES_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/contracts_quantize.h"
#include "kernels/exact_division-inl.h"
#include "kernels/quantize-inl.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace affine {

using quantize::D32;
using quantize::DF32;
using quantize::V32;
using quantize::VF32;

enum class Rule {
  kDivide,       // aimet_div and onnx, no shift
  kDivideShift,  // aimet_div with h
  kDivideF16,    // aimet_div and onnx in float16, no shift
  kDivideBF16,
  kReciprocal,  // aimet_fakequant
  kHalfUp,      // aimet_onnx
};

// Units within +-UnitLimit are exact in the arithmetic, as is what the proof above needs.
constexpr int64_t UnitLimit(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kF16 ? 1 << 11 : arithmetic == Arithmetic::kBF16 ? 1 << 8 : 1 << 21;
}

// x within low..high. NaN -> low, or NaN where kKeepNan.
template <bool kKeepNan>
HWY_INLINE VF32 Inside(VF32 x, VF32 low, VF32 high) {
  if constexpr (kKeepNan) return quantize::Smaller(high, quantize::Larger(low, x));
  return quantize::Clamp(x, low, high);
}

// What R(R(x) / R(s)) is in a type of kBits bits behind the first, from inverse = fl(1 / s): right for all but
// subnormal numbers, which no caller tells from 0. The product rounds as the quotient does, and is no tie, so that
// adding half a place rounds it: the middle m of two results has one bit more than they have, x - m * s is a multiple
// of the last place of m * s and not 0 (no quotient of two such numbers is such a middle), so that x / s is more than
// 2^-23 from m, relative to that, for 11 bits (4095 * 2047 < 2^23), and the product less than that from x / s. NaN
// stays NaN, as its last bits are 0.
template <int kBits>
HWY_INLINE VF32 RoundedQuotient(VF32 x, VF32 inverse) {
  const D32 d;
  const V32 t = hn::BitCast(d, hn::Mul(x, inverse));
  constexpr int32_t kPlace = 1 << (23 - kBits);
  return hn::BitCast(DF32(), hn::And(hn::Add(t, hn::Set(d, kPlace / 2)), hn::Set(d, -kPlace)));
}

// What is rounded next. F, here and below: VF32 or exact_division::Broadcast. kHalfUp counts from the lowest unit up:
// first = qmin + o + h.
template <Rule kRule, class F>
HWY_INLINE VF32 Quotient(VF32 inside, F s, F inverse, VF32 shift, VF32 first) {
  const DF32 df;
  if constexpr (kRule == Rule::kReciprocal) return hn::Mul(inside, exact_division::Get(inverse));
  if constexpr (kRule == Rule::kDivideF16) return RoundedQuotient<10>(inside, exact_division::Get(inverse));
  if constexpr (kRule == Rule::kDivideBF16) return RoundedQuotient<7>(inside, exact_division::Get(inverse));
  const VF32 t = exact_division::Quotient(inside, s, inverse);
  if constexpr (kRule == Rule::kDivideShift) return hn::Sub(t, shift);
  // The float below 1/2: quantize-inl.h says why.
  if constexpr (kRule == Rule::kHalfUp) return hn::Add(hn::Sub(t, first), hn::Set(df, 0.49999997f));
  return t;
}

// 1.5 * 2^23: added to a float of less than 2^22, it leaves its nearest integer, ties to even, in the low bits.
constexpr float kMagic = 12582912.0f;
constexpr int32_t kMagicBits = 0x4B400000;

// Code = CodeBits - CodeBase.
template <Rule kRule>
HWY_INLINE V32 CodeBits(VF32 t) {
  if constexpr (kRule == Rule::kHalfUp) return hn::ConvertInRangeTo(D32(), t);
  return hn::BitCast(D32(), hn::Add(t, hn::Set(DF32(), kMagic)));
}
template <Rule kRule>
constexpr int32_t CodeBase(int32_t offset, int32_t qmin) {
  return kRule == Rule::kHalfUp ? -qmin : kMagicBits + offset;
}

// fl((unit + h) * s) of the element whose Quotient is t. Zeros are positive, as those of integers are.
template <Rule kRule, class F>
HWY_INLINE VF32 Value(VF32 t, F scale, VF32 shift, VF32 first) {
  const DF32 df;
  const VF32 s = exact_division::Get(scale);
  if constexpr (kRule == Rule::kHalfUp) return hn::Mul(hn::Add(hn::Floor(t), first), s);
#if HWY_NATIVE_FMA
  const VF32 unit = hn::Round(t);
  if constexpr (kRule == Rule::kDivideShift) return hn::Mul(hn::Add(unit, shift), s);
  return hn::MulAdd(unit, s, hn::Zero(df));
#else
  const VF32 magic = hn::Set(df, kMagic);
  const VF32 unit = hn::Sub(hn::Add(t, magic), magic);
  if constexpr (kRule == Rule::kDivideShift) return hn::Mul(hn::Add(unit, shift), s);
  return hn::Mul(unit, s);
#endif
}

#if HWY_NATIVE_FMA
// Value under kDivideF16 and kDivideBF16; one = 1, back = fl(-kMagic * s), which is exact, as s has up to 11 bits. Two
// products instead of a rounding and one: Zen 4 rounds on the pipes that convert and clamp, which these loops keep busy
// (blocks of 64 in the L2 cache: 4 % faster).
HWY_INLINE VF32 ValueByProducts(VF32 t, VF32 s, VF32 one, VF32 back) {
  return hn::MulAdd(hn::MulAdd(t, one, hn::Set(DF32(), kMagic)), s, back);
}
#endif

}  // namespace affine

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_AFFINE_RULES_INL_H_
