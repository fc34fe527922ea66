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

  CodesKernel(const QuantizeAffineArgs& args, int64_t limit)
      : args_(args), units_(MakeUnits(args.qmin, args.qmax, args.shift, limit)) {}

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
      if (multiplied_.Multiply(k)) return StoreAll(bits, Base(runs_.Offset(k)), n, out);
    }
    const auto bits = [&](size_t i, size_t left) HWY_ATTR {
      return Bits(small_floats::Load<kIn>(df, in + i, left), scale, inverse, low, high, first);
    };
    StoreAll(bits, Base(runs_.Offset(k)), n, out);
  }

  HWY_INLINE void Runs(const In* in, size_t run, size_t k, size_t runs, Out* out) const {
    size_t j = 0;
    if (run == 2 * hn::Lanes(D32())) {  // two of which fill four vectors
      for (; j + 2 <= runs; j += 2) {
        V32 v0, v1, v2, v3;
        CodesOfPair(in + j * run, k + j, v0, v1);
        CodesOfPair(in + (j + 1) * run, k + j + 1, v2, v3);
        Store4<T>(v0, v1, v2, v3, hn::Zero(DT<T>()), out + j * run);
      }
    }
    for (; j < runs; ++j) Uniform(in + j * run, run, k + j, out + j * run);
  }

  HWY_INLINE void Row(const In* in, size_t n, size_t at, Out* out) const {
    const DF32 df;
    if (row_.IsPlain()) {
      // In registers for the whole loop: its stores could be to members, for all that the compiler knows.
      const VF32 from = row_.First(row_.Offset(0, n)), to = row_.Last(row_.Offset(0, n));
      const float *scales = row_.Scales() + at, *inverses = row_.Inverses() + at;
      const auto bits = [&](size_t i, size_t left) HWY_ATTR {
        const VF32 scale = LoadScales(scales + i, left), inverse = hn::LoadU(df, inverses + i);
        const VF32 x = small_floats::Load<kIn>(df, in + i, left);
        return Bits(x, scale, inverse, hn::Mul(scale, from), hn::Mul(scale, to), from);
      };
      return StoreAll(bits, Base(row_.FirstOffset()), n, out);
    }
    const auto codes = [&](size_t i, size_t left) HWY_ATTR {
      const VF32 scale = row_.Scale(at + i, left), inverse = row_.Inverse(scale, at + i);
      const V32 offset = row_.Offset(at + i, left);
      const VF32 first = row_.First(offset), low = hn::Mul(scale, first), high = hn::Mul(scale, row_.Last(offset));
      const V32 bits = Bits(small_floats::Load<kIn>(df, in + i, left), scale, inverse, low, high, first);
      return kRule == Rule::kHalfUp ? bits : hn::Sub(bits, offset);
    };
    StoreAll(codes, Base(0), n, out);
  }

  HWY_INLINE void Batch(const In* in, size_t n, const float* scale, const int32_t* offset, Out* out) const {
    alignas(64) float x[literal::kBatch] = {};
    alignas(64) int32_t codes[literal::kBatch];
    small_floats::ToFloats<kIn>(in, n, x);
    literal::Codes(args_.arithmetic, x, scale, offset, {args_.qmin, args_.qmax, args_.shift, args_.profile}, codes);
    for (size_t i = 0; i < n; i += hn::Lanes(D32())) Store(hn::Load(D32(), codes + i), out + i, n - i);
  }

 private:
  HWY_INLINE int32_t Base(int32_t offset) const { return CodeBase<kRule>(offset, static_cast<int32_t>(args_.qmin)); }

  // F: VF32 or Broadcast.
  template <class F>
  HWY_INLINE static V32 Bits(VF32 x, F scale, F inverse, VF32 low, VF32 high, VF32 first) {
    const VF32 inside = Inside<false>(x, low, high);
    return CodeBits<kRule>(Quotient<kRule>(inside, scale, inverse, hn::Zero(DF32()), first));
  }

  // Two vectors of the k-th run.
  HWY_INLINE void CodesOfPair(const In* in, size_t k, V32& a, V32& b) const {
    const DF32 df;
    const auto scale = runs_.AtScale(k), inverse = runs_.AtInverse(k);
    const VF32 low = runs_.Low(k), high = runs_.High(k), first = hn::Set(df, units_.First(runs_.Offset(k)));
    const V32 base = hn::Set(D32(), Base(runs_.Offset(k)));
    const VF32 x = small_floats::Load<kIn>(df, in, hn::Lanes(df));
    const VF32 y = small_floats::Load<kIn>(df, in + hn::Lanes(df), hn::Lanes(df));
    a = hn::Sub(Bits(x, scale, inverse, low, high, first), base);
    b = hn::Sub(Bits(y, scale, inverse, low, high, first), base);
  }

  // bits(i, left): the vector of those from i on.
  template <class BitsOf>
  HWY_INLINE void StoreAll(const BitsOf& bits, int32_t base, size_t n, Out* out) const {
    const size_t lanes = hn::Lanes(D32());
    const auto narrow_base = hn::Set(DT<T>(), static_cast<T>(base));
    const V32 wide_base = hn::Set(D32(), base);
    size_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      Store4(bits(i, lanes), bits(i + lanes, lanes), bits(i + 2 * lanes, lanes), bits(i + 3 * lanes, lanes),
             narrow_base, out + i);
    }
    for (; i < n; i += lanes) Store(hn::Sub(bits(i, n - i), wide_base), out + i, n - i);
  }

  static constexpr bool kMayMultiply = kRule == Rule::kDivide && kIn != FloatType::kF32;

  const QuantizeAffineArgs& args_;
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
