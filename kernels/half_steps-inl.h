// Per-target: float16 and bfloat16 on the grid of a small float format without leaving their 16 bits.
//
// Under one scale the result is a step function of the bits of |x|, and from one power of two to the next it repeats
// itself: doubling x doubles x / s, its rounding and the product, as long as all of them are normal numbers. So one
// binade says everything. Grids of 3 mantissa bits have at most 8 steps in a binade of their own, which under a scale
// come to be at least 1/16 of a binade of x apart: of 32 intervals none holds two. Two tables of 32 entries, in a
// register each, are enough: what to add to the bits so that those from the step on are carried into the next interval,
// and the result of the interval that they are in then. 0.5 of a stream's speed became 0.9 (e4m3, Zen 4).

#if defined(LANEQUANT_KERNELS_HALF_STEPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_HALF_STEPS_INL_H_
#undef LANEQUANT_KERNELS_HALF_STEPS_INL_H_
#else
#define LANEQUANT_KERNELS_HALF_STEPS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/contracts_float.h"
#include "kernels/round_float-inl.h"
#include "kernels/small_floats-inl.h"

// Whether a vector holds a table.
#undef LQ_HALF_STEPS
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#define LQ_HALF_STEPS 1
#else
#define LQ_HALF_STEPS 0
#endif

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace half_steps {

#if LQ_HALF_STEPS

// kType: float16 or bfloat16.
template <FloatType kType>
class Steps {
 public:
  // False: not for this scale and grid, or not worth the thousand values that are tried, for n elements.
  bool Fill(float scale, const FloatGrid& grid, size_t n) {
    constexpr size_t kWorthIt = 8192;
    constexpr float kLargestScale = 0x1p60f;  // so that no quotient of a normal number is subnormal
    if (n < kWorthIt || grid.mantissa_bits > 3 || grid.is_bfloat16 || grid.carry != nullptr) return false;
    if (grid.unsigned_zero || round_float::Overflows(grid)) return false;
    if (!(scale >= 1 / kLargestScale && scale <= kLargestScale)) return false;
    filled_ = SetBounds(scale, grid) && SetTables(scale, grid.mantissa_bits);
    return filled_;
  }

  // Whole vectors until one has an element that is not for the tables: NaN, or so small but not 0 that the grid's steps
  // no longer shrink with it. Returns the number of elements done. direct: around the caches, to an aligned `out`.
  HWY_INLINE size_t Run(const uint16_t* in, size_t n, uint16_t* out, bool direct) const {
    if (!filled_) return 0;
    const D16 d;
    const V16 carries = hn::Load(d, carries_), results = hn::Load(d, results_);
    const V16 least = hn::Set(d, least_), range = hn::Set(d, static_cast<uint16_t>(kInfinity - least_));
    const V16 most = hn::Set(d, most_), magnitude_bits = hn::Set(d, 0x7FFF), binade = hn::Set(d, kBinade);
    size_t i = 0;
    for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
      const V16 x = hn::LoadU(d, in + i);
      const V16 magnitude = hn::And(x, magnitude_bits);
      const auto is_zero = hn::Eq(magnitude, hn::Zero(d));
      const auto outside = hn::Gt(hn::Sub(magnitude, least), range);
      if (HWY_UNLIKELY(!hn::AllFalse(d, hn::AndNot(is_zero, outside)))) break;
      const V16 carried = hn::Add(magnitude, Lookup(carries, magnitude));
      const V16 y = hn::Min(hn::Add(hn::And(carried, binade), Lookup(results, carried)), most);
      const V16 with_sign = hn::OrAnd(hn::IfThenZeroElse(is_zero, y), hn::Set(d, 0x8000), x);
      small_floats::StoreOrStream(d, with_sign, out + i, direct);
    }
    return i;
  }

 private:
  using D16 = hn::CappedTag<uint16_t, 32>;
  using V16 = hn::Vec<D16>;
  using DF = hn::CappedTag<float, 16>;

  static constexpr int kMantissaBits = kType == FloatType::kF16 ? 10 : 7, kIntervalBits = 5;
  static constexpr size_t kIntervals = size_t{1} << kIntervalBits,
                          kInterval = size_t{1} << (kMantissaBits - kIntervalBits);
  static constexpr uint16_t kStep = 1 << kMantissaBits;               // from a binade's bits to the next one's
  static constexpr uint16_t kBinade = static_cast<uint16_t>(-kStep);  // mask of the bits that say which
  static constexpr uint16_t kInfinity = 0x7FFF & kBinade;
  static constexpr uint16_t kOne = kType == FloatType::kF16 ? 0x3C00 : 0x3F80;

  // By the interval that the bits are in; the instruction ignores those above.
  HWY_INLINE static V16 Lookup(V16 table, V16 bits) {
    return V16{_mm512_permutexvar_epi16(hn::ShiftRight<kMantissaBits - kIntervalBits>(bits).raw, table.raw)};
  }

  static uint16_t BitsOf(float v) { return hn::GetLane(small_floats::Narrow<kType>(DF(), hn::Set(DF(), v))); }

  bool SetBounds(float scale, const FloatGrid& grid) {
    const DF df;
    const float smallest = hwy::BitCastScalar<float>(round_float::PowerBits(grid.min_exponent));
    const auto limit = hn::Set(df, grid.limit);
    const auto largest = round_float::RoundToGrid<round_float::GridKind::kPlain>(limit, limit, grid, false);
    most_ = BitsOf(hn::GetLane(largest) * scale);
    // One more, as that may have been rounded down. Results are up to a binade below.
    least_ = std::max<uint16_t>(static_cast<uint16_t>(BitsOf(smallest * scale) + 1), 2 * kStep);
    return most_ < kInfinity && least_ < most_;
  }

  // From the binade of 1. A step's own place in its interval says what carries it into the next one.
  bool SetTables(float scale, int mantissa_bits) {
    alignas(64) uint16_t y[kStep];
    ResultsFrom1(scale, mantissa_bits, y);
    for (size_t k = 0; k < kIntervals; ++k) {
      const uint16_t* own = y + k * kInterval;
      const auto next = static_cast<uint16_t>(k + 1 < kIntervals ? own[kInterval] : y[0] + kStep);
      const auto before =
          static_cast<size_t>(std::find_if(own, own + kInterval, [&](uint16_t v) { return v != *own; }) - own);
      if (before < kInterval && own[before] != next) return false;  // two steps
      carries_[k] = static_cast<uint16_t>(kInterval - before);
      results_[k] = static_cast<uint16_t>(*own - kOne);
    }
    return true;
  }

  // The results of all values from 1 to less than 2, on a grid without bounds.
  static void ResultsFrom1(float scale, int mantissa_bits, uint16_t* y) {
    const DF df;
    const hn::Rebind<uint16_t, DF> d16;
    const auto s = hn::Set(df, scale);
    for (size_t i = 0; i < kStep; i += hn::Lanes(df)) {
      const auto x = small_floats::Widen<kType>(df, hn::Iota(d16, static_cast<uint16_t>(kOne + i)));
      const auto t = hn::Div(x, s);
      const auto r = round_float::RoundToStep(df, t, round_float::ExponentBits(df, t), -126, mantissa_bits);
      hn::Store(small_floats::Narrow<kType>(df, hn::Mul(r, s)), d16, y + i);
    }
  }

  bool filled_ = false;
  uint16_t least_ = 0, most_ = 0;  // bits: the smallest |x| for the tables, the largest |y|
  alignas(64) uint16_t carries_[kIntervals], results_[kIntervals];  // results less the bits of the binade
};

#endif

// Takes nothing.
struct NoSteps {
  bool Fill(float /*scale*/, const FloatGrid& /*grid*/, size_t /*n*/) { return false; }
  size_t Run(const void* /*in*/, size_t /*n*/, const void* /*out*/, bool /*direct*/) const { return 0; }
};

#if !LQ_HALF_STEPS
template <FloatType>
using Steps = NoSteps;
#endif

}  // namespace half_steps

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_HALF_STEPS_INL_H_
