// Per-target: from exact sums, in binary64 vectors, to real outputs and to codes of up to 16 bits.
//
// Real outputs are computed as contracts.h writes them. Codes take one multiply-add, v = acc * real_mul + real_add,
// that is t - o but for rounding; the code is rint(v), clamped, unless v is within kRealWindow of a half: then the lane
// is redone as written (epilogue.cc), which also follows the profile's rule for ties.
//
// |v - (t - o)| < kRealWindow, t as written in binary64: saturated codes need no more than order (every step is
// monotone in acc), so only |t - o| <= 2^16 + 1 counts. epilogue_setup.cc keeps |C|, |o| and every constant that may
// cancel below 2^28 codes, so that no intermediate value is above 2^30 codes; there are at most 6 roundings as written,
// 8 in real_mul and real_add and 2 in the multiply-add (one where the target has FMA): 16 * 2^-53 * 2^30 = 2^-19.

#ifndef LANEQUANT_KERNELS_EPILOGUE_REAL_INL_ARGS_
#define LANEQUANT_KERNELS_EPILOGUE_REAL_INL_ARGS_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/contracts.h"
#include "kernels/epilogue.h"

namespace lq::kernels {

// Rows of accumulators for the channels n0 .. n0 + count - 1.
struct FinishArgs {
  const int32_t* acc;  // row 0, channel n0: dots without start; rows are readable up to a multiple of 16 lanes
  size_t acc_stride;
  size_t rows;           // of outputs
  size_t n0, count;      // n0 + count rounded up to 16 is within the arrays of the epilogue
  const int32_t* start;  // Finish: of channel 0: start_u8 or start_s8 of the epilogue
  const Epilogue* epilogue;
  OutputType type;
  void* out;  // row 0, channel n0; nothing else than rows x count outputs is written
  size_t out_stride;
  const double* plane_start = nullptr;  // FinishPlanes: of channel 0: start_u16 or start_s16
  const float* totals = nullptr;        // FinishFloats: in the place of acc
  // FinishRowTerms: of the call, the row of the call that row 0 is, and what the dots' codes are short of.
  const RowTerms* row_terms = nullptr;
  size_t first_row = 0;
  double missing = 0;
};

// The dot alone may have left int32; its sum with start does not.
inline int32_t WrappingAdd(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

constexpr double kRealWindow = 1.0 / 65536;  // 3 of 100 000 lanes are redone

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_EPILOGUE_REAL_INL_ARGS_

#if defined(LANEQUANT_KERNELS_EPILOGUE_REAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_EPILOGUE_REAL_INL_H_
#undef LANEQUANT_KERNELS_EPILOGUE_REAL_INL_H_
#else
#define LANEQUANT_KERNELS_EPILOGUE_REAL_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_HAVE_FLOAT64
namespace epilogue {
using D64 = hn::CappedTag<double, 8>;
using DHalf = hn::Rebind<int32_t, D64>;
using V64 = hn::Vec<D64>;
}  // namespace epilogue
#endif

// The exact sums of a row, channel n0 + i: of u8 codes, one dot each.
struct DotSums {
  DotSums(const FinishArgs& args, size_t row) : acc(args.acc + row * args.acc_stride), start(args.start + args.n0) {}

#if HWY_HAVE_FLOAT64
  HWY_INLINE epilogue::V64 Vector(size_t i) const {
    const epilogue::DHalf d;
    return hn::PromoteTo(epilogue::D64(), hn::Add(hn::LoadU(d, acc + i), hn::LoadU(d, start + i)));
  }
#endif
  Accumulator Scalar(size_t i) const { return {static_cast<double>(WrappingAdd(acc[i], start[i]))}; }

  const int32_t* acc;
  const int32_t* start;
};

// Of u16 codes: rows 2 * row and 2 * row + 1 hold the dots of their high and of their low bytes.
struct PlaneSums {
  PlaneSums(const FinishArgs& args, size_t row)
      : high(args.acc + 2 * row * args.acc_stride), low(high + args.acc_stride), start(args.plane_start + args.n0) {}

#if HWY_HAVE_FLOAT64
  HWY_INLINE epilogue::V64 Vector(size_t i) const {
    const epilogue::D64 d;
    const epilogue::DHalf half;
    const auto low_start = hn::Add(hn::PromoteTo(d, hn::LoadU(half, low + i)), hn::LoadU(d, start + i));
    return hn::MulAdd(hn::PromoteTo(d, hn::LoadU(half, high + i)), hn::Set(d, 256.0), low_start);
  }
#endif
  Accumulator Scalar(size_t i) const { return {256.0 * high[i] + (low[i] + start[i])}; }

  const int32_t* high;
  const int32_t* low;
  const double* start;
};

// Sums of floats.
struct FloatSums {
  FloatSums(const FinishArgs& args, size_t row) : totals(args.totals + row * args.acc_stride) {}

#if HWY_HAVE_FLOAT64
  HWY_INLINE epilogue::V64 Vector(size_t i) const {
    const hn::Rebind<float, epilogue::D64> df32;
    return hn::PromoteTo(epilogue::D64(), hn::LoadU(df32, totals + i));
  }
#endif
  Accumulator Scalar(size_t i) const { return {double{totals[i]}}; }

  const float* totals;
};

// Of rows with terms of their own. Integers below 2^53: binary64 adds them up exactly.
template <size_t kPlanes>
struct RowSums {
  RowSums(const FinishArgs& args, size_t row)
      : acc(args.acc + kPlanes * row * args.acc_stride),
        acc_stride(args.acc_stride),
        weight_sum(args.row_terms->weight_sum + args.n0),
        offset(args.row_terms->offset[args.first_row + row] + args.missing),
        start(args.row_terms->start[args.first_row + row]),
        scale(args.row_terms->scale == nullptr ? 1.0 : args.row_terms->scale[args.first_row + row]) {}

#if HWY_HAVE_FLOAT64
  HWY_INLINE epilogue::V64 Vector(size_t i) const {
    const epilogue::D64 d;
    const epilogue::DHalf half;
    auto sum = hn::PromoteTo(d, hn::LoadU(half, acc + i));
    if (kPlanes == 2) {
      const auto low = hn::PromoteTo(d, hn::LoadU(half, acc + acc_stride + i));
      sum = hn::MulAdd(sum, hn::Set(d, 256.0), low);
    }
    const auto terms = hn::MulAdd(hn::Set(d, offset), hn::LoadU(d, weight_sum + i), hn::Set(d, start));
    return hn::Add(sum, terms);
  }
#endif
  Accumulator Scalar(size_t i) const {
    double sum = acc[i];
    if (kPlanes == 2) sum = 256.0 * sum + acc[acc_stride + i];
    return {sum + (offset * weight_sum[i] + start), scale};
  }

  const int32_t* acc;
  size_t acc_stride;
  const double* weight_sum;
  double offset, start, scale;
};

namespace epilogue {

#if HWY_HAVE_FLOAT64

// What multiplies the sums.
template <class Sums>
HWY_INLINE V64 ScaleVector(const Sums&, const double* scale) {
  return hn::LoadU(D64(), scale);
}
template <size_t kPlanes>
HWY_INLINE V64 ScaleVector(const RowSums<kPlanes>& sums, const double* scale) {
  return hn::Mul(hn::Set(D64(), sums.scale), hn::LoadU(D64(), scale));
}

template <class Sums>
HWY_INLINE V64 RealVector(const Sums& sums, const FinishArgs& args, size_t i) {
  const D64 d;
  const Epilogue& e = *args.epilogue;
  const size_t channel = args.n0 + i;
  auto y = hn::Mul(sums.Vector(i), ScaleVector(sums, e.scale + channel));
  if (e.bias != nullptr) y = hn::Add(y, hn::LoadU(d, e.bias + channel));
  if (e.bn_mean != nullptr) {
    y = hn::Mul(hn::Sub(y, hn::LoadU(d, e.bn_mean + channel)), hn::LoadU(d, e.bn_gain + channel));
    y = hn::Add(y, hn::LoadU(d, e.bn_beta + channel));
  }
  const auto low = hn::Set(d, e.clip_min), high = hn::Set(d, e.clip_max);
  y = hn::IfThenElse(hn::Lt(y, low), low, y);
  return hn::IfThenElse(hn::Gt(y, high), high, y);
}

template <class Sums>
HWY_INLINE void RealRow(const Sums& sums, const FinishArgs& args, size_t index) {
  const D64 d;
  const hn::Rebind<float, D64> df32;
  for (size_t i = 0; i < args.count; i += hn::Lanes(d)) {
    const auto y = RealVector(sums, args, i);
    const size_t at = index + i, left = args.count - i;
    if (args.type == OutputType::kF64) {
      hn::StoreN(y, d, static_cast<double*>(args.out) + at, left);
      continue;
    }
    const auto narrow = hn::DemoteTo(df32, y);
    if (args.type == OutputType::kF32) {
      hn::StoreN(narrow, df32, static_cast<float*>(args.out) + at, left);
    } else if (args.type == OutputType::kF16) {
      small_floats::Store<FloatType::kF16>(df32, narrow, static_cast<uint16_t*>(args.out) + at, left);
    } else {
      small_floats::Store<FloatType::kBF16>(df32, narrow, static_cast<uint16_t*>(args.out) + at, left);
    }
  }
}

template <class Sums>
HWY_INLINE void SumRow(const Sums& sums, const FinishArgs& args, int32_t* HWY_RESTRICT out) {
  for (size_t i = 0; i < args.count; i += hn::Lanes(DHalf())) {
    hn::StoreN(hn::DemoteInRangeTo(DHalf(), sums.Vector(i)), DHalf(), out + i, args.count - i);
  }
}

// Lanes near a half. `v` may differ from the vectors' by the rounding of a fused multiply-add: hence twice the window.
template <class T, class Sums>
HWY_NOINLINE void RedoNearHalves(const Sums& sums, const FinishArgs& args, T* out) {
  const Epilogue& e = *args.epilogue;
  for (size_t i = 0; i < args.count; ++i) {
    const size_t channel = args.n0 + i;
    const double v = sums.Scalar(i).acc * e.real_mul[channel] + e.real_add[channel];
    if (std::abs(v - std::rint(v)) < 0.5 - 2 * kRealWindow) continue;
    out[i] = static_cast<T>(CodeOf(RealOutput(sums.Scalar(i), channel, e), e.to));
  }
}

// Where sums may be infinite or NaN, distances are NaN too: none of them may hide another lane's, and NaN becomes lo.
template <class Sums>
HWY_INLINE V64 Larger(V64 a, V64 b) {
  if constexpr (std::is_same_v<Sums, FloatSums>) return hn::IfThenElse(hn::Gt(a, b), a, b);
  return hn::Max(a, b);
}

// v as a fixed point number of 16.16 bits, 1/2 + 2^-16 added: of a sum around 2^36, of which the last bit is 2^-16, the
// low 32 bits of the mantissa. Clamped first, less than half a code outside the grid. Rounding moves it by half of
// 2^-16 and v by less than an eighth of that: as in epilogue-inl.h the high half is the code unless the low half is
// below 2.
using D32Wide = hn::Repartition<uint32_t, D64>;
using D16Wide = hn::Repartition<uint16_t, D64>;
HWY_INLINE hn::Vec<D32Wide> WideFixedPoint(V64 sums, V64 mul, V64 add) {
  const D64 d;
  const V64 clamped = hn::Min(hn::Max(hn::MulAdd(sums, mul, add), hn::Set(d, -0.25)), hn::Set(d, 65535.25));
  return hn::BitCast(D32Wide(), hn::Add(clamped, hn::Set(d, 0x1.8p36 + 0.5 + 0x1p-16)));
}
template <class Sums>
HWY_INLINE hn::Vec<D32Wide> WideFixedPoint(const Sums& sums, const Epilogue& e, size_t channel, size_t i) {
  const D64 d;
  return WideFixedPoint(sums.Vector(i), hn::LoadU(d, e.real_mul + channel), hn::LoadU(d, e.real_add + channel));
}

// The codes of vectors of fixed points, in order. lowest: of the low halves of pairs of lanes, and of what it was; the
// high ones are not looked at.
HWY_INLINE hn::Vec<D16Wide> PackWide(hn::Vec<D32Wide> u0, hn::Vec<D32Wide> u1, hn::Vec<D32Wide> u2, hn::Vec<D32Wide> u3,
                                     hn::Vec<D16Wide>& lowest) {
  const D16Wide d16;
  const D32Wide d32;
  const auto a = hn::BitCast(d16, hn::ConcatEven(d32, u1, u0)), b = hn::BitCast(d16, hn::ConcatEven(d32, u3, u2));
  lowest = hn::Min(lowest, hn::Min(a, b));
  return hn::ConcatOdd(d16, b, a);
}
HWY_INLINE bool NearWideTie(hn::Vec<D16Wide> lowest) {
  const D32Wide d32;
  const auto fraction = hn::And(hn::BitCast(d32, lowest), hn::Set(d32, 0xFFFF));
  return !hn::AllFalse(d32, hn::Lt(fraction, hn::Set(d32, 2)));
}

// The u16 codes of four vectors of channels at a time, as far as they go: returns how many. near: lanes are to be
// redone.
template <class Sums>
HWY_INLINE size_t WideCodes(const Sums& sums, const FinishArgs& args, uint16_t* HWY_RESTRICT out, bool* near) {
  const D16Wide d16;
  const Epilogue& e = *args.epilogue;
  const auto lo = hn::Set(d16, static_cast<uint16_t>(e.to.lo)), hi = hn::Set(d16, static_cast<uint16_t>(e.to.hi));
  const size_t lanes = hn::Lanes(D64());
  auto lowest = hn::Set(d16, uint16_t{0xFFFF});
  size_t i = 0;
  for (; i + 4 * lanes <= args.count; i += 4 * lanes) {
    const size_t c = args.n0 + i;
    const auto u0 = WideFixedPoint(sums, e, c, i), u1 = WideFixedPoint(sums, e, c + lanes, i + lanes);
    const auto u2 = WideFixedPoint(sums, e, c + 2 * lanes, i + 2 * lanes);
    const auto u3 = WideFixedPoint(sums, e, c + 3 * lanes, i + 3 * lanes);
    hn::StoreU(hn::Min(hn::Max(PackWide(u0, u1, u2, u3, lowest), lo), hi), d16, out + i);
  }
  *near = NearWideTie(lowest);
  return i;
}

template <class T, class Sums>
HWY_INLINE void CodeRow(const Sums& sums, const FinishArgs& args, T* HWY_RESTRICT out) {
  const D64 d;
  const hn::Rebind<T, D64> narrow;
  const double* mul = args.epilogue->real_mul + args.n0;
  const double* add = args.epilogue->real_add + args.n0;
  const V64 lo = hn::Set(d, args.epilogue->to.lo), hi = hn::Set(d, args.epilogue->to.hi);
  const size_t lanes = hn::Lanes(d), count = args.count;
  V64 farthest = hn::Zero(d);
  bool near = false;
  size_t i = 0;
  if constexpr (std::is_same_v<T, uint16_t> && !std::is_same_v<Sums, FloatSums>) i = WideCodes(sums, args, out, &near);
  for (; i < count; i += lanes) {
    const V64 v = hn::MulAdd(sums.Vector(i), hn::LoadU(d, mul + i), hn::LoadU(d, add + i));
    const V64 rounded = hn::Round(v);
    farthest = Larger<Sums>(hn::Abs(hn::Sub(v, rounded)), farthest);
    const V64 clamped = hn::Min(Larger<Sums>(rounded, lo), hi);
    const auto codes = hn::DemoteTo(narrow, hn::DemoteInRangeTo(DHalf(), clamped));
    if (i + lanes <= count) {
      hn::StoreU(codes, narrow, out + i);
    } else {
      hn::StoreN(codes, narrow, out + i, count - i);
    }
  }
  near |= !hn::AllFalse(d, hn::Gt(farthest, hn::Set(d, 0.5 - kRealWindow)));
  if (HWY_UNLIKELY(near)) RedoNearHalves(sums, args, out);
}

#else  // HWY_HAVE_FLOAT64

template <class Sums>
HWY_INLINE void RealRow(const Sums& sums, const FinishArgs& args, size_t index) {
  for (size_t i = 0; i < args.count; ++i) {
    StoreOutput(sums.Scalar(i), args.n0 + i, *args.epilogue, args.type, args.out, index + i);
  }
}

template <class Sums>
HWY_INLINE void SumRow(const Sums& sums, const FinishArgs& args, int32_t* out) {
  for (size_t i = 0; i < args.count; ++i) out[i] = static_cast<int32_t>(sums.Scalar(i).acc);
}

template <class T, class Sums>
HWY_INLINE void CodeRow(const Sums& sums, const FinishArgs& args, T* HWY_RESTRICT out) {
  for (size_t i = 0; i < args.count; ++i) {
    StoreOutput(sums.Scalar(i), args.n0 + i, *args.epilogue, args.type, out, i);
  }
}

#endif  // HWY_HAVE_FLOAT64

}  // namespace epilogue

template <class Sums>
static HWY_NOINLINE void FinishReal(const FinishArgs& args) {
  for (size_t row = 0; row < args.rows; ++row) {
    const Sums sums(args, row);
    const size_t index = row * args.out_stride;
    if (args.type == OutputType::kU8 && !std::is_same_v<Sums, DotSums>) {  // of DotSums Finish has a faster way
      epilogue::CodeRow(sums, args, static_cast<uint8_t*>(args.out) + index);
    } else if (args.type == OutputType::kU16) {
      epilogue::CodeRow(sums, args, static_cast<uint16_t*>(args.out) + index);
    } else if (args.type == OutputType::kS32) {
      epilogue::SumRow(sums, args, static_cast<int32_t*>(args.out) + index);
    } else {
      epilogue::RealRow(sums, args, index);
    }
  }
}

// Two rows of accumulators for each row of outputs, see PlaneSums.
[[maybe_unused]] static void FinishPlanes(const FinishArgs& args) { FinishReal<PlaneSums>(args); }

[[maybe_unused]] static void FinishFloats(const FinishArgs& args) { FinishReal<FloatSums>(args); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_EPILOGUE_REAL_INL_H_
