// Sum of two tensors in binary32, then clip, then codes or floats.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/add.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>
#include <utility>

#include "kernels/contracts.h"
#include "kernels/fixed_point-inl.h"
#include "kernels/quantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace add {

using quantize::Bounds;
using quantize::D32;
using quantize::DF32;
using quantize::V32;
using quantize::VF32;

// Values i .. of an operand, `left` of them if these are fewer than a vector has.
template <bool kCoded>
HWY_INLINE VF32 Values(const AddOperand& operand, size_t i, size_t left) {
  if constexpr (kCoded) {
    const VF32 scale = hn::Set(DF32(), operand.scale);
    return quantize::ToValues(quantize::LoadCodes(operand.codes + i, left), scale, hn::Set(D32(), operand.offset));
  } else {
    return quantize::LoadUpTo(DF32(), operand.values + i, left);
  }
}

template <bool kCodedA, bool kCodedB>
HWY_INLINE VF32 Sum(const AddArgs& args, size_t i, size_t left) {
  const VF32 sum = hn::Add(Values<kCodedA>(args.a, i, left), Values<kCodedB>(args.b, i, left));
  const VF32 above = quantize::Larger(hn::Set(DF32(), args.clip_min), sum);  // NaN passes
  return quantize::Smaller(hn::Set(DF32(), args.clip_max), above);
}

template <bool kCodedA, bool kCodedB>
void ToFloats(const AddArgs& shared) {
  const AddArgs args = shared;  // a local copy, which no store through a pointer to bytes can change
  const DF32 df;
  for (size_t i = 0; i < args.n; i += hn::Lanes(df)) {
    quantize::StoreUpTo(Sum<kCodedA, kCodedB>(args, i, args.n - i), df, args.out_values + i, args.n - i);
  }
}

template <bool kCodedA, bool kCodedB, RoundingProfile kProfile>
HWY_INLINE V32 Codes(const AddArgs& args, size_t i, size_t left, VF32 factor) {
  const Bounds bounds = {args.to.qmin, args.to.qmax, args.to.lo, args.to.hi};
  const V32 offset = hn::Set(D32(), args.to.offset);
  return quantize::ToCodes<kProfile>(Sum<kCodedA, kCodedB>(args, i, left), factor, offset, bounds);
}

// Codes of two coded operands in fixed point: U = q_a * mul_a + q_b * mul_b + add, by two fused operations; half of the
// time of the steps as defined. In units of 2^-16 codes let Z = (255 + |o_a|) * |mul_a| + (255 + |o_b|) * |mul_b| +
// (|o| + 1) * 2^16, which bounds all terms and partial sums. Roundings of at most 2^-24 * Z: of the definition both
// values, together one, the sum, the quotient and (aimet_fakequant) 1 / s; here the constants, together one, two
// products where nothing is fused, and two sums. Those are 9; the conversion truncates less than 1, and products of
// roundings and binary64 stay below 2^-24 * Z together. So |e| < w = ceil(10 * 2^-24 * Z + 2). For s in 2^-60..2^60
// nothing overflows, and what underflows is below 2^-80 codes.
// A clip of the sum is one of codes, for the steps behind it are monotone and no sum is NaN.
struct FixedSum {
  template <RoundingProfile kProfile>
  static FixedSum Make(const AddArgs& args, VF32 factor) {
    constexpr double kOne = 65536, kLargest = 0x1p30;  // of Z: w <= 642
    const double s = args.to.scale, a = args.a.scale / s * kOne, b = args.b.scale / s * kOne;
    const double a_offset = args.a.offset, b_offset = args.b.offset, offset = args.to.offset;
    const double z = (255 + std::abs(a_offset)) * std::abs(a) + (255 + std::abs(b_offset)) * std::abs(b) +
                     (std::abs(offset) + 1) * kOne;
    const double window = std::ceil(10 * 0x1p-24 * z + 2);
    FixedSum sum{};
    sum.fits = z < kLargest && s >= 0x1p-60 && s <= 0x1p60;
    if (!sum.fits) return sum;
    sum.mul_a = static_cast<float>(a);
    sum.mul_b = static_cast<float>(b);
    sum.add = static_cast<float>(a_offset * a + b_offset * b - offset * kOne + 32768 + window);
    sum.window = static_cast<int32_t>(window);
    const Bounds bounds = {args.to.qmin, args.to.qmax, args.to.lo, args.to.hi};
    const auto code = [&](float value) {
      const V32 codes =
          quantize::ToCodes<kProfile>(hn::Set(DF32(), value), factor, hn::Set(D32(), args.to.offset), bounds);
      return static_cast<uint8_t>(hn::GetLane(codes));
    };
    sum.lo = code(args.clip_min);
    sum.hi = code(args.clip_max);
    return sum;
  }

  HWY_INLINE V32 U(const AddArgs& args, size_t i) const {
    const DF32 df;
    const VF32 a = hn::ConvertTo(df, quantize::LoadCodes(args.a.codes + i, hn::Lanes(df)));
    const VF32 b = hn::ConvertTo(df, quantize::LoadCodes(args.b.codes + i, hn::Lanes(df)));
    const VF32 sum = hn::MulAdd(b, hn::Set(df, mul_b), hn::MulAdd(a, hn::Set(df, mul_a), hn::Set(df, add)));
    return hn::ConvertInRangeTo(D32(), sum);
  }

  // Four vectors of codes from i on; false, and none, if one is near a tie.
  HWY_INLINE bool Store(const AddArgs& args, size_t i) const {
    const fixed_point::DU8 d8;
    const size_t lanes = hn::Lanes(DF32());
    const V32 u0 = U(args, i), u1 = U(args, i + lanes), u2 = U(args, i + 2 * lanes), u3 = U(args, i + 3 * lanes);
    const V32 lowest = fixed_point::MinHalves(fixed_point::MinHalves(u0, u1), fixed_point::MinHalves(u2, u3));
    if (HWY_UNLIKELY(!hn::AllFalse(D32(), fixed_point::NearTie(lowest, window)))) return false;
    const auto codes = fixed_point::PackCodes(u0, u1, u2, u3);
    hn::StoreU(hn::Min(hn::Max(codes, hn::Set(d8, lo)), hn::Set(d8, hi)), d8, args.out + i);
    return true;
  }

  float mul_a, mul_b, add;
  int32_t window;
  uint8_t lo, hi;  // of the clip, within those of `to`
  bool fits;
};

template <bool kCodedA, bool kCodedB, RoundingProfile kProfile>
void ToBytes(const AddArgs& shared) {
  const AddArgs args = shared;  // as above
  const VF32 factor = quantize::Factor<kProfile>(hn::Set(DF32(), args.to.scale));
  constexpr bool kFixed = kCodedA && kCodedB && kProfile != RoundingProfile::kAimetOnnx;
  FixedSum fixed{};
  if constexpr (kFixed) fixed = FixedSum::Make<kProfile>(args, factor);
  const size_t lanes = hn::Lanes(DF32());
  size_t i = 0;
  for (; i + 4 * lanes <= args.n; i += 4 * lanes) {
    if constexpr (kFixed) {
      if (fixed.fits && fixed.Store(args, i)) continue;
    }
    const V32 v0 = Codes<kCodedA, kCodedB, kProfile>(args, i, lanes, factor);
    const V32 v1 = Codes<kCodedA, kCodedB, kProfile>(args, i + lanes, lanes, factor);
    const V32 v2 = Codes<kCodedA, kCodedB, kProfile>(args, i + 2 * lanes, lanes, factor);
    const V32 v3 = Codes<kCodedA, kCodedB, kProfile>(args, i + 3 * lanes, lanes, factor);
    quantize::StoreCodes4(v0, v1, v2, v3, args.out + i);
  }
  for (; i < args.n; i += lanes) {
    const size_t left = args.n - i;
    quantize::StoreCodes(Codes<kCodedA, kCodedB, kProfile>(args, i, left, factor), args.out + i, left);
  }
}

template <bool kCodedA, bool kCodedB>
void Run(const AddArgs& args) {
  if (args.out_values != nullptr) return ToFloats<kCodedA, kCodedB>(args);
  switch (args.to.profile) {
    case RoundingProfile::kAimetDiv:
    case RoundingProfile::kOnnx:
      return ToBytes<kCodedA, kCodedB, RoundingProfile::kAimetDiv>(args);
    case RoundingProfile::kAimetFakequant:
      return ToBytes<kCodedA, kCodedB, RoundingProfile::kAimetFakequant>(args);
    case RoundingProfile::kAimetOnnx:
      return ToBytes<kCodedA, kCodedB, RoundingProfile::kAimetOnnx>(args);
  }
}

}  // namespace add

void Add(const AddArgs& args) {
  AddArgs ordered = args;  // the sum of two floats does not depend on their order
  if (args.a.values != nullptr) std::swap(ordered.a, ordered.b);
  if (ordered.a.values != nullptr) return add::Run<false, false>(ordered);
  if (ordered.b.values != nullptr) return add::Run<true, false>(ordered);
  add::Run<true, true>(ordered);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<AddFn>> AddVariants() {
  static const std::vector<Variant<AddFn>> variants = Runnable<AddFn>(LQ_VARIANTS(Add));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
