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

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace block_groups {

using small_floats::Element;

constexpr size_t kMaxLanes = 16;

// Lane k: the largest lane of vector k of `v`, as many vectors as lanes; destroys v.
template <class D>
HWY_INLINE hn::Vec<D> LargestOfEach(D d, int32_t* HWY_RESTRICT v) {
  const size_t lanes = hn::Lanes(d);
  for (size_t vectors = lanes / 2; vectors != 0; vectors /= 2) {
    for (size_t k = 0; k < vectors; ++k) {
      const auto low = hn::Load(d, v + 2 * k * lanes), high = hn::Load(d, v + (2 * k + 1) * lanes);
      hn::Store(hn::Max(hn::ConcatEven(d, high, low), hn::ConcatOdd(d, high, low)), d, v + k * lanes);
    }
  }
  return hn::Load(d, v);
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

// Runs a kernel over `groups` >= 1 groups of Lanes(df) blocks. It has
//   bool Prepare(largest, g)   from the bits of the largest magnitudes of group g, a lane each: what Quantize needs.
//                              False: the group is for QuantizeSpecial. What was prepared for g - 1 must stay
//   void Quantize(g, between)  calls between(k) once for each block k, before it writes that block
//   void QuantizeSpecial(g)
// While the blocks of a group are quantized, the tree and what Prepare computes for the next one are under way, and
// memory is read for the maxima of the one after that: all the time, because whole groups of reading and of writing by
// turns leave the prefetcher behind (Zen 4, blocks of 64: 0.55 of what this reaches).
template <FloatType kType, class DF, class Kernel>
HWY_INLINE void RunGroups(DF df, const Element<kType>* in, size_t block, size_t groups, Kernel& kernel) {
  const hn::RebindToSigned<DF> di;
  const size_t lanes = hn::Lanes(df), group = lanes * block;
  HWY_ALIGN int32_t largest[kMaxLanes * kMaxLanes];
  const Element<kType>* from = in;
  const auto read = [&](size_t k) HWY_ATTR {
    hn::Store(LargestLanes<kType>(df, from + k * block, block), di, largest + k * lanes);
  };
  for (size_t k = 0; k < lanes; ++k) read(k);
  bool ready = kernel.Prepare(LargestOfEach(di, largest), 0);
  from = in + std::min<size_t>(1, groups - 1) * group;
  for (size_t k = 0; k < lanes; ++k) read(k);
  for (size_t g = 0; g < groups; ++g) {
    const bool next_ready = g + 1 < groups && kernel.Prepare(LargestOfEach(di, largest), g + 1);
    from = in + std::min(g + 2, groups - 1) * group;  // at the end for nothing
    if (HWY_LIKELY(ready)) {
      kernel.Quantize(g, read);
    } else {
      kernel.QuantizeSpecial(g);
      for (size_t k = 0; k < lanes; ++k) read(k);
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
