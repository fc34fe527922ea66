// Per-target: what the fast rules need of each scale: of up to 64 runs side by side, or of the elements of a row.

#if defined(LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_
#undef LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_
#else
#define LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <limits>

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

  HWY_INLINE float First(int32_t offset) const { return static_cast<float>(offset) + first; }
};

HWY_INLINE Units MakeUnits(int64_t qmin, int64_t qmax, float shift, int64_t limit) {
  constexpr int64_t kExact = 1 << 23;  // with a shift of 1/2 these are floats up to here
  if (qmin < -kExact || qmax > kExact) limit = -1;
  return {static_cast<float>(qmin) + shift, static_cast<float>(qmax) + shift, static_cast<float>(limit)};
}

HWY_INLINE VF32 LoadScales(const float* p, size_t left) {
  const DF32 df;
  return HWY_LIKELY(left >= hn::Lanes(df)) ? hn::LoadU(df, p) : hn::LoadNOr(hn::Set(df, 1.0f), df, p, left);
}
// Behind the last one, the first one again.
HWY_INLINE V32 LoadOffsets(const int32_t* offsets, size_t at, size_t left) {
  const D32 d;
  const int32_t* p = offsets + at;
  return HWY_LIKELY(left >= hn::Lanes(d)) ? hn::LoadU(d, p) : hn::LoadNOr(hn::Set(d, *offsets), d, p, left);
}

// Of scales (their bits) and offsets only the extremes are kept, lane by lane, and checked once: masks that a loop
// carries would pass through memory (g++ 12). The bits of floats from 0 to infinity have the order of the numbers;
// what is negative or NaN is out of bounds that way, too.
HWY_INLINE void Widen(V32 v, V32& least, V32& most) {
  least = hn::Min(least, v);
  most = hn::Max(most, v);
}

// If the fast rules take them: affine_rules-inl.h, exact_division-inl.h.
HWY_INLINE bool AreFast(V32 least_scale, V32 most_scale, V32 least_offset, V32 most_offset, const Units& units) {
  const DF32 df;
  const D32 d;
  const auto bits = [&](float v) HWY_ATTR { return hn::BitCast(d, hn::Set(df, v)); };
  const auto divisors = hn::And(hn::Ge(least_scale, bits(exact_division::kSmallestDivisor)),
                                hn::Le(most_scale, bits(exact_division::kLargestDivisor)));
  const VF32 first = hn::Add(hn::ConvertTo(df, least_offset), hn::Set(df, units.first));
  const VF32 last = hn::Add(hn::ConvertTo(df, most_offset), hn::Set(df, units.last));
  const auto exact = hn::And(hn::Ge(first, hn::Set(df, -units.limit)), hn::Le(last, hn::Set(df, units.limit)));
  return hn::AllTrue(df, hn::And(hn::RebindMask(df, divisors), exact));
}

// Whether the first offset is that of all.
HWY_INLINE bool AreAll(int32_t first_offset, V32 least_offset, V32 most_offset) {
  const V32 first = hn::Set(D32(), first_offset);
  return hn::AllTrue(D32(), hn::And(hn::Eq(least_offset, first), hn::Eq(most_offset, first)));
}

using exact_division::Broadcast;
using exact_division::MakeBroadcast;

constexpr size_t kGroup = 64;

// Of up to kGroup runs.
class RunScales {
 public:
  // The arrays must stay. False if one of the runs is not for the fast rules.
  bool Fill(const float* scales, const int32_t* offsets, size_t n, const Units& units) {
    const DF32 df;
    scale_ = scales;
    offset_ = offsets;
    const VF32 one = hn::Set(df, 1.0f), first = hn::Set(df, units.first), last = hn::Set(df, units.last);
    V32 least_scale = hn::BitCast(D32(), one), most_scale = least_scale;
    V32 least_offset = hn::Set(D32(), std::numeric_limits<int32_t>::max());
    V32 most_offset = hn::Set(D32(), std::numeric_limits<int32_t>::min());
    for (size_t i = 0; i < n; i += hn::Lanes(df)) {
      const VF32 s = LoadScales(scales + i, n - i);
      const V32 o = LoadOffsets(offsets, i, n - i);
      const VF32 origin = hn::ConvertTo(df, o);
      Widen(hn::BitCast(D32(), s), least_scale, most_scale);
      Widen(o, least_offset, most_offset);
      hn::Store(hn::Div(one, s), df, inverse_ + i);
      hn::Store(hn::Mul(s, hn::Add(origin, first)), df, low_ + i);
      hn::Store(hn::Mul(s, hn::Add(origin, last)), df, high_ + i);
    }
    same_offset_ = AreAll(*offsets, least_offset, most_offset);
    return AreFast(least_scale, most_scale, least_offset, most_offset, units);
  }

  HWY_INLINE bool HasSameOffset() const { return same_offset_; }
  HWY_INLINE bool HasNoOffset() const { return same_offset_ && *offset_ == 0; }

  // For a run of many vectors.
  HWY_INLINE VF32 Scale(size_t k) const { return hn::Set(DF32(), scale_[k]); }
  HWY_INLINE VF32 Inverse(size_t k) const { return hn::Set(DF32(), inverse_[k]); }
  HWY_INLINE VF32 Low(size_t k) const { return hn::Set(DF32(), low_[k]); }
  HWY_INLINE VF32 High(size_t k) const { return hn::Set(DF32(), high_[k]); }
  HWY_INLINE int32_t Offset(size_t k) const { return offset_[k]; }

  HWY_INLINE const float* Scales() const { return scale_; }

  // For a short run.
  HWY_INLINE Broadcast AtScale(size_t k) const { return MakeBroadcast(scale_ + k); }
  HWY_INLINE Broadcast AtInverse(size_t k) const { return MakeBroadcast(inverse_ + k); }

 private:
  const float* scale_ = nullptr;
  const int32_t* offset_ = nullptr;
  bool same_offset_ = false;
  alignas(64) float inverse_[kGroup], low_[kGroup], high_[kGroup];
};

// Of the elements of a row, each with its own.
class RowScales {
 public:
  // The arrays, and *this, must stay where they are. False if one of the elements is not for the fast rules.
  bool Fill(const float* scales, const int32_t* offsets, size_t n, const Units& units) {
    const DF32 df;
    scale_ = scales;
    offset_ = offsets;
    units_ = units;
    const VF32 one = hn::Set(df, 1.0f);
    V32 least_scale = hn::BitCast(D32(), one), most_scale = least_scale;
    V32 least_offset = hn::Set(D32(), std::numeric_limits<int32_t>::max());
    V32 most_offset = hn::Set(D32(), std::numeric_limits<int32_t>::min());
    const bool has_inverse = n <= kInverses;
    for (size_t i = 0; i < n; i += hn::Lanes(df)) {
      const VF32 s = LoadScales(scales + i, n - i);
      Widen(hn::BitCast(D32(), s), least_scale, most_scale);
      Widen(LoadOffsets(offsets, i, n - i), least_offset, most_offset);
      if (!has_inverse) continue;
      hn::Store(s, df, aligned_ + i);
      hn::Store(hn::Div(one, s), df, inverse_ + i);
    }
    if (has_inverse) scale_ = aligned_;
    has_inverse_ = has_inverse;
    same_offset_ = AreAll(*offsets, least_offset, most_offset);
    least_scale_ = hn::ReduceMin(df, hn::BitCast(df, least_scale));
    most_scale_ = hn::ReduceMax(df, hn::BitCast(df, most_scale));
    return AreFast(least_scale, most_scale, least_offset, most_offset, units);
  }

  // True: one offset for all, and reciprocals at hand.
  HWY_INLINE bool IsPlain() const { return has_inverse_ && same_offset_; }
  HWY_INLINE const float* Scales() const { return scale_; }
  HWY_INLINE const float* Inverses() const { return inverse_; }

  HWY_INLINE int32_t FirstOffset() const { return *offset_; }
  // Of all, and of 1.
  HWY_INLINE float LeastScale() const { return least_scale_; }
  HWY_INLINE float MostScale() const { return most_scale_; }

  // Of the elements from `at` on.
  HWY_INLINE VF32 Scale(size_t at, size_t left) const { return LoadScales(scale_ + at, left); }
  HWY_INLINE VF32 Inverse(VF32 scale, size_t at) const {
    return has_inverse_ ? hn::LoadU(DF32(), inverse_ + at) : hn::Div(hn::Set(DF32(), 1.0f), scale);
  }
  HWY_INLINE V32 Offset(size_t at, size_t left) const {
    return same_offset_ ? hn::Set(D32(), *offset_) : LoadOffsets(offset_, at, left);
  }
  HWY_INLINE VF32 First(V32 offset) const {
    return hn::Add(hn::ConvertTo(DF32(), offset), hn::Set(DF32(), units_.first));
  }
  HWY_INLINE VF32 Last(V32 offset) const {
    return hn::Add(hn::ConvertTo(DF32(), offset), hn::Set(DF32(), units_.last));
  }

 private:
  // A row whose reciprocals are kept, and its scales, which need not lie at whole lines: 32 KiB of the stack.
  static constexpr size_t kInverses = 4096;

  const float* scale_ = nullptr;
  const int32_t* offset_ = nullptr;
  Units units_{};
  bool has_inverse_ = false, same_offset_ = false;
  float least_scale_ = 1, most_scale_ = 1;
  alignas(64) float aligned_[kInverses + 16], inverse_[kInverses + 16];
};

}  // namespace affine

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_AFFINE_SCALES_INL_H_
