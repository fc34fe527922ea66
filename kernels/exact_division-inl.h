// Per-target: the bits of a division at the price of three multiplications.
//
// With i = fl(1 / s), p = fl(x * i), e = fl(x - p * s) (one fused operation) and t = fl(p + e * i) (one more), t is
// fl(x / s) wherever nothing overflows or underflows. Proof, with mantissas x, s in [1, 2), u = 2^-24, ulp(2/3) = u:
// - x >= s: the error of p is at most (x/2 + 1) / 2 < 1 ulp of the quotient, so e is exact and Markstein's theorem
//   (IBM J. Res. Dev. 34, 1990) holds: i is correctly rounded, p faithful, hence t = fl(x / s).
// - x < s: the error of p is at most (x + 1) / 2 ulp, up to 1.5. What is left after the correction is below 2 u ulp,
//   so that t could only be wrong where x / s is that close to the middle of two floats (it never is the middle).
//   Next to p that is half an ulp away, where Markstein's argument holds as before. The other middle is 1.5 ulp away,
//   so that (x + 1) / 2 > 1.5 - 2 u: x, and s above it, are among the last eight floats below 2. All 28 such
//   quotients are right; the test divides them.
// Callers see to the range: |x / s| <= 2^22 and 2^-60 <= s <= 2^60, so that nothing overflows. Where |t| >= 2^-26, p
// and s have no bit below 2^-109 and e is exact as above. Smaller quotients are within 2^-80 of the true one, but not
// always its bits: less than any caller sees, who rounds t, or t - 1/2, to an integer.
// Infinities and NaN: x infinite gives NaN, which callers prevent by clamping x; NaN gives NaN.

#if defined(LANEQUANT_KERNELS_EXACT_DIVISION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_EXACT_DIVISION_INL_H_
#undef LANEQUANT_KERNELS_EXACT_DIVISION_INL_H_
#else
#define LANEQUANT_KERNELS_EXACT_DIVISION_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/quantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace exact_division {

using quantize::VF32;

// Scales that a caller may pass.
constexpr float kSmallestDivisor = 0x1p-60f, kLargestDivisor = 0x1p60f;

// A float that all lanes use, for a few vectors only. AVX-512 broadcasts it within each operation that takes it from
// memory, for nothing; into a register of its own it takes Zen 4 as long as a multiplication (blocks of 32: 10.4
// against 9.0 G elements/s). So it is loaded for each use, which g++ undoes unless the address is opaque. Elsewhere it
// is in a register.
#undef LQ_BROADCAST_OPERANDS
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3 && HWY_COMPILER_GCC_ACTUAL
#define LQ_BROADCAST_OPERANDS 1
#else
#define LQ_BROADCAST_OPERANDS 0
#endif

HWY_INLINE VF32 Get(VF32 v) { return v; }
#if LQ_BROADCAST_OPERANDS
struct Broadcast {
  const float* value;
};
HWY_INLINE Broadcast MakeBroadcast(const float* value) { return {value}; }
HWY_INLINE VF32 Get(Broadcast v) {
  asm volatile("" : "+r"(v.value));
  return hn::Set(hn::DFromV<VF32>(), *v.value);
}
#else
using Broadcast = VF32;
HWY_INLINE Broadcast MakeBroadcast(const float* value) { return hn::Set(hn::DFromV<VF32>(), *value); }
#endif

// fl(x / s), inverse = fl(1 / s). F: VF32 or Broadcast. Targets without a fused multiply-add divide.
template <class F>
HWY_INLINE VF32 Quotient(VF32 x, F s, F inverse) {
#if HWY_NATIVE_FMA
  const VF32 p = hn::Mul(x, Get(inverse));
  const VF32 e = hn::NegMulAdd(p, Get(s), x);
  return hn::MulAdd(Get(inverse), e, p);
#else
  (void)inverse;
  return hn::Div(x, Get(s));
#endif
}

}  // namespace exact_division

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_EXACT_DIVISION_INL_H_
