// Per-target: float16 and bfloat16 on a grid of up to 16 values, such as that of 4-bit codes.
//
// The values of a run lie in one vector of 16-bit lanes. What is added to a unit leaves its place there in the low bits
// of the sum, so that one shuffle takes the places of two vectors to their values: no product, no conversion, both of
// which CPUs do for half as many elements at a time. NaN leaves zeros in the low bits, where the vector holds NaN.
//
// The division is a multiplication by 1 / s where no value of the type is near a tie t * s: both quotients are within
// 2^-23 of the true one, relative to it. Ties that are at least kNear places of a float away from all values of 11 or
// 8 bits are far enough; of scales of 4-bit codes 98 % have such ties only.

#if defined(LANEQUANT_KERNELS_HALF_VALUES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_HALF_VALUES_INL_H_
#undef LANEQUANT_KERNELS_HALF_VALUES_INL_H_
#else
#define LANEQUANT_KERNELS_HALF_VALUES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/affine_rules-inl.h"
#include "kernels/affine_scales-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

// Whether a vector holds the values.
#undef LQ_HALF_VALUES
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#define LQ_HALF_VALUES 1
#else
#define LQ_HALF_VALUES 0
#endif

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace affine {

// Runs k .. k + runs - 1, `run` elements of each: a multiple of HalfValues::kPair.
struct HalfRuns {
  const uint16_t* in;
  size_t run, k, runs;
  uint16_t* out;
};

#if LQ_HALF_VALUES

// Of up to kGroup runs. kHasBF16: of bfloat16, where small_floats::HasBF16().
template <FloatType kType, bool kHasBF16>
class HalfValues {
 public:
  static constexpr size_t kPair = 32;  // elements of two vectors of floats

  template <Rule kRule>
  void Fill(const RunScales& runs, size_t n, const Units& units) {
    first_ = units.First(runs.Offset(0));
    const float last = first_ + (units.last - units.first);
    filled_ = runs.HasSameOffset() && last - first_ < kValues && first_ <= 0 && last >= 0;
    if (filled_ && kRule == Rule::kDivide) FindNearTies(runs, n, std::max(-first_, last));
  }
  bool filled() const { return filled_; }

  // Around the caches: `out` is then aligned.
  template <Rule kRule, bool kKeepNan>
  HWY_INLINE void Run(const HalfRuns& job, const RunScales& runs, bool around) const {
    const DF32 df;
    // Stores could be to members, for all that the compiler knows.
    const VF32 units = hn::Add(hn::Iota(df, 0), hn::Set(df, first_)), zero = hn::Zero(df);
    const VF32 origin = hn::Set(df, kMagic + kValues - first_);
    const uint16_t* in = job.in;
    uint16_t* out = job.out;
    for (size_t k = job.k; k < job.k + job.runs; ++k, in += job.run, out += job.run) {
      const VF32 scale = runs.Scale(k), inverse = runs.Inverse(k), low = runs.Low(k), high = runs.High(k);
      const V16 values = Values(hn::MulAdd(units, scale, zero));
      const auto inside = [&](VF32 x) HWY_ATTR { return Inside<kKeepNan>(x, low, high); };
      if (kRule == Rule::kDivide && near_[k] >= 2 * kNear) {
        const auto place = [&](VF32 x) HWY_ATTR { return hn::MulAdd(inside(x), inverse, origin); };
        ForEachPair(in, job.run, around, place, values, out);
      } else {
        const auto place = [&](VF32 x) HWY_ATTR {
          return hn::Add(hn::Round(Quotient<kRule>(inside(x), scale, inverse, zero, zero)), origin);
        };
        ForEachPair(in, job.run, around, place, values, out);
      }
    }
  }

 private:
  using D16 = hn::Repartition<uint16_t, DF32>;
  using V16 = hn::Vec<D16>;
  static constexpr float kValues = 16;
  static constexpr int32_t kNear = 8;

  // For each run how near a tie comes to a value of the type: kNear more than the places between them, modulo the
  // places from value to value.
  void FindNearTies(const RunScales& runs, size_t n, float end) {
    constexpr int32_t kBetween = kType == FloatType::kF16 ? 0x1FFF : 0xFFFF;
    const DF32 df;
    const D32 d;
    for (size_t i = 0; i < n; i += hn::Lanes(df)) {
      const VF32 scale = LoadScales(runs.Scales() + i, n - i);
      V32 nearest = hn::Set(d, kBetween);
      for (float tie = 0.5f; tie < end; ++tie) {
        const V32 bits = hn::BitCast(d, hn::Mul(scale, hn::Set(df, tie)));
        nearest = hn::Min(nearest, hn::And(hn::Add(bits, hn::Set(d, kNear)), hn::Set(d, kBetween)));
      }
      hn::Store(nearest, d, near_ + i);
    }
  }

  template <class Place>
  HWY_INLINE static void ForEachPair(const uint16_t* in, size_t n, bool around, const Place& place, V16 values,
                                     uint16_t* out) {
    const DF32 df;
    for (size_t i = 0; i < n; i += kPair) {
      VF32 a, b;
      if (around) stream::PrefetchAhead(in + i, kPair * sizeof(*in));
      small_floats::LoadPair<kType>(df, in + i, a, b);
      const V16 places = Join(place(a), place(b));
      small_floats::StoreOrStream(D16(), V16{_mm512_permutexvar_epi16(places.raw, values.raw)}, out + i, around);
    }
  }

  // Lanes 16 to 31, the places of units: their values. The others, of which NaN has the first: NaN.
  HWY_INLINE static V16 Values(VF32 values) {
    const DF32 df;
    const hn::Rebind<uint16_t, DF32> half;
    if constexpr (kHasBF16) return small_floats::BF16OfBoth(df, hn::NaN(df), values);
    return hn::Combine(D16(), small_floats::Narrow<kType>(df, values), hn::Set(half, 0x7FFF));
  }

  // The lower halves of the lanes, in the order of LoadPair.
  HWY_INLINE static V16 Join(VF32 a, VF32 b) {
    const D16 d16;
    if constexpr (kType == FloatType::kF16) {
      return hn::ConcatEven(d16, hn::BitCast(d16, b), hn::BitCast(d16, a));
    } else {
      alignas(64) static constexpr uint16_t kFrom[] = {0,  32, 2,  34, 4,  36, 6,  38, 8,  40, 10, 42, 12, 44, 14, 46,
                                                       16, 48, 18, 50, 20, 52, 22, 54, 24, 56, 26, 58, 28, 60, 30, 62};
      return hn::TwoTablesLookupLanes(d16, hn::BitCast(d16, a), hn::BitCast(d16, b), hn::SetTableIndices(d16, kFrom));
    }
  }

  bool filled_ = false;
  float first_ = 0;
  alignas(64) int32_t near_[kGroup];
};

#else

// Takes nothing.
template <FloatType kType, bool kHasBF16>
class HalfValues {
 public:
  static constexpr size_t kPair = 1;

  template <Rule kRule>
  void Fill(const RunScales& /*runs*/, size_t /*n*/, const Units& /*units*/) {}
  bool filled() const { return false; }
  template <Rule kRule, bool kKeepNan>
  void Run(const HalfRuns& /*job*/, const RunScales& /*runs*/, bool /*around*/) const {}
};

#endif

}  // namespace affine

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_HALF_VALUES_INL_H_
