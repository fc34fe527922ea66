// Per-target: as many blocks at once as a vector has lanes, for the usual formats (no sub-blocks, ties to even) and
// blocks of whole vectors side by side. The largest magnitudes of the blocks come out of a tree of shuffles in the
// lanes of one vector, so that one set of operations finds the steps of all.

#if defined(LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_
#undef LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_
#else
#define LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/block_step-inl.h"
#include "kernels/contracts_float.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace block_groups {

using block_step::DI;
using block_step::VI;
using small_floats::Element;

constexpr size_t kMaxLanes = 16;

inline bool TakesRule(const BlockRule& rule) {
  return rule.ties == TieRounding::kEven && rule.sub_block == 1 && rule.zero_below == 0 && !rule.to_bfloat16 &&
         rule.carry > std::numeric_limits<float>::max();
}

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

// The bits of the largest magnitude of each block.
template <FloatType kType, class DF>
HWY_INLINE VI<DF> LargestOfBlocks(DF df, const Element<kType>* in, size_t block) {
  const DI<DF> di;
  const size_t lanes = hn::Lanes(df);
  HWY_ALIGN int32_t largest[kMaxLanes * kMaxLanes];
  for (size_t k = 0; k < lanes; ++k, in += block) {
    auto bits = round_float::MagnitudeBits(df, small_floats::Load<kType>(df, in, lanes));
    for (size_t i = lanes; i < block; i += lanes) {
      bits = hn::Max(bits, round_float::MagnitudeBits(df, small_floats::Load<kType>(df, in + i, lanes)));
    }
    hn::Store(bits, di, largest + k * lanes);
  }
  return LargestOfEach(di, largest);
}

// 2^-g and 2^g of the blocks of a group.
struct Steps {
  HWY_ALIGN float down[kMaxLanes], up[kMaxLanes];
};

// Of the group at `in`; false where a block has an infinity, NaN or a step near the ends of the range of float. `block`
// is a multiple of the lanes.
template <FloatType kType, class DF>
HWY_INLINE bool FindSteps(DF df, const Element<kType>* in, size_t block, const BlockRule& rule, Steps& steps) {
  const DI<DF> di;
  const auto largest = LargestOfBlocks<kType>(df, in, block);
  const auto step = block_step::LimitStep(df, block_step::StepOf(df, largest, rule), rule);
  hn::Store(block_step::Power(df, hn::Neg(step)), df, steps.down);
  hn::Store(block_step::Power(df, step), df, steps.up);
  const auto finite = hn::Lt(largest, hn::Set(di, round_float::kExponentBits));
  const auto normal = hn::And(hn::Ge(step, hn::Set(di, -126)), hn::Le(step, hn::Set(di, 126)));
  return hn::AllTrue(di, hn::And(finite, normal));
}

// kSigned: the sign of x stays with every zero.
template <bool kSigned, FloatType kType, class DF>
HWY_INLINE void QuantizeBlocks(DF df, const Element<kType>* in, size_t block, const Steps& steps,
                               const BlockRule& shared_rule, Element<kType>* out) {
  const BlockRule rule = shared_rule;  // stores cannot change it: its numbers stay in registers
  const size_t lanes = hn::Lanes(df);
  for (size_t k = 0; k < lanes; ++k) {
    const auto to_units = hn::Set(df, steps.down[k]), from_units = hn::Set(df, steps.up[k]);
    for (size_t i = k * block; i < (k + 1) * block; i += lanes) {
      const auto x = small_floats::Load<kType>(df, in + i, lanes);
      const auto t = hn::Mul(x, to_units);
      const auto rounded =
          round_float::RoundToStep(df, t, round_float::ExponentBits(df, t), rule.min_exponent, rule.mantissa_bits);
      auto y = hn::Mul(block_step::BoundElement(df, rounded, rule), from_units);
      y = kSigned ? hn::Or(y, hn::And(x, hn::SignBit(df))) : block_step::WithSignOfZero(df, y, x, rule);
      small_floats::Store<kType>(df, y, out + i, lanes);
    }
  }
}

template <FloatType kType, class DF>
HWY_INLINE void QuantizeGroup(DF df, const Element<kType>* in, size_t block, const Steps& steps, const BlockRule& rule,
                              Element<kType>* out) {
  if (block_step::KeepsAllSigns(rule)) {
    QuantizeBlocks<true, kType>(df, in, block, steps, rule, out);
  } else {
    QuantizeBlocks<false, kType>(df, in, block, steps, rule, out);
  }
}

}  // namespace block_groups

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_BLOCK_GROUPS_INL_H_
