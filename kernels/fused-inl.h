// Per-target: a * b + c with one rounding, on every target. Where the CPU has no fused operation, binary64 holds the
// product (48 bits) exactly; the sum, rounded to odd there (53 bits >= 2 * 24 + 2), rounds to the same float as the
// exact one.

#if defined(LANEQUANT_KERNELS_FUSED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_FUSED_INL_H_
#undef LANEQUANT_KERNELS_FUSED_INL_H_
#else
#define LANEQUANT_KERNELS_FUSED_INL_H_
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace fused {

using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;

#if HWY_NATIVE_FMA

HWY_INLINE VF MulAdd(VF a, VF b, VF c) { return hn::MulAdd(a, b, c); }

#elif HWY_HAVE_FLOAT64 && HWY_TARGET != HWY_EMU128  // whose conversion to float saturates

using D64 = hn::Repartition<double, DF>;
using V64 = hn::Vec<D64>;

// a * b + c to odd: where the nearest double is not the sum, the last bit of the result is set.
HWY_INLINE V64 MulAddToOdd(V64 a, V64 b, V64 c) {
  const D64 d;
  const hn::RebindToSigned<D64> di;
  const V64 product = hn::Mul(a, b), sum = hn::Add(product, c);
  const V64 part = hn::Sub(sum, product);
  const V64 error =
      hn::Add(hn::Sub(product, hn::Sub(sum, part)), hn::Sub(c, part));  // exact; NaN where sum is not finite
  const auto bits = hn::BitCast(di, sum), one = hn::Set(di, 1);
  const auto inexact = hn::RebindMask(di, hn::Gt(hn::Abs(error), hn::Zero(d)));
  const auto is_even = hn::Eq(hn::And(bits, one), hn::Zero(di));
  // One step away from zero if the error has the sum's sign, else one towards it.
  const auto step = hn::Or(hn::ShiftRight<63>(hn::Xor(hn::BitCast(di, error), bits)), one);
  const auto odd = hn::IfThenElse(hn::And(inexact, is_even), hn::Add(bits, step), bits);
  return hn::BitCast(d, odd);
}

HWY_INLINE VF MulAdd(VF a, VF b, VF c) {
  const D64 d;
  const hn::Half<DF> half;
  const V64 low = MulAddToOdd(hn::PromoteLowerTo(d, a), hn::PromoteLowerTo(d, b), hn::PromoteLowerTo(d, c));
  const V64 high = MulAddToOdd(hn::PromoteUpperTo(d, a), hn::PromoteUpperTo(d, b), hn::PromoteUpperTo(d, c));
  return hn::Combine(DF(), hn::DemoteTo(half, high), hn::DemoteTo(half, low));
}

#else

HWY_INLINE VF MulAdd(VF a, VF b, VF c) {
  const DF df;
  HWY_ALIGN float lanes[3][hn::MaxLanes(DF())];
  hn::Store(a, df, lanes[0]);
  hn::Store(b, df, lanes[1]);
  hn::Store(c, df, lanes[2]);
  for (size_t i = 0; i < hn::Lanes(df); ++i) lanes[0][i] = std::fma(lanes[0][i], lanes[1][i], lanes[2][i]);
  return hn::Load(df, lanes[0]);
}

#endif

}  // namespace fused
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_FUSED_INL_H_
