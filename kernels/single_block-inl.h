// Per-target: any block of any format by itself: side by side in memory, or one in each lane of vectors a pitch apart.

#if defined(LANEQUANT_KERNELS_SINGLE_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_SINGLE_BLOCK_INL_H_
#undef LANEQUANT_KERNELS_SINGLE_BLOCK_INL_H_
#else
#define LANEQUANT_KERNELS_SINGLE_BLOCK_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/block_step-inl.h"
#include "kernels/contracts_float.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace single_block {

using block_step::DI;
using block_step::VI;
using round_float::kExponentBits;
using small_floats::Element;

// One block, or as many as there are lanes: vector k lies at k * pitch. kRows: the block's elements are side by side,
// `elements` of them; else the lanes are blocks, `elements` of them.
template <bool kRows, FloatType kType>
struct Block {
  const Element<kType>* in;
  Element<kType>* out;
  size_t vectors, pitch, elements;

  size_t Left(size_t k) const { return kRows ? elements - k * pitch : elements; }
};

template <FloatType kType, class DF>
HWY_INLINE hn::Vec<DF> Load(DF df, const Element<kType>* p, size_t left, const BlockRule& rule) {
  const auto x = small_floats::Load<kType>(df, p, left);
  if (HWY_LIKELY(!rule.to_bfloat16)) return x;
  const DI<DF> di;
  const auto bits = hn::BitCast(di, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(di, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(di, 0x7FFF)));
  return hn::BitCast(df, hn::And(rounded, hn::Set(di, ~0xFFFF)));
}

// The largest of all lanes in each, where they are of one block.
template <bool kRows, class D>
HWY_INLINE hn::Vec<D> Reduce(D d, hn::Vec<D> v) {
  if constexpr (kRows) {
    return hn::MaxOfLanes(d, v);
  } else {
    return v;
  }
}

// The largest of each `size` neighbours, a power of two less than the lanes, in each of them.
template <class D>
HWY_INLINE hn::Vec<D> ReduceNeighbours(D d, hn::Vec<D> v, size_t size) {
  if (size >= 2) v = hn::Max(v, hn::Reverse2(d, v));
  if (size >= 4) v = hn::Max(v, hn::Reverse4(d, v));
  if constexpr (HWY_MAX_LANES_D(D) >= 8) {
    if (size >= 8) v = hn::Max(v, hn::Reverse8(d, v));
  }
  return v;
}

// Bits of the largest magnitude; kFinite: of the finite ones.
template <bool kFinite, bool kRows, FloatType kType, class DF>
HWY_INLINE VI<DF> Largest(DF df, const Block<kRows, kType>& block, const BlockRule& rule) {
  const DI<DF> di;
  auto largest = hn::Zero(di);
  for (size_t k = 0; k < block.vectors; ++k) {
    auto bits = round_float::MagnitudeBits(df, Load<kType>(df, block.in + k * block.pitch, block.Left(k), rule));
    if (kFinite) bits = hn::IfThenZeroElse(hn::Ge(bits, hn::Set(di, kExponentBits)), bits);
    largest = hn::Max(largest, bits);
  }
  return Reduce<kRows>(di, largest);
}

// 1 where the block's step has to be doubled. Elements below 0 never ask for it: -2^integer_bits is a code.
template <bool kRows, FloatType kType, class DF>
HWY_NOINLINE VI<DF> CarryOf(DF df, const Block<kRows, kType>& block, VI<DF> step, const BlockRule& rule) {
  const DI<DF> di;
  auto largest = hn::Zero(di);  // floats >= 0 are in the order of their bits; those below 0 are negative integers
  for (size_t k = 0; k < block.vectors; ++k) {
    const auto bits = hn::BitCast(di, Load<kType>(df, block.in + k * block.pitch, block.Left(k), rule));
    largest = hn::Max(largest, hn::IfThenZeroElse(hn::Ge(bits, hn::Set(di, kExponentBits)), bits));
  }
  largest = Reduce<kRows>(di, largest);
  return block_step::Carries(df, block_step::TimesPower(df, hn::BitCast(df, largest), hn::Neg(step)), rule);
}

// g of the whole block. `largest`: bits, finite.
template <bool kRows, FloatType kType, class DF>
HWY_INLINE VI<DF> StepOf(DF df, const Block<kRows, kType>& block, VI<DF> largest, const BlockRule& rule) {
  auto step = block_step::StepOf(df, largest, rule);
  if (HWY_UNLIKELY(rule.carry <= hwy::HighestValue<float>())) {
    step = hn::Add(step, CarryOf(df, block, step, rule));
  }
  return block_step::LimitStep(df, step, rule);
}

// How many steps finer the sub-block is that begins at vector k. Infinities count as the largest exponent.
template <bool kRows, FloatType kType, class DF>
HWY_INLINE VI<DF> SubBlockShift(DF df, const Block<kRows, kType>& block, size_t k, size_t vectors, VI<DF> largest,
                                const BlockRule& rule) {
  const DI<DF> di;
  auto sub = hn::Zero(di);
  for (size_t j = k; j < std::min(k + vectors, block.vectors); ++j) {
    const auto x = Load<kType>(df, block.in + j * block.pitch, block.Left(j), rule);
    sub = hn::Max(sub, round_float::MagnitudeBits(df, x));
  }
  if (kRows)
    sub = rule.sub_block >= hn::Lanes(df) ? hn::MaxOfLanes(di, sub) : ReduceNeighbours(di, sub, rule.sub_block);
  const auto shift = hn::Sub(hn::ShiftRight<23>(largest), hn::ShiftRight<23>(sub));
  return hn::Min(hn::Max(shift, hn::Zero(di)), hn::Set(di, rule.max_shift));
}

// kPlain: all elements are finite and 2^step and 2^-step are normal floats.
template <bool kPlain, class DF>
HWY_INLINE hn::Vec<DF> QuantizeElement(DF df, hn::Vec<DF> x, VI<DF> step, const BlockRule& rule) {
  const DI<DF> di;
  const auto bits = round_float::MagnitudeBits(df, x);
  const auto finite = hn::RebindMask(df, hn::Lt(bits, hn::Set(di, kExponentBits)));
  auto v = kPlain ? x : hn::IfThenElseZero(finite, x);
  if (HWY_UNLIKELY(rule.zero_below != 0)) {
    const auto small = hn::Lt(bits, hn::Set(di, static_cast<int32_t>(rule.zero_below)));
    v = hn::IfThenZeroElse(hn::RebindMask(df, small), v);
  }
  const auto down = hn::Neg(step);
  const auto t = kPlain ? hn::Mul(v, block_step::Power(df, down)) : block_step::TimesPower(df, v, down);
  const auto q = block_step::BoundElement(df, block_step::RoundElement(df, t, rule), rule);
  const auto y = kPlain ? hn::Mul(q, block_step::Power(df, step)) : block_step::TimesPower(df, q, step);
  const auto result = block_step::WithSignOfZero(df, y, x, rule);
  if constexpr (kPlain) return result;
  return rule.non_finite == NonFinite::kZero ? hn::IfThenElseZero(finite, result) : hn::IfThenElse(finite, result, x);
}

// `spoilt`: all bits set in lanes whose block becomes NaN.
template <bool kPlain, bool kRows, FloatType kType, class DF>
HWY_INLINE void QuantizeElements(DF df, const Block<kRows, kType>& block, VI<DF> step, VI<DF> largest, VI<DF> spoilt,
                                 const BlockRule& rule) {
  const size_t lanes = hn::Lanes(df);
  const size_t vectors_of_sub = kRows ? std::max<size_t>(1, rule.sub_block / lanes) : rule.sub_block;
  const bool one_step = rule.sub_block == 1;
  const size_t vectors = one_step ? block.vectors : vectors_of_sub;
  for (size_t k = 0; k < block.vectors; k += vectors) {
    const auto own = one_step ? step : hn::Sub(step, SubBlockShift(df, block, k, vectors, largest, rule));
    for (size_t j = k; j < std::min(k + vectors, block.vectors); ++j) {
      const size_t at = j * block.pitch;
      const auto x = Load<kType>(df, block.in + at, block.Left(j), rule);
      auto y = QuantizeElement<kPlain>(df, x, own, rule);
      if (!kPlain) y = hn::Or(y, hn::BitCast(df, spoilt));
      small_floats::Store<kType>(df, y, block.out + at, block.Left(j));
    }
  }
}

// Infinities, NaN, and steps near the ends of the range of float.
template <bool kRows, FloatType kType, class DF>
HWY_NOINLINE void QuantizeSpecialBlock(DF df, const Block<kRows, kType>& block, const BlockRule& rule) {
  const DI<DF> di;
  auto spoilt = hn::Zero(di);
  if (rule.non_finite == NonFinite::kBlockIsNan) {
    const auto all = Largest<false>(df, block, rule);
    spoilt = hn::VecFromMask(di, hn::Ge(all, hn::Set(di, kExponentBits)));
  }
  const auto largest = Largest<true>(df, block, rule);
  QuantizeElements<false>(df, block, StepOf(df, block, largest, rule), largest, spoilt, rule);
}

template <bool kRows, FloatType kType, class DF>
HWY_INLINE void QuantizeBlock(DF df, const Block<kRows, kType>& block, const BlockRule& rule) {
  const DI<DF> di;
  const auto largest = Largest<false>(df, block, rule);
  const auto finite = hn::Lt(largest, hn::Set(di, kExponentBits));
  const auto step = StepOf(df, block, largest, rule);
  const auto normal = hn::And(hn::Ge(step, hn::Set(di, rule.max_shift - 126)), hn::Le(step, hn::Set(di, 126)));
  if (HWY_LIKELY(hn::AllTrue(di, hn::And(finite, normal)))) {
    QuantizeElements<true>(df, block, step, largest, hn::Zero(di), rule);
  } else {
    QuantizeSpecialBlock(df, block, rule);
  }
}

// `elements` side by side, one block after the other.
template <FloatType kType, class DF>
HWY_INLINE void QuantizeEach(DF df, const Element<kType>* in, size_t elements, size_t size, const BlockRule& rule,
                             Element<kType>* out) {
  const size_t lanes = hn::Lanes(df);
  for (size_t i = 0; i < elements; i += size) {
    const size_t count = std::min(size, elements - i);
    QuantizeBlock(df, Block<true, kType>{in + i, out + i, (count + lanes - 1) / lanes, lanes, count}, rule);
  }
}

}  // namespace single_block

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_SINGLE_BLOCK_INL_H_
