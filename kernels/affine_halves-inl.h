// Per-target: units of tensors of float16 and bfloat16 by one multiplication instead of a division, under scales for
// which every one of their few values has the division's unit that way.
//
// That is decided by the values next to the ties. Where rint(fl(x / s)) and rint(x * fl(1 / s)) differ, a tie t = k +
// 1/2 is not beyond both quotients, so that x is within 2^-22 of t * s, relative to that. Values of 11 or 8 bits are at
// least 2^-11 apart: x is the one nearest to fl(t * s). One value for each tie has to be tried: 128 for signed codes of
// 8 bits.

#if defined(LANEQUANT_KERNELS_AFFINE_HALVES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_AFFINE_HALVES_INL_H_
#undef LANEQUANT_KERNELS_AFFINE_HALVES_INL_H_
#else
#define LANEQUANT_KERNELS_AFFINE_HALVES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/affine_rules-inl.h"
#include "kernels/affine_scales-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace affine {

// kMagic + rint(x * inverse), exact but for the last rounding where there are fused operations; |x * inverse| < 2^22.
HWY_INLINE VF32 MultipliedUnit(VF32 x, VF32 inverse) { return hn::MulAdd(x, inverse, hn::Set(DF32(), kMagic)); }

// Whether MultipliedUnit is right for all values of kType whose units are within +-largest.
template <FloatType kType>
HWY_INLINE bool UnitsMultiply(float scale, float largest) {
  const DF32 df;
  const VF32 s = hn::Set(df, scale), inverse = hn::Set(df, 1.0f / scale), magic = hn::Set(df, kMagic);
  VF32 tie = hn::Add(hn::Iota(df, 0), hn::Set(df, 0.5f));
  const VF32 step = hn::Set(df, static_cast<float>(hn::Lanes(df)));
  for (float first = 0; first <= largest; first += static_cast<float>(hn::Lanes(df)), tie = hn::Add(tie, step)) {
    const VF32 x = small_floats::RoundTo<kType>(df, hn::Mul(tie, s));
    const auto same = hn::Eq(hn::Add(hn::Div(x, s), magic), MultipliedUnit(x, inverse));
    if (!hn::AllTrue(df, same)) return false;
  }
  return true;
}

// Elements to each scale.
template <class Args>
HWY_INLINE size_t RunOf(const Args& args) {
  return args.layout.count == 1 ? args.n : args.layout.run;
}

// Of up to kGroup runs.
template <FloatType kType>
class MultipliedRuns {
 public:
  // run: elements of each. Shorter ones than kWorthIt are not looked at.
  void Fill(const float* scale, const int32_t* offset, size_t n, size_t run, const Units& units) {
    if (run < kWorthIt) return;
    for (size_t k = 0; k < n; ++k) {
      const float origin = static_cast<float>(offset[k]);
      const float largest = std::max(std::fabs(origin + units.first), std::fabs(origin + units.last));
      multiply_[k] = largest <= kMostUnits && UnitsMultiply<kType>(scale[k], largest);
    }
  }
  bool Multiply(size_t k) const { return multiply_[k]; }

 private:
  static constexpr size_t kWorthIt = 4096;
  static constexpr float kMostUnits = 512;

  bool multiply_[kGroup] = {};
};

}  // namespace affine

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_AFFINE_HALVES_INL_H_
