// Per-target: floats on the grid of a small float format where short runs have a scale each, such as blocks of 32, or
// the elements of a row.
//
// What a loop for each run would set up, a division above all, took two thirds of the time: here it is done for 64 runs
// at once, and their loops are one. Rows keep their reciprocals.

#if defined(LANEQUANT_KERNELS_FLOAT_RUNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_FLOAT_RUNS_INL_H_
#undef LANEQUANT_KERNELS_FLOAT_RUNS_INL_H_
#else
#define LANEQUANT_KERNELS_FLOAT_RUNS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/affine_scales-inl.h"
#include "kernels/contracts_float.h"
#include "kernels/exact_division-inl.h"
#include "kernels/round_float-inl.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace float_runs {

using round_float::DF32;
using round_float::VF32;
using small_floats::Element;

constexpr size_t kGroup = affine::kGroup;
constexpr size_t kPair = 2 * hn::MaxLanes(DF32());  // elements that runs are multiples of

// Runs k .. k + runs - 1 of a group, `run` elements of each.
template <FloatType kType>
struct Runs {
  const Element<kType>* in;
  size_t run, k, runs;
  Element<kType>* out;
};

// The same for all runs.
struct Rounding {
  const FloatGrid& grid;
  bool overflows;  // round_float::Overflows(grid)
  bool far;        // no cache holds the input
  bool around;     // stores go around the caches: `out` is then aligned
};

// For up to kGroup runs. False if exact_division-inl.h does not take one of the scales.
HWY_INLINE bool Fill(const float* scales, size_t n, float limit, affine::RunScales& divisors) {
  alignas(64) static constexpr int32_t kNoOffsets[kGroup] = {};
  return divisors.Fill(scales, kNoOffsets, n, {-limit, limit, limit});
}

// kExact: as exact_division-inl.h divides.
template <bool kExact, FloatType kType>
HWY_INLINE void Run(const Runs<kType>& job, size_t run, const affine::RunScales& divisors, const Rounding& rounding) {
  const DF32 df;
  const size_t lanes = hn::Lanes(df);
  const FloatGrid grid = rounding.grid;  // stores cannot change these copies
  const bool overflows = rounding.overflows, far = rounding.far, around = rounding.around;
  const VF32 limit = hn::Set(df, grid.limit);
  const Element<kType>* in = job.in;
  Element<kType>* out = job.out;
  for (size_t k = job.k; k < job.k + job.runs; ++k, in += run, out += run) {
    const VF32 low = divisors.Low(k), high = divisors.High(k);
    const auto quotient = [&](VF32 x) HWY_ATTR {
      if constexpr (!kExact) return round_float::Limit(hn::Div(x, divisors.Scale(k)), limit);
      const VF32 inside = quantize::Smaller(high, quantize::Larger(low, x));  // NaN stays
      return exact_division::Quotient(inside, divisors.AtScale(k), divisors.AtInverse(k));
    };
    const auto value = [&](VF32 x) HWY_ATTR {
      const VF32 r = round_float::RoundToGrid<round_float::GridKind::kPlain>(quotient(x), x, grid, overflows);
      return hn::Mul(r, exact_division::Get(divisors.AtScale(k)));
    };
    for (size_t i = 0; i < run; i += 2 * lanes) {
      VF32 a, b;
      if (far) stream::PrefetchAhead(in + i, 2 * lanes * sizeof(*in));
      small_floats::LoadPair<kType>(df, in + i, a, b);
      small_floats::StorePair<kType>(df, value(a), value(b), out + i, around);
    }
  }
}

// Where the compiler knows a run's size nothing of the inner loop is left.
template <bool kExact, FloatType kType>
HWY_INLINE void RunAll(const Runs<kType>& job, const affine::RunScales& divisors, const Rounding& rounding) {
  if (kExact && job.run == kPair) return Run<kExact>(job, kPair, divisors, rounding);
  Run<kExact>(job, job.run, divisors, rounding);
}

// Scales of the elements of a row.
class Row {
 public:
  static constexpr size_t kMost = 4096;  // elements: 32 KiB of the stack

  // False if exact_division-inl.h does not take one of the scales.
  bool Fill(const float* scales, size_t n) {
    const DF32 df;
    const VF32 one = hn::Set(df, 1.0f), smallest = hn::Set(df, exact_division::kSmallestDivisor);
    const VF32 largest = hn::Set(df, exact_division::kLargestDivisor);
    for (size_t i = 0; i < n; i += hn::Lanes(df)) {
      const VF32 s = affine::LoadScales(scales + i, n - i);
      if (!hn::AllTrue(df, hn::And(hn::Ge(s, smallest), hn::Le(s, largest)))) return false;
      hn::Store(s, df, scale_ + i);
      hn::Store(hn::Div(one, s), df, inverse_ + i);
    }
    return true;
  }

  HWY_INLINE VF32 Scale(size_t at) const { return hn::LoadU(DF32(), scale_ + at); }
  HWY_INLINE VF32 Inverse(size_t at) const { return hn::LoadU(DF32(), inverse_ + at); }

  // n elements, the first of them that of scale `at`.
  template <FloatType kType>
  HWY_INLINE void Run(const Element<kType>* in, size_t n, size_t at, const Rounding& rounding,
                      Element<kType>* out) const {
    const DF32 df;
    const size_t lanes = hn::Lanes(df);
    const FloatGrid grid = rounding.grid;  // stores cannot change these copies
    const bool overflows = rounding.overflows, far = rounding.far, around = rounding.around;
    const VF32 limit = hn::Set(df, grid.limit);
    const auto value = [&](VF32 x, size_t i) HWY_ATTR {
      const VF32 scale = Scale(at + i), inverse = Inverse(at + i);
      const VF32 t = exact_division::Quotient(round_float::Limit(x, hn::Mul(scale, limit)), scale, inverse);
      return hn::Mul(round_float::RoundToGrid<round_float::GridKind::kPlain>(t, x, grid, overflows), scale);
    };
    size_t i = 0;
    if constexpr (kType == FloatType::kF32) {
      for (; i + lanes <= n; i += lanes) {
        if (far) stream::PrefetchAhead(in + i, lanes * sizeof(*in));
        small_floats::StoreOrStream(df, value(hn::LoadU(df, in + i), i), out + i, around);
      }
    }
    for (; i < n; i += lanes) {
      if (far) stream::PrefetchAhead(in + i, lanes * sizeof(*in));
      small_floats::Store<kType>(df, value(small_floats::Load<kType>(df, in + i, n - i), i), out + i, n - i);
    }
  }

 private:
  alignas(64) float scale_[kMost], inverse_[kMost];  // a multiple of any vector's lanes
};

}  // namespace float_runs

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_FLOAT_RUNS_INL_H_
