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
#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"
#include "kernels/epilogue.h"
#include "kernels/epilogue_real-inl.h"
#include "kernels/fixed_point-inl.h"
#include "kernels/packing.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace epilogue {

using fixed_point::D32;
using fixed_point::DF32;
using fixed_point::DU8;
using fixed_point::MinHalves;
using fixed_point::NearTie;
using fixed_point::PackCodes;
using fixed_point::V32;

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
HWY_INLINE V32 FixedPoint(V32 acc, hn::Vec<DF32> mul, hn::Vec<DF32> add) {
  const D32 d;
  const DF32 df;
  const auto u = hn::MulAdd(hn::ConvertTo(df, acc), mul, add);
#if HWY_ARCH_X86
  // What does not fit becomes -2^31, whose low half asks for redoing: it is 128 times the grid away, hence rare.
  return hn::ConvertInRangeTo(d, u);
#else
  const auto limit = hn::Set(df, 2147450880.0f);  // 2^31 - 2^15
  return hn::ConvertInRangeTo(d, hn::Min(hn::Max(u, hn::Neg(limit)), limit));
#endif
}

HWY_INLINE V32 FixedPoint(V32 acc, V32 start, hn::Vec<DF32> mul, hn::Vec<DF32> add) {
  return FixedPoint(hn::Add(acc, start), mul, add);
}

// Of the channels from i on.
HWY_INLINE V32 FixedPoint(const int32_t* HWY_RESTRICT acc, const FastWay& way, size_t i) {
  const D32 d;
  const DF32 df;
  return FixedPoint(hn::LoadU(d, acc + i), hn::LoadU(d, way.start + i), hn::LoadU(df, way.mul + i),
                    hn::LoadU(df, way.add + i));
}

// About one row of 64 in 100 comes here, its other lanes are stored. `acc` and `out` are rows.
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

static HWY_NOINLINE void FinishRow(const int32_t* acc, const FastWay& way, const FinishArgs& args, uint8_t* out) {
  if (HWY_UNLIKELY(FastRow(acc, way, args.count, out))) RedoNearTies(acc, way, args, out);
}

#if HWY_TARGET <= HWY_AVX3

// `count` codes of each of kRows rows of 64 / kRows.
template <size_t kRows>
HWY_INLINE void StoreRows(hn::Vec<DU8> codes, size_t count, uint8_t* HWY_RESTRICT out, size_t out_stride) {
  constexpr size_t kBytes = 64 / kRows;
  HWY_ALIGN uint8_t bytes[64];
  hn::Store(codes, DU8(), bytes);
  for (size_t r = 0; r < kRows; ++r, out += out_stride) {
    const uint8_t* from = bytes + r * kBytes;
    if (kRows > 1 && count == kBytes) {
      hwy::CopyBytes<kBytes>(from, out);
      continue;
    }
    size_t i = 0;
    for (; i + 8 <= count; i += 8) hwy::CopyBytes<8>(from + i, out + i);
    for (; i < count; ++i) out[i] = from[i];
  }
}

// Constants of a block: up to 64 channels of one row, 32 of two, 16 of four.
template <size_t kRows>
struct BlockConstants {
  BlockConstants(const FastWay& way, const FinishArgs& args) {
    constexpr size_t kVectors = 4 / kRows;  // of a row
    HWY_UNROLL(4)
    for (size_t j = 0; j < 4; ++j) {
      // Three vectors: the last one twice.
      const size_t channel = std::min(j % kVectors * 16, (args.count - 1) / 16 * 16);
      offset[j] = j / kVectors * args.acc_stride + channel;
      start[j] = hn::LoadU(D32(), way.start + channel);
      mul[j] = hn::LoadU(DF32(), way.mul + channel);
      add[j] = hn::LoadU(DF32(), way.add + channel);
    }
    lo = hn::Set(DU8(), way.lo);
    hi = hn::Set(DU8(), way.hi);
  }

  size_t offset[4];  // of the sums of each vector
  V32 start[4];
  hn::Vec<DF32> mul[4], add[4];
  hn::Vec<DU8> lo, hi;
};

// lowest: of the halves, and of what it was.
template <size_t kRows>
HWY_INLINE hn::Vec<DU8> BlockCodes(const BlockConstants<kRows>& c, const int32_t* HWY_RESTRICT acc, V32& lowest) {
  V32 v[4];
  HWY_UNROLL(4)
  for (size_t j = 0; j < 4; ++j) {
    v[j] = FixedPoint(hn::LoadU(D32(), acc + c.offset[j]), c.start[j], c.mul[j], c.add[j]);
  }
  lowest = MinHalves(lowest, MinHalves(MinHalves(v[0], v[1]), MinHalves(v[2], v[3])));
  return hn::Min(hn::Max(PackCodes(v[0], v[1], v[2], v[3]), c.lo), c.hi);
}

// Rows in blocks of kRows, two blocks at a time; the last ones may take rows again. The constants stay in registers,
// and near-ties are looked for once in two blocks.
template <size_t kRows>
static HWY_NOINLINE void FinishBlocks(const FinishArgs& args) {
  const FastWay way(args);
  const BlockConstants<kRows> constants(way, args);
  const size_t count = args.count, out_stride = args.out_stride, acc_stride = args.acc_stride;
  const bool together = count == 64 / kRows && (kRows == 1 || out_stride == count);
  const int32_t* const acc = args.acc;
  uint8_t* const out = static_cast<uint8_t*>(args.out);
  const size_t last = args.rows - kRows;
  for (size_t row = 0;; row += 2 * kRows) {
    const size_t first = std::min(row, last), second = std::min(row + kRows, last);
    V32 lowest = hn::Set(D32(), -1);
    const auto codes0 = BlockCodes(constants, acc + first * acc_stride, lowest);
    const auto codes1 = BlockCodes(constants, acc + second * acc_stride, lowest);
    if (together) {
      hn::StoreU(codes0, DU8(), out + first * out_stride);
      hn::StoreU(codes1, DU8(), out + second * out_stride);
    } else {
      StoreRows<kRows>(codes0, count, out + first * out_stride, out_stride);
      StoreRows<kRows>(codes1, count, out + second * out_stride, out_stride);
    }
    if (HWY_UNLIKELY(!hn::AllFalse(D32(), NearTie(lowest, way.window)))) {
      for (size_t r = first; r < second + kRows; ++r) {
        RedoNearTies(acc + r * acc_stride, way, args, out + r * out_stride);
      }
    }
    if (second == last) return;
  }
}
#endif

}  // namespace epilogue

static HWY_NOINLINE void FinishFast(const FinishArgs& args) {
#if HWY_TARGET <= HWY_AVX3
  if (args.count > 32) return epilogue::FinishBlocks<1>(args);
  if (args.count > 16 && args.rows >= 2) return epilogue::FinishBlocks<2>(args);
  if (args.count <= 16 && args.rows >= 4) return epilogue::FinishBlocks<4>(args);
#endif
  const epilogue::FastWay way(args);
  uint8_t* out = static_cast<uint8_t*>(args.out);
  for (size_t row = 0; row < args.rows; ++row) {
    epilogue::FinishRow(args.acc + row * args.acc_stride, way, args, out + row * args.out_stride);
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
    epilogue::FinishRow(acc, way, args, out);
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
