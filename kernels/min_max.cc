// Smallest and largest value of each group of elements.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/min_max.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "kernels/contracts_min_max.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace min_max {

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
using M = hn::Mask<D>;

HWY_INLINE V Load(const float* p) { return hn::LoadU(D(), p); }
template <class T>  // hwy::float16_t, hwy::bfloat16_t
HWY_INLINE V Load(const T* p) {
  return hn::PromoteTo(D(), hn::LoadU(hn::Rebind<T, D>(), p));
}

// Targets differ in what Min makes of a NaN, so that it is looked for by itself.
struct Extremes {
  HWY_INLINE void Add(V v) {
    min = hn::Min(min, v);
    max = hn::Max(max, v);
    nan = hn::Or(nan, hn::IsNaN(v));
  }

  V min, max;
  M nan;
};

HWY_INLINE Extremes NoValues() {
  const D d;
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  return {infinity, hn::Neg(infinity), hn::MaskFalse(d)};
}

// A zero of either sign -> +0.
HWY_INLINE float Unsigned(float zero) { return zero + 0.0f; }

HWY_INLINE void Join(float low, float high, float* min, float* max) {
  if (low != low || *min != *min) {
    *min = *max = std::numeric_limits<float>::quiet_NaN();
  } else {
    *min = Unsigned(std::min(*min, low));
    *max = Unsigned(std::max(*max, high));
  }
}

// Fewer elements than a vector has.
template <class T>
HWY_INLINE void FewOfOneGroup(const T* in, size_t n, float* min, float* max) {
  for (size_t i = 0; i < n; ++i) {
    const float value = hwy::ConvertScalarTo<float>(in[i]);
    Join(value, value, min, max);
  }
}

template <class T>
HWY_INLINE void OneGroup(const T* in, size_t n, float* min, float* max) {
  const size_t lanes = hn::Lanes(D());
  if (n < lanes) return FewOfOneGroup(in, n, min, max);
  Extremes a = NoValues(), b = a;  // two, so that their chains overlap
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a.Add(Load(in + i));
    b.Add(Load(in + i + lanes));
    a.Add(Load(in + i + 2 * lanes));
    b.Add(Load(in + i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) a.Add(Load(in + i));
  if (i < n) b.Add(Load(in + n - lanes));  // the last vector may overlap the one before: an element may count twice
  const D d;
  if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Or(a.nan, b.nan)))) {
    *min = *max = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  Join(hn::ReduceMin(d, hn::Min(a.min, b.min)), hn::ReduceMax(d, hn::Max(a.max, b.max)), min, max);
}

// Element i belongs to group i: min and max are vectors, too.
template <class T>
HWY_INLINE void EachItsGroup(const T* in, size_t n, float* min, float* max) {
  const D d;
  const V zero = hn::Zero(d);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    const V v = Load(in + i), low = hn::LoadU(d, min + i), high = hn::LoadU(d, max + i);
    const M nan = hn::Or(hn::IsNaN(v), hn::IsNaN(low));
    const V sum = hn::Add(v, low);  // NaN where one is
    hn::StoreU(hn::IfThenElse(nan, sum, hn::Add(hn::Min(low, v), zero)), d, min + i);
    hn::StoreU(hn::IfThenElse(nan, sum, hn::Add(hn::Max(high, v), zero)), d, max + i);
  }
  for (; i < n; ++i) FewOfOneGroup(in + i, 1, min + i, max + i);
}

template <class T>
void Run(const MinMaxArgs& args) {
  const T* in = static_cast<const T*>(args.in);
  const size_t run = args.count == 1 ? args.n : args.run;
  const size_t step = run == 1 ? args.count : run;
  size_t group = 0;
  for (size_t i = 0; i < args.n; i += step) {
    const size_t n = std::min(step, args.n - i);
    if (run == 1) {
      EachItsGroup(in + i, n, args.min, args.max);
    } else {
      OneGroup(in + i, n, args.min + group, args.max + group);
      group = group + 1 == args.count ? 0 : group + 1;
    }
  }
}

}  // namespace min_max

void MinMax(const MinMaxArgs& args) {
  switch (args.type) {
    case FloatType::kF32:
      return min_max::Run<float>(args);
    case FloatType::kF16:
      return min_max::Run<hwy::float16_t>(args);
    case FloatType::kBF16:
      return min_max::Run<hwy::bfloat16_t>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MinMaxFn>> MinMaxVariants() {
  static const std::vector<Variant<MinMaxFn>> variants = Runnable<MinMaxFn>(LQ_VARIANTS(MinMax));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
