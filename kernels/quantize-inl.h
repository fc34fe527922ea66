// Per-target: vectors of float -> codes by the rules of exact_simulator.md 2, and codes in memory <-> vectors of int32.
//
// The order of the steps differs from the definition where that cannot change a code:
// - aimet_div, aimet_fakequant: clamp(rint(t) - o, lo, hi) = rint(clamp(t, lo + o, hi + o)) - o, because rint is
//   monotone and keeps integers. |q + o| <= 2^24, so that both bounds are floats, and what is converted fits int32.
// - aimet_onnx: likewise floor(t + 1/2) of t clamped to [lo - qmin, hi - qmin].
// - Clamps take the lower bound unless the value is greater: NaN -> lo.

#if defined(LANEQUANT_KERNELS_QUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_QUANTIZE_INL_H_
#undef LANEQUANT_KERNELS_QUANTIZE_INL_H_
#else
#define LANEQUANT_KERNELS_QUANTIZE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize {

using DF32 = hn::CappedTag<float, 16>;
using D32 = hn::RebindToSigned<DF32>;
using VF32 = hn::Vec<DF32>;
using V32 = hn::Vec<D32>;

// The integers that go with a scale and an offset, as in QuantizeTo.
struct Bounds {
  int32_t qmin, qmax, lo, hi;
};

// a > b ? a : b, and a < b ? a : b. So b where they are equal (zeros of either sign) or one is NaN.
HWY_INLINE VF32 Larger(VF32 a, VF32 b) {
#if HWY_TARGET <= HWY_SSE2
  return hn::Max(a, b);  // what x86 defines; others do not
#else
  return hn::IfThenElse(hn::Gt(a, b), a, b);
#endif
}
HWY_INLINE VF32 Smaller(VF32 a, VF32 b) {
#if HWY_TARGET <= HWY_SSE2
  return hn::Min(a, b);
#else
  return hn::IfThenElse(hn::Lt(a, b), a, b);
#endif
}

// NaN -> low.
HWY_INLINE VF32 Clamp(VF32 v, VF32 low, VF32 high) { return Smaller(Larger(v, low), high); }

// Nearest integer, ties to even, of what fits int32: NearestInt spends two more operations of x86 on what does not.
HWY_INLINE V32 RoundToInt(VF32 v) {
#if HWY_TARGET <= HWY_SSE4
  return hn::ConvertInRangeTo(D32(), hn::Round(v));
#else
  return hn::NearestInt(v);
#endif
}

// What ToCodes takes for a scale.
template <RoundingProfile kProfile>
HWY_INLINE VF32 Factor(VF32 scale) {
  return kProfile == RoundingProfile::kAimetFakequant ? hn::Div(hn::Set(DF32(), 1.0f), scale) : scale;
}

template <RoundingProfile kProfile>
HWY_INLINE V32 ToCodes(VF32 x, VF32 factor, V32 offset, const Bounds& bounds) {
  const DF32 df;
  const D32 d;
  if constexpr (kProfile == RoundingProfile::kAimetOnnx) {
    const VF32 lowest = hn::ConvertTo(df, hn::Add(offset, hn::Set(d, bounds.qmin)));
    const VF32 steps = hn::Set(df, static_cast<float>(bounds.qmax - bounds.qmin));
    const VF32 inside = Clamp(x, hn::Mul(factor, lowest), hn::Mul(factor, hn::Add(lowest, steps)));
    const VF32 t =
        Clamp(hn::Sub(hn::Div(inside, factor), lowest), hn::Set(df, static_cast<float>(bounds.lo - bounds.qmin)),
              hn::Set(df, static_cast<float>(bounds.hi - bounds.qmin)));
    // Halves go up: t >= 0, so that truncation is floor. The addend is the float below 1/2, because 1/2 itself would
    // take the float below 1/2 to 1. From 1/2 on the sum rounds as that with 1/2 would, up to the integer or away from
    // it.
    const V32 units = hn::ConvertInRangeTo(d, hn::Add(t, hn::Set(df, 0.49999997f)));
    return hn::Add(units, hn::Set(d, bounds.qmin));
  } else {
    const VF32 t = kProfile == RoundingProfile::kAimetFakequant ? hn::Mul(x, factor) : hn::Div(x, factor);
    const VF32 low = hn::ConvertTo(df, hn::Add(offset, hn::Set(d, bounds.lo)));
    const VF32 high = hn::ConvertTo(df, hn::Add(offset, hn::Set(d, bounds.hi)));
    return hn::Sub(RoundToInt(Clamp(t, low, high)), offset);
  }
}

// fl32((q + offset) * scale): the sum is at most 2^24, so that one rounding is left.
HWY_INLINE VF32 ToValues(V32 codes, VF32 scale, V32 offset) {
  return hn::Mul(hn::ConvertTo(DF32(), hn::Add(codes, offset)), scale);
}

// ---- Memory. T: uint8_t, int8_t, uint16_t or int16_t (to load also int32_t); codes fit T.
// ---------------------------------------------------

// The first `left` lanes, if these are fewer than a vector has: masked accesses are slow on Zen 4, hence only where
// they must be. By bytes, because callers' tensors lie anywhere, and LoadN reads single elements of vectors of four
// where they have to be aligned.
template <class D>
HWY_INLINE hn::Vec<D> LoadUpTo(D d, const hn::TFromD<D>* p, size_t left) {
  if (HWY_LIKELY(left >= hn::Lanes(d))) return hn::LoadU(d, p);
  const hn::Repartition<uint8_t, D> bytes;
  return hn::BitCast(d, hn::LoadN(bytes, reinterpret_cast<const uint8_t*>(p), left * sizeof(hn::TFromD<D>)));
}

template <class D>
HWY_INLINE void StoreUpTo(hn::Vec<D> v, D d, hn::TFromD<D>* p, size_t left) {
  if (HWY_LIKELY(left >= hn::Lanes(d))) {
    hn::StoreU(v, d, p);
  } else {
    const hn::Repartition<uint8_t, D> bytes;
    hn::StoreN(hn::BitCast(bytes, v), bytes, reinterpret_cast<uint8_t*>(p), left * sizeof(hn::TFromD<D>));
  }
}

template <class T>
HWY_INLINE V32 LoadCodes(const T* p, size_t left) {
  const auto codes = LoadUpTo(hn::Rebind<T, D32>(), p, left);
  if constexpr (sizeof(T) == 4) {
    return codes;
  } else {
    return hn::PromoteTo(D32(), codes);
  }
}

template <class T>
HWY_INLINE void StoreCodes(V32 codes, T* p, size_t left) {
  const hn::Rebind<T, D32> narrow;
  StoreUpTo(hn::DemoteTo(narrow, codes), narrow, p, left);
}

// Four vectors, in order.
template <class T>
HWY_INLINE void StoreCodes4(V32 v0, V32 v1, V32 v2, V32 v3, T* p) {
  if constexpr (sizeof(T) == 2) {
    const hn::Repartition<T, D32> d16;
    hn::StoreU(hn::OrderedDemote2To(d16, v0, v1), d16, p);
    hn::StoreU(hn::OrderedDemote2To(d16, v2, v3), d16, p + hn::Lanes(d16));
  } else {
    const hn::Repartition<int16_t, D32> d16;
    const hn::Repartition<T, D32> d8;
    const auto low = hn::OrderedDemote2To(d16, v0, v1), high = hn::OrderedDemote2To(d16, v2, v3);
    hn::StoreU(hn::OrderedDemote2To(d8, low, high), d8, p);
  }
}

}  // namespace quantize

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_QUANTIZE_INL_H_
