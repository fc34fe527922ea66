// Per-target: from accumulators to outputs (the contract of Epilogue in contracts.h).
//
// Codes take a fast way that is proven to find every lane it could get wrong; those are redone in binary64
// (epilogue.cc). In units of 2^-16 codes let V = (t - o) * 2^16 + 2^15 + w, t = acc * M + C the exact real value and w
// the window. One float multiply-add and a conversion give U = V + e. The code is floor(t - o + 1/2) = floor((V - w) /
// 2^16) unless t - o is half-way between integers, where the rule for ties decides. If |e| < w and the low half of U is
// at least 2w, then V - w and U have the same high half and V - w is no tie: the high half of U is the code. The other
// lanes (2w of 65536) are redone.
//
// |e| < w: saturated codes need no more than order (every step is monotone in acc, in float and as written in
// binary64), so only |V| <= 260 * 2^16 counts. With A = 2^16 * (|C| + |o| + 1) >= |fast_add| the product is at most 260
// * 2^16 + A. Float roundings of at most 2^-24 relative: float(acc), fast_mul and the product (there is none where the
// target has FMA), 3 * (260 * 2^16 + A); fast_add, A; the sum, 260 * 2^16. Together (4 * 260 + 4 * (|C| + |o| + 1)) /
// 256. The conversion truncates: less than 1. Binary64 as written: below 1/64 (epilogue_setup.cc keeps what may cancel
// below 2^28 codes). Second-order terms: below 2^-14. So w = ceil(4 * (261 + |C| + |o|) / 256 + 1.125) > |e|. What
// overflows the conversion is redone (x86), or clamped to +-(2^31 - 2^15), whose low halves, 2^15, are not below 2w for
// w <= 2^14.

#if defined(LANEQUANT_KERNELS_EPILOGUE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_EPILOGUE_INL_H_
#undef LANEQUANT_KERNELS_EPILOGUE_INL_H_
#else
#define LANEQUANT_KERNELS_EPILOGUE_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"
#include "kernels/epilogue.h"
#include "kernels/epilogue_real-inl.h"
#include "kernels/packing.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace epilogue {

using D32 = hn::CappedTag<int32_t, 16>;
using DF32 = hn::RebindToFloat<D32>;
using DU8 = hn::Repartition<uint8_t, D32>;
using V32 = hn::Vec<D32>;

// What every row needs, from channel n0 on. A local copy: stores of codes could alias the Epilogue.
struct FastWay {
  explicit FastWay(const FinishArgs& args) : FastWay(args, args.start + args.n0) {}
  FastWay(const FinishArgs& args, const int32_t* start_in)
      : start(start_in),
        mul(args.epilogue->fast_mul + args.n0),
        add(args.epilogue->fast_add + args.n0),
        window(args.epilogue->window),
        lo(static_cast<uint8_t>(args.epilogue->to.lo)),
        hi(static_cast<uint8_t>(args.epilogue->to.hi)) {}

  const int32_t* start;
  const float* mul;
  const float* add;
  int32_t window;
  uint8_t lo, hi;
};

// U of a vector of sums.
HWY_INLINE V32 FixedPoint(V32 acc, V32 start, hn::Vec<DF32> mul, hn::Vec<DF32> add) {
  const D32 d;
  const DF32 df;
  const auto u = hn::MulAdd(hn::ConvertTo(df, hn::Add(acc, start)), mul, add);
#if HWY_ARCH_X86
  // What does not fit becomes -2^31, whose low half asks for redoing: it is 128 times the grid away, hence rare.
  return hn::ConvertInRangeTo(d, u);
#else
  const auto limit = hn::Set(df, 2147450880.0f);  // 2^31 - 2^15
  return hn::ConvertInRangeTo(d, hn::Min(hn::Max(u, hn::Neg(limit)), limit));
#endif
}

// Of the channels from i on.
HWY_INLINE V32 FixedPoint(const int32_t* HWY_RESTRICT acc, const FastWay& way, size_t i) {
  const D32 d;
  const DF32 df;
  return FixedPoint(hn::LoadU(d, acc + i), hn::LoadU(d, way.start + i), hn::LoadU(df, way.mul + i),
                    hn::LoadU(df, way.add + i));
}

// The high halves of four vectors, in order, saturated to u8.
HWY_INLINE hn::Vec<DU8> PackCodes(V32 v0, V32 v1, V32 v2, V32 v3) {
  const DU8 d8;
  const hn::Repartition<int16_t, D32> d16;
#if HWY_TARGET <= HWY_AVX3_DL
  // Interleaving high halves costs a shift and a blend for two vectors; one byte permutation then restores the order.
  const auto a = hn::OddEven(hn::BitCast(d16, v1), hn::BitCast(d16, hn::ShiftRight<16>(v0)));
  const auto b = hn::OddEven(hn::BitCast(d16, v3), hn::BitCast(d16, hn::ShiftRight<16>(v2)));
  alignas(64) static constexpr uint8_t kOrder[64] = {0, 2,  4,  6,  16, 18, 20, 22, 32, 34, 36, 38, 48, 50, 52, 54,
                                                     1, 3,  5,  7,  17, 19, 21, 23, 33, 35, 37, 39, 49, 51, 53, 55,
                                                     8, 10, 12, 14, 24, 26, 28, 30, 40, 42, 44, 46, 56, 58, 60, 62,
                                                     9, 11, 13, 15, 25, 27, 29, 31, 41, 43, 45, 47, 57, 59, 61, 63};
  return hn::TableLookupLanes(hn::ReorderDemote2To(d8, a, b), hn::SetTableIndices(d8, kOrder));
#else
  const auto a = hn::OrderedDemote2To(d16, hn::ShiftRight<16>(v0), hn::ShiftRight<16>(v1));
  const auto b = hn::OrderedDemote2To(d16, hn::ShiftRight<16>(v2), hn::ShiftRight<16>(v3));
  return hn::OrderedDemote2To(d8, a, b);
#endif
}

HWY_INLINE V32 MinHalves(V32 a, V32 b) {
  const D32 d;
  const hn::Repartition<uint16_t, D32> d16;
  return hn::BitCast(d, hn::Min(hn::BitCast(d16, a), hn::BitCast(d16, b)));
}

HWY_INLINE hn::Mask<D32> NearTie(V32 u, int32_t window) {
  const D32 d;
  return hn::Lt(hn::And(u, hn::Set(d, 0xFFFF)), hn::Set(d, 2 * window));
}

// About one row of 64 in 100 comes here. `acc` and `out` are rows.
static HWY_NOINLINE void RedoNearTies(const int32_t* acc, const FastWay& way, const FinishArgs& args, uint8_t* out) {
  const D32 d;
  for (size_t i = 0; i < args.count; i += hn::Lanes(d)) {
    auto near = NearTie(FixedPoint(acc, way, i), way.window);
    while (!hn::AllFalse(d, near)) {
      const size_t lane = hn::FindKnownFirstTrue(d, near), j = i + lane;
      near = hn::AndNot(hn::FirstN(d, lane + 1), near);
      if (j >= args.count) break;
      const double sum = WrappingAdd(acc[j], way.start[j]);
      out[j] = static_cast<uint8_t>(CodeOf(RealOutput({sum}, args.n0 + j, *args.epilogue), args.epilogue->to));
    }
  }
}

HWY_INLINE hn::Vec<DU8> ClampedCodes(V32 v0, V32 v1, V32 v2, V32 v3, const FastWay& way) {
  const DU8 d8;
  return hn::Min(hn::Max(PackCodes(v0, v1, v2, v3), hn::Set(d8, way.lo)), hn::Set(d8, way.hi));
}

struct RowsOfOutputs {
  const int32_t* acc;
  size_t acc_stride;
  uint8_t* out;
  size_t out_stride;
  size_t count;  // at most 64
};

// The four vectors of channels from i on, whose constants then stay in registers for all rows: bit r of what it returns
// is whether lanes of row r are to be redone. No branch, and few instructions: what the CPU has in flight is the next
// tile already.
HWY_INLINE uint64_t FastColumns(const RowsOfOutputs& rows, const FastWay& way, size_t i) {
  const D32 d;
  const DF32 df;
  const size_t lanes = hn::Lanes(d), i1 = i + lanes, i2 = i1 + lanes, i3 = i2 + lanes;
  const auto s0 = hn::LoadU(d, way.start + i), s1 = hn::LoadU(d, way.start + i1);
  const auto s2 = hn::LoadU(d, way.start + i2), s3 = hn::LoadU(d, way.start + i3);
  const auto m0 = hn::LoadU(df, way.mul + i), m1 = hn::LoadU(df, way.mul + i1);
  const auto m2 = hn::LoadU(df, way.mul + i2), m3 = hn::LoadU(df, way.mul + i3);
  const auto c0 = hn::LoadU(df, way.add + i), c1 = hn::LoadU(df, way.add + i1);
  const auto c2 = hn::LoadU(df, way.add + i2), c3 = hn::LoadU(df, way.add + i3);
  const int32_t* acc = rows.acc;
  uint8_t* out = rows.out;
  uint64_t near = 0;
  for (size_t r = 0; r < rows.count; ++r, acc += rows.acc_stride, out += rows.out_stride) {
    const V32 v0 = FixedPoint(hn::LoadU(d, acc + i), s0, m0, c0), v1 = FixedPoint(hn::LoadU(d, acc + i1), s1, m1, c1);
    const V32 v2 = FixedPoint(hn::LoadU(d, acc + i2), s2, m2, c2), v3 = FixedPoint(hn::LoadU(d, acc + i3), s3, m3, c3);
    const V32 lowest = MinHalves(MinHalves(v0, v1), MinHalves(v2, v3));
    hn::StoreU(ClampedCodes(v0, v1, v2, v3, way), DU8(), out + i);
    near |= uint64_t{!hn::AllFalse(d, NearTie(lowest, way.window))} << r;
  }
  return near;
}

// One row; returns whether lanes are to be redone.
HWY_INLINE bool FastRow(const int32_t* HWY_RESTRICT acc, const FastWay& way, size_t count, uint8_t* HWY_RESTRICT out) {
  const D32 d;
  const DU8 d8;
  const hn::Rebind<uint8_t, D32> d8_quarter;
  const size_t lanes = hn::Lanes(d);
  V32 lowest = hn::Set(d, -1);
  size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    const V32 v0 = FixedPoint(acc, way, i), v1 = FixedPoint(acc, way, i + lanes);
    const V32 v2 = FixedPoint(acc, way, i + 2 * lanes), v3 = FixedPoint(acc, way, i + 3 * lanes);
    lowest = MinHalves(lowest, MinHalves(MinHalves(v0, v1), MinHalves(v2, v3)));
    hn::StoreU(ClampedCodes(v0, v1, v2, v3, way), d8, out + i);
  }
  for (; i < count; i += lanes) {
    const V32 v = FixedPoint(acc, way, i);
    lowest = MinHalves(lowest, v);
    const auto codes = hn::DemoteTo(d8_quarter, hn::ShiftRight<16>(v));
    const auto clamped = hn::Min(hn::Max(codes, hn::Set(d8_quarter, way.lo)), hn::Set(d8_quarter, way.hi));
    if (i + lanes <= count) {
      hn::StoreU(clamped, d8_quarter, out + i);
    } else {
      hn::StoreN(clamped, d8_quarter, out + i, count - i);  // slow on Zen 4, hence only where it must be
    }
  }
  return !hn::AllFalse(d, NearTie(lowest, way.window));
}

HWY_INLINE void StoreRowAsWritten(const int32_t* acc, const FinishArgs& args, void* out, size_t index) {
  for (size_t j = 0; j < args.count; ++j) {
    const size_t channel = args.n0 + j;
    StoreOutput({static_cast<double>(WrappingAdd(acc[j], args.start[channel]))}, channel, *args.epilogue, args.type,
                out, index + j);
  }
}

}  // namespace epilogue

static HWY_NOINLINE void FinishFast(const FinishArgs& args) {
  const epilogue::FastWay way(args);
  const size_t chunk = 4 * hn::Lanes(epilogue::D32());
  for (size_t first = 0; first < args.rows; first += 64) {
    const epilogue::RowsOfOutputs rows = {args.acc + first * args.acc_stride, args.acc_stride,
                                          static_cast<uint8_t*>(args.out) + first * args.out_stride, args.out_stride,
                                          std::min<size_t>(args.rows - first, 64)};
    uint64_t near = 0;
    if (args.count % chunk == 0) {
      for (size_t i = 0; i < args.count; i += chunk) near |= epilogue::FastColumns(rows, way, i);
    } else {
      for (size_t r = 0; r < rows.count; ++r) {
        const bool redo =
            epilogue::FastRow(rows.acc + r * rows.acc_stride, way, args.count, rows.out + r * rows.out_stride);
        near |= uint64_t{redo} << r;
      }
    }
    for (; HWY_UNLIKELY(near != 0); near &= near - 1) {
      const auto r = static_cast<size_t>(std::countr_zero(near));
      epilogue::RedoNearTies(rows.acc + r * rows.acc_stride, way, args, rows.out + r * rows.out_stride);
    }
  }
}

namespace epilogue {

// What the dots of a row are short of, for each channel; fits int32.
HWY_INLINE void RowStart(const FinishArgs& args, size_t row, int32_t* HWY_RESTRICT start) {
  const RowTerms& terms = *args.row_terms;
  const double offset = terms.offset[args.first_row + row] + args.missing, constant = terms.start[args.first_row + row];
#if HWY_HAVE_FLOAT64
  const D64 d;
  for (size_t i = 0; i < args.count; i += hn::Lanes(d)) {
    const auto sum = hn::LoadU(d, terms.weight_sum + args.n0 + i);
    const auto all = hn::MulAdd(hn::Set(d, offset), sum, hn::Set(d, constant));
    hn::StoreU(hn::DemoteInRangeTo(DHalf(), all), DHalf(), start + i);
  }
#else
  for (size_t i = 0; i < args.count; ++i) {
    start[i] = static_cast<int32_t>(offset * terms.weight_sum[args.n0 + i] + constant);
  }
#endif
}

}  // namespace epilogue

[[maybe_unused]] static HWY_NOINLINE void FinishFastRowTerms(const FinishArgs& args) {
  HWY_ALIGN int32_t start[kPanelChannels] = {};
  const epilogue::FastWay way(args, start);
  for (size_t row = 0; row < args.rows; ++row) {
    const int32_t* acc = args.acc + row * args.acc_stride;
    uint8_t* out = static_cast<uint8_t*>(args.out) + row * args.out_stride;
    epilogue::RowStart(args, row, start);
    if (HWY_UNLIKELY(epilogue::FastRow(acc, way, args.count, out))) epilogue::RedoNearTies(acc, way, args, out);
  }
}

// Of kPlanes rows of accumulators for each row of outputs.
template <size_t kPlanes>
[[maybe_unused]] static void FinishRowTerms(const FinishArgs& args) {
  if (kPlanes == 1 && args.type == OutputType::kU8 && args.epilogue->fast) return FinishFastRowTerms(args);
  FinishReal<RowSums<kPlanes> >(args);
}

[[maybe_unused]] static void Finish(const FinishArgs& args) {
  if (args.type != OutputType::kU8) return FinishReal<DotSums>(args);
  if (args.epilogue->fast) return FinishFast(args);
  for (size_t row = 0; row < args.rows; ++row) {
    epilogue::StoreRowAsWritten(args.acc + row * args.acc_stride, args, args.out, row * args.out_stride);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_EPILOGUE_INL_H_
