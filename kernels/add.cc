// Sum of two tensors in binary32, then clip, then codes or floats.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/add.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <utility>

#include "kernels/contracts.h"
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

template <bool kCodedA, bool kCodedB, RoundingProfile kProfile>
void ToBytes(const AddArgs& shared) {
  const AddArgs args = shared;  // as above
  const VF32 factor = quantize::Factor<kProfile>(hn::Set(DF32(), args.to.scale));
  const size_t lanes = hn::Lanes(DF32());
  size_t i = 0;
  for (; i + 4 * lanes <= args.n; i += 4 * lanes) {
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
