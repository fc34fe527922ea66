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

// Targets differ in what Min makes of a NaN, so that it is looked for by itself. Vectors of SVE are no members.
HWY_INLINE void Add(V v, V& low, V& high, M& nan) {
  low = hn::Min(low, v);
  high = hn::Max(high, v);
  nan = hn::Or(nan, hn::IsNaN(v));
}

HWY_INLINE V Infinity() { return hn::Set(D(), std::numeric_limits<float>::infinity()); }

HWY_INLINE void Join(V low, V high, M nan, float* min, float* max) {
  const D d;
  if (HWY_UNLIKELY(!hn::AllFalse(d, nan)) || *min != *min) {
    *min = *max = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  *min = std::min(*min, hn::ReduceMin(d, low)) + 0.0f;  // a zero of either sign becomes +0
  *max = std::max(*max, hn::ReduceMax(d, high)) + 0.0f;
}

// Fewer elements than a vector has, 1 at least.
template <FloatType kType>
HWY_INLINE void FewOfOneGroup(const small_floats::Element<kType>* in, size_t n, float* min, float* max) {
  const D d;
  const V v = small_floats::Load<kType>(d, in, n);
  const M used = hn::FirstN(d, n);
  const V low = hn::IfThenElse(used, v, Infinity()), high = hn::IfThenElse(used, v, hn::Neg(Infinity()));
  Join(low, high, hn::IsNaN(v), min, max);  // the lanes not used are 0
}

template <FloatType kType>
HWY_INLINE void OneGroup(const small_floats::Element<kType>* in, size_t n, float* min, float* max) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  if (n < lanes) return FewOfOneGroup<kType>(in, n, min, max);
  const auto load = [&](size_t i) HWY_ATTR { return small_floats::Load<kType>(d, in + i, lanes); };
  V low = Infinity(), high = hn::Neg(low), low2 = low, high2 = high;  // two, so that their chains overlap
  M nan = hn::MaskFalse(d), nan2 = nan;
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    Add(load(i), low, high, nan);
    Add(load(i + lanes), low2, high2, nan2);
    Add(load(i + 2 * lanes), low, high, nan);
    Add(load(i + 3 * lanes), low2, high2, nan2);
  }
  for (; i + lanes <= n; i += lanes) Add(load(i), low, high, nan);
  // May overlap the one before: nothing changes if an element counts twice.
  if (i < n) Add(load(n - lanes), low2, high2, nan2);
  Join(hn::Min(low, low2), hn::Max(high, high2), hn::Or(nan, nan2), min, max);
}

// Lanes are groups: what was found goes to min and max.
HWY_INLINE void JoinLanes(V low, V high, M nan, float* min, float* max) {
  const D d;
  const V lowest = hn::LoadU(d, min), highest = hn::LoadU(d, max), zero = hn::Zero(d);
  const M any = hn::Or(nan, hn::IsNaN(lowest));
  const V quiet = hn::Set(d, std::numeric_limits<float>::quiet_NaN());
  hn::StoreU(hn::IfThenElse(any, quiet, hn::Add(hn::Min(lowest, low), zero)), d, min);
  hn::StoreU(hn::IfThenElse(any, quiet, hn::Add(hn::Max(highest, high), zero)), d, max);
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
    V low = Infinity(), high = hn::Neg(low);
    for (size_t i = 0; i < run; i += lanes) {
      Add(small_floats::Load<kType>(d, in + k * run + i, lanes), low, high, nan);
    }
    hn::Store(low, d, mins + k * lanes);
    hn::Store(high, d, maxs + k * lanes);
  }
  if (HWY_LIKELY(hn::AllFalse(d, nan))) {
    const V low = block_groups::ReduceEach(d, mins, [](V a, V b) HWY_ATTR { return hn::Min(a, b); });
    const V high = block_groups::ReduceEach(d, maxs, [](V a, V b) HWY_ATTR { return hn::Max(a, b); });
    return JoinLanes(low, high, nan, min, max);
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
    V low = Infinity(), high = hn::Neg(low);
    M nan = hn::MaskFalse(d);
    for (size_t row = 0; row < rows; ++row) {
      Add(small_floats::Load<kType>(d, in + row * pitch + i, lanes), low, high, nan);
    }
    JoinLanes(low, high, nan, min + i, max + i);
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
