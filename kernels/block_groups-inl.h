// Per-target: blocks of whole vectors side by side in memory, as many at once as a vector has lanes. The largest
// magnitudes of the blocks come out of a tree of shuffles in the lanes of one vector, so that one set of operations
// finds the scales of all.

#if defined(LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_
#undef LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_
#else
#define LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/round_float-inl.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace block_groups {

using small_floats::Element;

constexpr size_t kMaxLanes = 16;

#if HWY_HAVE_SCALABLE
// Lane k: all lanes of vector k of `v` joined by `op`, as many vectors as lanes; destroys v.
template <class D, class Op>
HWY_INLINE hn::Vec<D> ReduceEach(D d, hn::TFromD<D>* v, const Op& op) {
  const size_t lanes = hn::Lanes(d);
  for (size_t vectors = lanes / 2; vectors != 0; vectors /= 2) {
    for (size_t k = 0; k < vectors; ++k) {
      const auto low = hn::Load(d, v + 2 * k * lanes), high = hn::Load(d, v + (2 * k + 1) * lanes);
      hn::Store(op(hn::ConcatEven(d, high, low), hn::ConcatOdd(d, high, low)), d, v + k * lanes);
    }
  }
  return hn::Load(d, v);
}
#else
// Joins the lanes of each 128-bit block of four vectors at `v`: lane j of a block is what is left of v[j]'s.
template <class D, class Op>
HWY_INLINE hn::Vec<D> ReduceBlocks(D d, const hn::TFromD<D>* v, const Op& op) {
  const hn::Repartition<uint64_t, D> d64;
  const size_t lanes = hn::Lanes(d);
  const auto pair = [&](size_t i) HWY_ATTR {
    const auto a = hn::Load(d, v + i * lanes), b = hn::Load(d, v + (i + 1) * lanes);
    return hn::BitCast(d64, op(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)));
  };
  const auto a = pair(0), b = pair(2);
  return op(hn::BitCast(d, hn::InterleaveLower(d64, a, b)), hn::BitCast(d, hn::InterleaveUpper(d64, a, b)));
}

// The same without a loop, which takes twice as long, and with shuffles within blocks first, the cheap ones.
template <class D, class Op>
HWY_INLINE hn::Vec<D> ReduceEach(D d, const hn::TFromD<D>* v, const Op& op) {
  constexpr size_t kLanes = HWY_MAX_LANES_D(D);
  const auto four = [&](size_t i) HWY_ATTR { return ReduceBlocks(d, v + i * kLanes, op); };
  if constexpr (kLanes == 4) return four(0);
  const auto halves = [&](hn::Vec<D> a, hn::Vec<D> b)
                          HWY_ATTR { return op(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a)); };
  if constexpr (kLanes == 8) return halves(four(0), four(4));
  if constexpr (kLanes == 16) {
    const auto a = halves(four(0), four(8)), b = halves(four(4), four(12));
    return op(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a), hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a)));
  }
}

#endif

// Lane k: the largest lane of vector k of `v`.
template <class D>
HWY_INLINE hn::Vec<D> LargestOfEach(D d, int32_t* v) {
  return ReduceEach(d, v, [](hn::Vec<D> a, hn::Vec<D> b) HWY_ATTR { return hn::Max(a, b); });
}

// A vector of bits of magnitudes among which the block's largest is. NaN is above infinity.
template <FloatType kType, class DF>
HWY_INLINE hn::Vec<hn::RebindToSigned<DF>> LargestLanes(DF df, const Element<kType>* in, size_t block) {
  const size_t lanes = hn::Lanes(df);
  auto bits = round_float::MagnitudeBits(df, small_floats::Load<kType>(df, in, lanes));
  for (size_t i = lanes; i < block; i += lanes) {
    bits = hn::Max(bits, round_float::MagnitudeBits(df, small_floats::Load<kType>(df, in + i, lanes)));
  }
  return bits;
}

// Reads the k-th block of a group for its largest magnitudes. kBlock: its size where it is known, else 0. Passed by
// value, so that its members stay in registers.
template <FloatType kType, size_t kBlock, class DF>
struct Reader {
  const Element<kType>* in;
  size_t block;
  bool far;
  int32_t* largest;

  HWY_INLINE void operator()(size_t k) const {
    const DF df;
    const size_t n = kBlock != 0 ? kBlock : block;
    if (far) stream::PrefetchAhead(in + k * n, n * sizeof(*in));
    hn::Store(LargestLanes<kType>(df, in + k * n, n), hn::RebindToSigned<DF>(), largest + k * hn::Lanes(df));
  }
};

// Runs a kernel over `groups` >= 1 groups of Lanes(df) blocks; `far`: of which no cache holds much. It has
//   bool Prepare(largest, g)   from the bits of the largest magnitudes of group g, a lane each: what Quantize needs.
//                              False: the group is for QuantizeSpecial. What was prepared for g - 1 must stay
//   void Quantize(g, between)  calls between(k), of a Reader, for each block k before it writes that
//   void QuantizeSpecial(g)
// While the blocks of a group are quantized, the tree and what Prepare computes for the next one are under way, and
// memory is read for the maxima of the one after that.
template <FloatType kType, size_t kBlock, class DF, class Kernel>
HWY_INLINE void RunGroups(DF df, const Element<kType>* in, size_t block, size_t groups, bool far, Kernel& kernel) {
  const hn::RebindToSigned<DF> di;
  const size_t lanes = hn::Lanes(df), group = lanes * block;
  HWY_ALIGN int32_t largest[kMaxLanes * kMaxLanes];
  const auto reader = [&](size_t g) HWY_ATTR {
    return Reader<kType, kBlock, DF>{in + std::min(g, groups - 1) * group, block, far, largest};
  };
  const auto read = [&](size_t g) HWY_ATTR {
    for (size_t k = 0; k < lanes; ++k) reader(g)(k);
  };
  read(0);
  bool ready = kernel.Prepare(LargestOfEach(di, largest), 0);
  read(1);
  for (size_t g = 0; g < groups; ++g) {
    const bool next_ready = g + 1 < groups && kernel.Prepare(LargestOfEach(di, largest), g + 1);
    if (HWY_LIKELY(ready)) {
      kernel.Quantize(g, reader(g + 2));  // at the end for nothing
    } else {
      kernel.QuantizeSpecial(g);
      read(g + 2);
    }
    ready = next_ready;
  }
}

}  // namespace block_groups

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_
