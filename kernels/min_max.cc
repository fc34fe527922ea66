// Smallest and largest value of each group of elements.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/min_max.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "kernels/block_groups-inl.h"
#include "kernels/contracts_min_max.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

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

// Lanes are groups: what was found goes to min and max.
HWY_INLINE void JoinLanes(const Extremes& found, float* min, float* max) {
  const D d;
  const V low = hn::LoadU(d, min), high = hn::LoadU(d, max), zero = hn::Zero(d);
  const M nan = hn::Or(found.nan, hn::IsNaN(low));
  const V quiet = hn::Set(d, std::numeric_limits<float>::quiet_NaN());
  hn::StoreU(hn::IfThenElse(nan, quiet, hn::Add(hn::Min(low, found.min), zero)), d, min);
  hn::StoreU(hn::IfThenElse(nan, quiet, hn::Add(hn::Max(high, found.max), zero)), d, max);
}

// As many groups as there are lanes, side by side, each of `run` elements: a multiple of the lanes.
template <FloatType kType>
HWY_INLINE void SeveralGroups(const small_floats::Element<kType>* in, size_t run, float* min, float* max) {
  constexpr size_t kMost = block_groups::kMaxLanes * block_groups::kMaxLanes;
  const D d;
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN float mins[kMost];
  HWY_ALIGN float maxs[kMost];
  M nan = hn::MaskFalse(d);
  for (size_t k = 0; k < lanes; ++k) {
    Extremes found = NoValues();
    for (size_t i = 0; i < run; i += lanes) found.Add(small_floats::Load<kType>(d, in + k * run + i, lanes));
    hn::Store(found.min, d, mins + k * lanes);
    hn::Store(found.max, d, maxs + k * lanes);
    nan = hn::Or(nan, found.nan);
  }
  if (HWY_LIKELY(hn::AllFalse(d, nan))) {
    const V low = block_groups::ReduceEach(d, mins, [](V a, V b) HWY_ATTR { return hn::Min(a, b); });
    const V high = block_groups::ReduceEach(d, maxs, [](V a, V b) HWY_ATTR { return hn::Max(a, b); });
    return JoinLanes({low, high, nan}, min, max);
  }
  for (size_t k = 0; k < lanes; ++k) OneGroup<kType>(in + k * run, run, min + k, max + k);
}

// Element i of each of `rows` rows, `pitch` elements apart, belongs to group i < n.
template <FloatType kType>
HWY_INLINE void EachItsGroup(const small_floats::Element<kType>* in, size_t rows, size_t pitch, size_t n, float* min,
                             float* max) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    Extremes found = NoValues();
    for (size_t row = 0; row < rows; ++row) found.Add(small_floats::Load<kType>(d, in + row * pitch + i, lanes));
    JoinLanes(found, min + i, max + i);
  }
  for (; i < n; ++i) {
    for (size_t row = 0; row < rows; ++row) FewOfOneGroup<kType>(in + row * pitch + i, 1, min + i, max + i);
  }
}

// Four rows at a time: what is loaded and stored most are min and max, and with thousands of groups these fill the L1
// cache.
template <FloatType kType>
HWY_INLINE void RunRows(const MinMaxArgs& args) {
  const auto* in = static_cast<const small_floats::Element<kType>*>(args.in);
  for (size_t i = 0; i < args.n;) {
    const size_t rows = args.n - i >= 4 * args.count ? 4 : 1, n = std::min(args.count, args.n - i);
    EachItsGroup<kType>(in + i, rows, args.count, n, args.min, args.max);
    i += rows * n;
  }
}

template <FloatType kType>
void Run(const MinMaxArgs& args) {
  constexpr size_t kFar = 1 << 17, kShort = 256;  // bytes of a tensor, elements of a group
  const size_t run = args.count == 1 ? args.n : args.run, lanes = hn::Lanes(D());
  if (run == 1) return RunRows<kType>(args);
  const auto* in = static_cast<const small_floats::Element<kType>*>(args.in);
  const bool several = run % lanes == 0 && run <= kShort, far = args.n * sizeof(*in) >= kFar;
  size_t group = 0;
  for (size_t i = 0; i < args.n;) {
    const bool together = several && group + lanes <= args.count && args.n - i >= lanes * run;
    const size_t groups = together ? lanes : 1, n = std::min(groups * run, args.n - i);
    if (together) {
      if (far) stream::PrefetchAhead(in + i, n * sizeof(*in));
      SeveralGroups<kType>(in + i, run, args.min + group, args.max + group);
    } else {
      OneGroup<kType>(in + i, n, args.min + group, args.max + group);
    }
    i += n;
    group = group + groups == args.count ? 0 : group + groups;
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
