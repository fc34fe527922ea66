// Per-target: floats -> codes, a byte or more to each: what AffineLoop runs.

#if defined(LANEQUANT_KERNELS_AFFINE_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_AFFINE_CODES_INL_H_
#undef LANEQUANT_KERNELS_AFFINE_CODES_INL_H_
#else
#define LANEQUANT_KERNELS_AFFINE_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/affine_halves-inl.h"
#include "kernels/affine_literal-inl.h"
#include "kernels/affine_rules-inl.h"
#include "kernels/affine_scales-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/quantize-inl.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

// Whether conversions to integers give the lowest one for what is too small or NaN, as those of x86 do, and have a way
// past Highway's correction of what is too large.
#undef LQ_LOWEST_FOR_NAN
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#define LQ_LOWEST_FOR_NAN 1
#else
#define LQ_LOWEST_FOR_NAN 0
#endif

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace affine {

// What stands in memory: the low bits of codes. T: int32_t or unsigned.
template <class T>
using DT = hn::Repartition<T, D32>;

// Four vectors, in order, less `base` in each code.
template <class T>
HWY_INLINE void Store4(V32 v0, V32 v1, V32 v2, V32 v3, hn::Vec<DT<T>> base, T* out) {
  const DT<T> d;
  const hn::RebindToUnsigned<D32> d32;
  const hn::Repartition<uint16_t, D32> d16;
  const size_t lanes = hn::Lanes(d);
  if constexpr (sizeof(T) == 4) {
    hn::StoreU(hn::Sub(v0, base), d, out);
    hn::StoreU(hn::Sub(v1, base), d, out + lanes);
    hn::StoreU(hn::Sub(v2, base), d, out + 2 * lanes);
    hn::StoreU(hn::Sub(v3, base), d, out + 3 * lanes);
  } else {
    const auto low = hn::OrderedTruncate2To(d16, hn::BitCast(d32, v0), hn::BitCast(d32, v1));
    const auto high = hn::OrderedTruncate2To(d16, hn::BitCast(d32, v2), hn::BitCast(d32, v3));
    if constexpr (sizeof(T) == 2) {
      hn::StoreU(hn::Sub(low, base), d, out);
      hn::StoreU(hn::Sub(high, base), d, out + lanes);
    } else {
      hn::StoreU(hn::Sub(hn::OrderedTruncate2To(d, low, high), base), d, out);
    }
  }
}

template <class T>
HWY_INLINE void Store(V32 v, T* out, size_t left) {
  if constexpr (sizeof(T) == 4) {
    quantize::StoreUpTo(v, D32(), out, left);
  } else {
    const hn::Rebind<T, D32> narrow;
    quantize::StoreUpTo(hn::TruncateTo(narrow, hn::BitCast(hn::RebindToUnsigned<D32>(), v)), narrow, out, left);
  }
}

// T: of the size of the codes, int32_t or unsigned.
template <Rule kRule, class T, FloatType kIn = FloatType::kF32>
class CodesKernel {
 public:
  using In = small_floats::Element<kIn>;
  using Out = T;
  using Results = Out*;

  CodesKernel(const QuantizeAffineArgs& args, int64_t limit)
      : args_(args),
        ahead_(args.far || (args.stream && kIn != FloatType::kF32)),
        units_(MakeUnits(args.qmin, args.qmax, args.shift, limit)) {}

  bool PrepareRuns(const float* scale, const int32_t* offset, size_t n) {
    if (!runs_.Fill(scale, offset, n, units_)) return false;
    if constexpr (kMayMultiply) multiplied_.Fill(scale, offset, n, RunOf(args_), units_);
    return true;
  }
  bool PrepareRow(const float* scale, const int32_t* offset, size_t n) { return row_.Fill(scale, offset, n, units_); }

  HWY_INLINE void Uniform(const In* in, size_t n, size_t k, Out* out) const {
    const DF32 df;
    const VF32 scale = runs_.Scale(k), inverse = runs_.Inverse(k);
    const VF32 low = runs_.Low(k), high = runs_.High(k);
    const VF32 first = hn::Set(df, units_.First(runs_.Offset(k)));
    if constexpr (kMayMultiply) {
      const auto bits = [&](size_t i, size_t left) HWY_ATTR {
        const VF32 inside = Inside<false>(small_floats::Load<kIn>(df, in + i, left), low, high);
        return hn::BitCast(D32(), MultipliedUnit(inside, inverse));
      };
      if (multiplied_.Multiply(k)) return StoreAll(in, bits, Base(runs_.Offset(k)), n, out);
    }
    const auto bits = [&](size_t i, size_t left) HWY_ATTR {
      return Bits(small_floats::Load<kIn>(df, in + i, left), scale, inverse, low, high, first);
    };
    StoreAll(in, bits, Base(runs_.Offset(k)), n, out);
  }

  HWY_INLINE void Runs(const In* in, size_t run, size_t k, size_t runs, Out* out) const {
    size_t j = 0;
    if (IsSaturating()) {
      const auto four = [&](const In* from, size_t a, size_t b, Out* to) HWY_ATTR { StoreSaturated(from, a, b, to); };
      j = EachFour(in, run, k, runs, out, four);
    } else if (sizeof(T) == 1 && runs_.HasSameOffset()) {
      const auto four = [&](const In* from, size_t a, size_t b, Out* to) HWY_ATTR { StoreFour<true>(from, a, b, to); };
      j = EachFour(in, run, k, runs, out, four);
    } else {
      const auto four = [&](const In* from, size_t a, size_t b, Out* to) HWY_ATTR { StoreFour<false>(from, a, b, to); };
      j = EachFour(in, run, k, runs, out, four);
    }
    for (; j < runs; ++j) Uniform(in + j * run, run, k + j, out + j * run);
  }

  HWY_INLINE void Row(const In* in, size_t n, size_t at, Out* out) const {
    const DF32 df;
    if (row_.IsPlain()) {
      // In registers for the whole loop: its stores could be to members, for all that the compiler knows.
      const VF32 from = row_.First(row_.Offset(0, n)), to = row_.Last(row_.Offset(0, n));
      const float *scales = row_.Scales() + at, *inverses = row_.Inverses() + at;
      const size_t done = IsSaturatingRow() ? SaturatedRow(in, n, scales, inverses, out) : 0;
      in += done, n -= done, scales += done, inverses += done, out += done;
      const auto bits = [&](size_t i, size_t left) HWY_ATTR {
        const VF32 scale = LoadScales(scales + i, left), inverse = hn::LoadU(df, inverses + i);
        const VF32 x = small_floats::Load<kIn>(df, in + i, left);
        return Bits(x, scale, inverse, hn::Mul(scale, from), hn::Mul(scale, to), from);
      };
      return StoreAll(in, bits, Base(row_.FirstOffset()), n, out);
    }
    const auto codes = [&](size_t i, size_t left) HWY_ATTR {
      const VF32 scale = row_.Scale(at + i, left), inverse = row_.Inverse(scale, at + i);
      const V32 offset = row_.Offset(at + i, left);
      const VF32 first = row_.First(offset), low = hn::Mul(scale, first), high = hn::Mul(scale, row_.Last(offset));
      const V32 bits = Bits(small_floats::Load<kIn>(df, in + i, left), scale, inverse, low, high, first);
      return kRule == Rule::kHalfUp ? bits : hn::Sub(bits, offset);
    };
    StoreAll(in, codes, Base(0), n, out);
  }

  HWY_NOINLINE void Batch(const In* in, size_t n, const float* scale, const int32_t* offset, Out* out) const {
    alignas(64) float x[literal::kBatch] = {};
    alignas(64) int32_t codes[literal::kBatch];
    small_floats::ToFloats<kIn>(in, n, x);
    literal::Codes(args_.arithmetic, x, scale, offset, {args_.qmin, args_.qmax, args_.shift, args_.profile}, codes);
    for (size_t i = 0; i < n; i += hn::Lanes(D32())) Store(hn::Load(D32(), codes + i), out + i, n - i);
  }

  // Signed codes of a byte or less without an offset need no lower bound of x (blocks of 32: 12.6 against 11.0 G
  // elements/s): far below it the quotient has an error, infinities make it NaN, but what is converted is below the
  // grid in any case, saturates on the way to a byte, and the grid's own bound costs an operation for four vectors.
  HWY_INLINE bool IsSaturating() const { return kMaySaturate && IsSigned() && runs_.HasNoOffset(); }

  // Rows, too, and one bound of x does for all elements, as long as their scales are so near to each other that what is
  // within it is less than 2^31 units of the smallest.
  HWY_INLINE bool IsSaturatingRow() const {
    constexpr float kNear = 0x1p20f;
    return kMaySaturate && IsSigned() && row_.IsPlain() && row_.FirstOffset() == 0 &&
           row_.MostScale() <= kNear * row_.LeastScale();
  }
  HWY_INLINE VF32 HighOfRow() const { return hn::Set(DF32(), row_.MostScale() * std::max(units_.last, 0.0f)); }

  // The codes of four vectors, a byte to each, in groups of four in the order that packing leaves. kMayExceed: units
  // may be above qmax.
  template <bool kMayExceed>
  HWY_INLINE V32 Saturated4(VF32 t0, VF32 t1, VF32 t2, VF32 t3) const {
#if LQ_LOWEST_FOR_NAN
    const hn::Repartition<int16_t, D32> d16;
    const hn::Repartition<int8_t, D32> d8;
    const auto round = [](VF32 t) HWY_ATTR { return V32{_mm512_cvtps_epi32(t.raw)}; };
    const auto first = hn::ReorderDemote2To(d16, round(t0), round(t1));
    const auto second = hn::ReorderDemote2To(d16, round(t2), round(t3));
    auto codes = hn::Max(hn::ReorderDemote2To(d8, first, second), hn::Set(d8, static_cast<int8_t>(args_.qmin)));
    if constexpr (kMayExceed) codes = hn::Min(codes, hn::Set(d8, static_cast<int8_t>(args_.qmax)));
    return hn::BitCast(D32(), codes);
#else
    (void)t0, (void)t1, (void)t2, (void)t3;
    return hn::Zero(D32());
#endif
  }

  HWY_INLINE const RunScales& runs() const { return runs_; }
  HWY_INLINE const RowScales& row() const { return row_; }

 private:
  static constexpr bool kMaySaturate = LQ_LOWEST_FOR_NAN && sizeof(T) == 1 && kRule == Rule::kDivide;
  HWY_INLINE bool IsSigned() const {
    return args_.type == CodeType::kS8 || args_.type == CodeType::kS4 || args_.type == CodeType::kS2;
  }

  HWY_INLINE int32_t Base(int32_t offset) const { return CodeBase<kRule>(offset, static_cast<int32_t>(args_.qmin)); }

  // F: VF32 or Broadcast.
  template <class F>
  HWY_INLINE static V32 Bits(VF32 x, F scale, F inverse, VF32 low, VF32 high, VF32 first) {
    const VF32 inside = Inside<false>(x, low, high);
    return CodeBits<kRule>(Quotient<kRule>(inside, scale, inverse, hn::Zero(DF32()), first));
  }

  // Calls four(in, k, l, out) for four vectors at a time, two of the k-th run and two of the l-th, where runs are so
  // short that what a loop for each of them would set up shows. Returns the number of runs that are done.
  template <class Four>
  HWY_INLINE size_t EachFour(const In* in, size_t run, size_t k, size_t runs, Out* out, const Four& four) const {
    const size_t step = 4 * hn::Lanes(D32());
    const bool ahead = ahead_;
    size_t j = 0;
    if (run == step / 2) {
      for (; j + 2 <= runs; j += 2) {
        if (ahead) stream::PrefetchAhead(in + j * run, step * sizeof(In));
        four(in + j * run, k + j, k + j + 1, out + j * run);
      }
    } else if (run == step) {
      for (; j < runs; ++j) {
        if (ahead) stream::PrefetchAhead(in + j * run, step * sizeof(In));
        four(in + j * run, k + j, k + j, out + j * run);
      }
    } else if (run == 2 * step) {
      for (; j < runs; ++j) {
        if (ahead) stream::PrefetchAhead(in + j * run, 2 * step * sizeof(In));
        four(in + j * run, k + j, k + j, out + j * run);
        four(in + j * run + step, k + j, k + j, out + j * run + step);
      }
    }
    return j;
  }

  // kSameOffset: codes of a byte then have one base, which costs a quarter of one for each vector.
  template <bool kSameOffset>
  HWY_INLINE void StoreFour(const In* in, size_t k, size_t l, Out* out) const {
    const DF32 df;
    const size_t lanes = hn::Lanes(df);
    const auto codes = [&](size_t i, size_t run, VF32 low, VF32 high) HWY_ATTR {
      const VF32 x = small_floats::Load<kIn>(df, in + i * lanes, lanes);
      const VF32 first = hn::Set(df, units_.First(runs_.Offset(run)));
      const V32 bits = Bits(x, runs_.AtScale(run), runs_.AtInverse(run), low, high, first);
      return kSameOffset ? bits : hn::Sub(bits, hn::Set(D32(), Base(runs_.Offset(run))));
    };
    const VF32 low_k = runs_.Low(k), high_k = runs_.High(k), low_l = runs_.Low(l), high_l = runs_.High(l);
    const DT<T> d;
    const auto base = kSameOffset ? hn::Set(d, static_cast<T>(Base(runs_.Offset(k)))) : hn::Zero(d);
    Store4<T>(codes(0, k, low_k, high_k), codes(1, k, low_k, high_k), codes(2, l, low_l, high_l),
              codes(3, l, low_l, high_l), base, out);
  }

  HWY_INLINE void StoreSaturated(const In* in, size_t k, size_t l, Out* out) const {
    const DF32 df;
    const size_t lanes = hn::Lanes(df);
    const auto units = [&](size_t i, size_t run, VF32 high) HWY_ATTR {
      const VF32 x = small_floats::Load<kIn>(df, in + i * lanes, lanes);
      const VF32 below = quantize::Smaller(high, x);  // NaN stays
      return Quotient<kRule>(below, runs_.AtScale(run), runs_.AtInverse(run), hn::Zero(df), hn::Zero(df));
    };
    const VF32 high_k = runs_.High(k), high_l = runs_.High(l);
    StoreSaturated4<false>(units(0, k, high_k), units(1, k, high_k), units(2, l, high_l), units(3, l, high_l), out);
  }

  // Whole groups of vectors. Returns the number of elements done.
  HWY_INLINE size_t SaturatedRow(const In* in, size_t n, const float* scales, const float* inverses, Out* out) const {
    const DF32 df;
    const size_t lanes = hn::Lanes(df);
    const VF32 high = HighOfRow(), zero = hn::Zero(df);
    const auto units = [&](size_t i) HWY_ATTR {
      const VF32 below = quantize::Smaller(high, small_floats::Load<kIn>(df, in + i, lanes));
      return Quotient<kRule>(below, hn::LoadU(df, scales + i), hn::LoadU(df, inverses + i), zero, zero);
    };
    size_t i = 0;
    const bool ahead = ahead_;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      if (ahead) stream::PrefetchAhead(in + i, 4 * lanes * sizeof(In));
      StoreSaturated4<true>(units(i), units(i + lanes), units(i + 2 * lanes), units(i + 3 * lanes), out + i);
    }
    return i;
  }

  template <bool kMayExceed>
  HWY_INLINE void StoreSaturated4(VF32 t0, VF32 t1, VF32 t2, VF32 t3, Out* out) const {
    // Four codes of each vector in turn.
    alignas(64) static constexpr int32_t kOrder[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    const V32 codes = Saturated4<kMayExceed>(t0, t1, t2, t3);
    hn::StoreU(hn::TableLookupLanes(codes, hn::SetTableIndices(D32(), kOrder)), D32(), reinterpret_cast<int32_t*>(out));
  }

  // bits(i, left): the vector of those from i on.
  template <class BitsOf>
  HWY_INLINE void StoreAll(const In* in, const BitsOf& bits, int32_t base, size_t n, Out* out) const {
    const size_t lanes = hn::Lanes(D32());
    const bool ahead = ahead_;  // stores cannot change it
    const auto narrow_base = hn::Set(DT<T>(), static_cast<T>(base));
    const V32 wide_base = hn::Set(D32(), base);
    size_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      if (ahead) stream::PrefetchAhead(in + i, 4 * lanes * sizeof(In));
      Store4(bits(i, lanes), bits(i + lanes, lanes), bits(i + 2 * lanes, lanes), bits(i + 3 * lanes, lanes),
             narrow_base, out + i);
    }
    for (; i < n; i += lanes) Store(hn::Sub(bits(i, n - i), wide_base), out + i, n - i);
  }

  static constexpr bool kMayMultiply = kRule == Rule::kDivide && kIn != FloatType::kF32;

  const QuantizeAffineArgs& args_;
  const bool ahead_;  // the input is fetched: of float, CPUs' own prefetchers keep up with streams
  const Units units_;
  RunScales runs_;
  MultipliedRuns<kIn> multiplied_;
  RowScales row_;
};

}  // namespace affine

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_AFFINE_CODES_INL_H_
