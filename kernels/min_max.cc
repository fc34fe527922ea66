// Smallest and largest value of each group of elements.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/min_max.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "kernels/contracts_min_max.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace min_max {

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
using M = hn::Mask<D>;

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

HWY_INLINE void Join(const Extremes& found, float* min, float* max) {
  const D d;
  if (HWY_UNLIKELY(!hn::AllFalse(d, found.nan)) || *min != *min) {
    *min = *max = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  *min = std::min(*min, hn::ReduceMin(d, found.min)) + 0.0f;  // a zero of either sign becomes +0
  *max = std::max(*max, hn::ReduceMax(d, found.max)) + 0.0f;
}

// Fewer elements than a vector has, 1 at least.
template <FloatType kType>
HWY_INLINE void FewOfOneGroup(const small_floats::Element<kType>* in, size_t n, float* min, float* max) {
  const D d;
  const V v = small_floats::Load<kType>(d, in, n);
  Extremes found = NoValues();
  const M used = hn::FirstN(d, n);
  found.min = hn::IfThenElse(used, v, found.min);
  found.max = hn::IfThenElse(used, v, found.max);
  found.nan = hn::IsNaN(v);  // the lanes not used are 0
  Join(found, min, max);
}

template <FloatType kType>
HWY_INLINE void OneGroup(const small_floats::Element<kType>* in, size_t n, float* min, float* max) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  if (n < lanes) return FewOfOneGroup<kType>(in, n, min, max);
  const auto load = [&](size_t i) HWY_ATTR { return small_floats::Load<kType>(d, in + i, lanes); };
  Extremes a = NoValues(), b = a;  // two, so that their chains overlap
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a.Add(load(i));
    b.Add(load(i + lanes));
    a.Add(load(i + 2 * lanes));
    b.Add(load(i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) a.Add(load(i));
  if (i < n) b.Add(load(n - lanes));  // may overlap the one before: nothing changes if an element counts twice
  Join({hn::Min(a.min, b.min), hn::Max(a.max, b.max), hn::Or(a.nan, b.nan)}, min, max);
}

// Element i belongs to group i: min and max are vectors, too.
template <FloatType kType>
HWY_INLINE void EachItsGroup(const small_floats::Element<kType>* in, size_t n, float* min, float* max) {
  const D d;
  const V zero = hn::Zero(d);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    const V v = small_floats::Load<kType>(d, in + i, hn::Lanes(d));
    const V low = hn::LoadU(d, min + i), high = hn::LoadU(d, max + i);
    const M nan = hn::Or(hn::IsNaN(v), hn::IsNaN(low));
    const V sum = hn::Add(v, low);  // NaN where one is
    hn::StoreU(hn::IfThenElse(nan, sum, hn::Add(hn::Min(low, v), zero)), d, min + i);
    hn::StoreU(hn::IfThenElse(nan, sum, hn::Add(hn::Max(high, v), zero)), d, max + i);
  }
  for (; i < n; ++i) FewOfOneGroup<kType>(in + i, 1, min + i, max + i);
}

template <FloatType kType>
void Run(const MinMaxArgs& args) {
  const auto* in = static_cast<const small_floats::Element<kType>*>(args.in);
  const size_t run = args.count == 1 ? args.n : args.run;
  const size_t step = run == 1 ? args.count : run;
  size_t group = 0;
  for (size_t i = 0; i < args.n; i += step) {
    const size_t n = std::min(step, args.n - i);
    if (run == 1) {
      EachItsGroup<kType>(in + i, n, args.min, args.max);
    } else {
      OneGroup<kType>(in + i, n, args.min + group, args.max + group);
      group = group + 1 == args.count ? 0 : group + 1;
    }
  }
}

}  // namespace min_max

void MinMax(const MinMaxArgs& args) {
  switch (args.type) {
    case FloatType::kF32:
      return min_max::Run<FloatType::kF32>(args);
    case FloatType::kF16:
      return min_max::Run<FloatType::kF16>(args);
    case FloatType::kBF16:
      return min_max::Run<FloatType::kBF16>(args);
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
