// Per-target: what the fast rules need of each scale: of up to 64 runs side by side, or of the elements of a row.

#if defined(LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_
#undef LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_
#else
#define LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/affine_rules-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace affine {

// The grid in units, but for the offset. limit < 0: the fast rules are not for this quantizer.
struct Units {
  float first, last;  // qmin + shift, qmax + shift
  float limit;
};

HWY_INLINE Units MakeUnits(int64_t qmin, int64_t qmax, float shift, int64_t limit) {
  constexpr int64_t kExact = 1 << 23;  // with a shift of 1/2 these are floats up to here
  if (qmin < -kExact || qmax > kExact) limit = -1;
  return {static_cast<float>(qmin) + shift, static_cast<float>(qmax) + shift, static_cast<float>(limit)};
}

// Lanes that the fast rules take: affine_rules-inl.h, exact_division-inl.h.
HWY_INLINE hn::Mask<DF32> IsFast(VF32 scale, VF32 first, VF32 last, float limit) {
  const DF32 df;
  const auto divisor = hn::And(hn::Ge(scale, hn::Set(df, exact_division::kSmallestDivisor)),
                               hn::Le(scale, hn::Set(df, exact_division::kLargestDivisor)));
  return hn::And(divisor, hn::And(hn::Ge(first, hn::Set(df, -limit)), hn::Le(last, hn::Set(df, limit))));
}

HWY_INLINE VF32 LoadScales(const float* p, size_t left) {
  const DF32 df;
  return HWY_LIKELY(left >= hn::Lanes(df)) ? hn::LoadU(df, p) : hn::LoadNOr(hn::Set(df, 1.0f), df, p, left);
}

constexpr size_t kGroup = 64;

// Of up to kGroup runs.
struct RunScales {
  alignas(64) float scale[kGroup], inverse[kGroup], low[kGroup], high[kGroup], first[kGroup];
  alignas(64) int32_t offset[kGroup];

  // False if one of the runs is not for the fast rules.
  bool Fill(const float* scales, const int32_t* offsets, size_t n, const Units& units) {
    const DF32 df;
    auto fast = hn::FirstN(df, hn::Lanes(df));
    for (size_t i = 0; i < n; i += hn::Lanes(df)) {
      const VF32 s = LoadScales(scales + i, n - i);
      const V32 o = quantize::LoadUpTo(D32(), offsets + i, n - i);
      const VF32 from = hn::Add(hn::ConvertTo(df, o), hn::Set(df, units.first));
      const VF32 to = hn::Add(hn::ConvertTo(df, o), hn::Set(df, units.last));
      fast = hn::And(fast, IsFast(s, from, to, units.limit));
      hn::Store(s, df, scale + i);
      hn::Store(hn::Div(hn::Set(df, 1.0f), s), df, inverse + i);
      hn::Store(hn::Mul(s, from), df, low + i);
      hn::Store(hn::Mul(s, to), df, high + i);
      hn::Store(from, df, first + i);
      hn::Store(o, D32(), offset + i);
    }
    return hn::AllTrue(df, fast);
  }
};

// Of the elements of a row, each with its own.
class RowScales {
 public:
  // The arrays must stay. False if one of the elements is not for the fast rules.
  bool Fill(const float* scales, const int32_t* offsets, size_t n, const Units& units) {
    const DF32 df;
    scale_ = scales;
    offset_ = offsets;
    units_ = units;
    has_inverse_ = n <= kInverses;
    auto fast = hn::FirstN(df, hn::Lanes(df)), same = fast;
    for (size_t i = 0; i < n; i += hn::Lanes(df)) {
      const size_t left = n - i;
      const VF32 s = LoadScales(scales + i, left);
      const V32 o = LoadOffsets(i, left);
      const VF32 units_off = hn::ConvertTo(df, o);
      fast = hn::And(fast, IsFast(s, hn::Add(units_off, hn::Set(df, units.first)),
                                  hn::Add(units_off, hn::Set(df, units.last)), units.limit));
      same = hn::And(same, hn::RebindMask(df, hn::Eq(o, hn::Set(D32(), *offsets))));
      if (has_inverse_) hn::Store(hn::Div(hn::Set(df, 1.0f), s), df, inverse_ + i);
    }
    same_offset_ = hn::AllTrue(df, same);
    return hn::AllTrue(df, fast);
  }

  // Of the elements from `at` on.
  HWY_INLINE VF32 Scale(size_t at, size_t left) const { return LoadScales(scale_ + at, left); }
  HWY_INLINE VF32 Inverse(VF32 scale, size_t at) const {
    return has_inverse_ ? hn::LoadU(DF32(), inverse_ + at) : hn::Div(hn::Set(DF32(), 1.0f), scale);
  }
  HWY_INLINE V32 Offset(size_t at, size_t left) const {
    return same_offset_ ? hn::Set(D32(), *offset_) : LoadOffsets(at, left);
  }
  HWY_INLINE VF32 First(V32 offset) const {
    return hn::Add(hn::ConvertTo(DF32(), offset), hn::Set(DF32(), units_.first));
  }
  HWY_INLINE VF32 Last(V32 offset) const {
    return hn::Add(hn::ConvertTo(DF32(), offset), hn::Set(DF32(), units_.last));
  }

 private:
  // A row whose reciprocals are kept: 16 KiB of the stack.
  static constexpr size_t kInverses = 4096;

  HWY_INLINE V32 LoadOffsets(size_t at, size_t left) const {
    const D32 d;
    const int32_t* p = offset_ + at;
    return HWY_LIKELY(left >= hn::Lanes(d)) ? hn::LoadU(d, p) : hn::LoadNOr(hn::Set(d, *offset_), d, p, left);
  }

  const float* scale_ = nullptr;
  const int32_t* offset_ = nullptr;
  Units units_{};
  bool has_inverse_ = false, same_offset_ = false;
  alignas(64) float inverse_[kInverses + 16];
};

}  // namespace affine

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_
