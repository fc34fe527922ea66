// Per-target: the step of a block from its largest magnitude, and elements on the grid of that step (BlockRule). Lanes
// may belong to different blocks.

#if defined(LANEQUANT_KERNELS_BLOCK_STEP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_BLOCK_STEP_INL_H_
#undef LANEQUANT_KERNELS_BLOCK_STEP_INL_H_
#else
#define LANEQUANT_KERNELS_BLOCK_STEP_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <limits>

#include "kernels/contracts_float.h"
#include "kernels/round_float-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace block_step {

using round_float::kExponentBits;
using round_float::PowerBits;

constexpr int32_t kSmallestNormal = 0x00800000;

template <class DF>
using DI = hn::RebindToSigned<DF>;
template <class DF>
using VI = hn::Vec<DI<DF>>;

// E of kFloorLog2 and kCeilLog2, biased. Subnormal magnitudes are made normal first: row 24 + b of the table is for the
// biased exponent b. The table is looked into only where a mantissa lies between the least and the most of it: few do,
// and a gather takes as long as a block.
template <class DF>
HWY_INLINE VI<DF> LogExponent(DF df, VI<DF> largest, const BlockRule& rule) {
  constexpr int kLift = 24;
  const DI<DF> di;
  const auto subnormal = hn::Lt(largest, hn::Set(di, kSmallestNormal));
  const auto lifted = hn::Mul(hn::BitCast(df, largest), hn::BitCast(df, hn::Set(di, PowerBits(kLift))));
  const auto bits = hn::IfThenElse(subnormal, hn::BitCast(di, lifted), largest);
  const auto row = hn::Add(hn::ShiftRight<23>(bits), hn::IfThenZeroElse(subnormal, hn::Set(di, kLift)));
  const auto mantissa = hn::And(bits, hn::Set(di, kSmallestNormal - 1));
  const auto reaches_least = hn::Ge(mantissa, hn::Set(di, static_cast<int32_t>(rule.carry_from)));
  const auto reaches_most = hn::Ge(mantissa, hn::Set(di, static_cast<int32_t>(rule.carry_to)));
  auto carry = hn::VecFromMask(di, reaches_most);  // -1 or 0
  if (HWY_UNLIKELY(!hn::AllFalse(di, hn::Xor(reaches_least, reaches_most)))) {
    const auto threshold = hn::GatherIndex(di, reinterpret_cast<const int32_t*>(rule.log2_carry), row);
    carry = hn::VecFromMask(di, hn::Ge(mantissa, threshold));
  }
  return hn::Sub(hn::Sub(row, hn::Set(di, kLift)), carry);
}

// E, biased. `largest`: bits of a.
template <class DF>
HWY_INLINE VI<DF> BlockExponentOf(DF df, VI<DF> largest, const BlockRule& rule) {
  const DI<DF> di;
  switch (rule.exponent) {
    case BlockExponent::kFloor:
      return hn::ShiftRight<23>(largest);
    case BlockExponent::kEven: {
      const auto zero = hn::Eq(largest, hn::Zero(di));
      const auto a = hn::IfThenElse(zero, hn::Set(di, kSmallestNormal), largest);
      return hn::ShiftRight<23>(hn::Add(a, hn::Set(di, static_cast<int32_t>(rule.even_half))));
    }
    case BlockExponent::kFloorLog2:
    case BlockExponent::kCeilLog2:
      break;
  }
  return LogExponent(df, largest, rule);
}

// g before double_on_carry and the limits. A block of zeros has any finite one.
template <class DF>
HWY_INLINE VI<DF> StepOf(DF df, VI<DF> largest, const BlockRule& rule) {
  return hn::Sub(BlockExponentOf(df, largest, rule), hn::Set(DI<DF>(), 127 + rule.to_step));
}

template <class DF>
HWY_INLINE VI<DF> LimitStep(DF, VI<DF> step, const BlockRule& rule) {
  const DI<DF> di;
  step = hn::IfThenElse(hn::Lt(step, hn::Set(di, rule.step_tiny)), hn::Set(di, -23), step);
  return hn::Min(hn::Max(step, hn::Set(di, rule.step_min)), hn::Set(di, rule.step_max));
}

// 2^exponent, -126 <= exponent <= 127.
template <class DF>
HWY_INLINE hn::Vec<DF> Power(DF df, VI<DF> exponent) {
  return hn::BitCast(df, hn::ShiftLeft<23>(hn::Add(exponent, hn::Set(DI<DF>(), 127))));
}

// v * 2^exponent for |exponent| < 252, rounded once: halves of the exponent leave the first product a normal number
// wherever v has digits that count.
template <class DF>
HWY_INLINE hn::Vec<DF> TimesPower(DF df, hn::Vec<DF> v, VI<DF> exponent) {
  const auto half = hn::ShiftRight<1>(exponent);
  return hn::Mul(hn::Mul(v, Power(df, half)), Power(df, hn::Sub(exponent, half)));
}

// Ties that did not go to even where they should not.
template <class DF>
HWY_INLINE hn::Vec<DF> MoveTies(DF df, hn::Vec<DF> t, hn::Vec<DF> rounded, TieRounding ties) {
  const auto half = hn::Set(df, 0.5f), one = hn::Set(df, 1.0f);
  if (ties == TieRounding::kUp) return hn::Add(rounded, hn::IfThenElseZero(hn::Eq(hn::Sub(t, rounded), half), one));
  const auto magnitude = hn::Abs(rounded);
  const auto up = hn::IfThenElseZero(hn::Eq(hn::Sub(hn::Abs(t), magnitude), half), one);
  return hn::CopySign(hn::Add(magnitude, up), t);
}

// The nearest whole number, which may be -0. Away from zero: the float below 1/2 is added to |t|, as 1/2 itself would
// take the float below it to 1; from 1/2 on the sum rounds as that with 1/2 would.
template <class DF>
HWY_INLINE hn::Vec<DF> RoundWhole(DF df, hn::Vec<DF> t, TieRounding ties) {
  if (HWY_LIKELY(ties == TieRounding::kEven)) return hn::Round(t);
  if (ties == TieRounding::kUp) return MoveTies(df, t, hn::Round(t), ties);
  return hn::Trunc(hn::Add(t, hn::CopySign(hn::Set(df, 0.49999997f), t)));
}

constexpr int kWhole = 14;  // mantissa_bits and min_exponent of whole numbers

// t on the grid of elements, without bounds.
template <class DF>
HWY_INLINE hn::Vec<DF> RoundElement(DF df, hn::Vec<DF> t, const BlockRule& rule) {
  if (rule.min_exponent == kWhole) return RoundWhole(df, t, rule.ties);
  const auto rounded =
      round_float::RoundToStep(df, t, round_float::ExponentBits(df, t), rule.min_exponent, rule.mantissa_bits);
  return HWY_LIKELY(rule.ties == TieRounding::kEven) ? rounded : MoveTies(df, t, rounded, rule.ties);
}

template <class DF>
HWY_INLINE hn::Vec<DF> BoundElement(DF df, hn::Vec<DF> q, const BlockRule& rule) {
  return hn::Min(hn::Max(q, hn::Set(df, rule.lowest)), hn::Set(df, rule.highest));
}

// 1 where an element of t rounds to `carry`, else 0.
template <class DF>
HWY_INLINE VI<DF> Carries(DF df, hn::Vec<DF> t, const BlockRule& rule) {
  const auto carries = hn::Ge(RoundElement(df, t, rule), hn::Set(df, rule.carry));
  return hn::IfThenElseZero(hn::RebindMask(DI<DF>(), carries), hn::Set(DI<DF>(), 1));
}

HWY_INLINE bool KeepsAllSigns(const BlockRule& rule) {
  return rule.sign_from == 0 && rule.sign_to >= static_cast<uint32_t>(kExponentBits);
}

// y with the sign that the rule leaves to a zero.
template <class DF>
HWY_INLINE hn::Vec<DF> WithSignOfZero(DF df, hn::Vec<DF> y, hn::Vec<DF> x, const BlockRule& rule) {
  const DI<DF> di;
  const auto sign = hn::And(x, hn::SignBit(df));
  if (KeepsAllSigns(rule)) return hn::Or(y, sign);
  const auto unsigned_zero = hn::Add(y, hn::Zero(df));
  if (rule.sign_from > rule.sign_to) return unsigned_zero;
  if (rule.sign_to == 0) return hn::IfThenElse(hn::Eq(x, hn::Zero(df)), x, unsigned_zero);
  const auto bits = round_float::MagnitudeBits(df, x);
  const auto loses = hn::Or(hn::Lt(bits, hn::Set(di, static_cast<int32_t>(rule.sign_from))),
                            hn::Gt(bits, hn::Set(di, static_cast<int32_t>(rule.sign_to))));
  return hn::Or(unsigned_zero, hn::IfThenZeroElse(hn::RebindMask(df, loses), sign));
}

}  // namespace block_step

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_BLOCK_STEP_INL_H_
