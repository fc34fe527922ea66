// float -> the nearest point of a grid, under any AffineLayout.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_dequantize_affine.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/affine_halves-inl.h"
#include "kernels/affine_literal-inl.h"
#include "kernels/affine_loop-inl.h"
#include "kernels/affine_rules-inl.h"
#include "kernels/affine_scales-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/half_values-inl.h"
#include "kernels/stream-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_dequantize {

using affine::Rule;
using quantize::DF32;
using quantize::V32;
using quantize::VF32;

// kHasBF16: of bfloat16, where small_floats::HasBF16(): blocks of 64 at 0.83 of a stream's speed instead of 0.67.
template <FloatType kType, Rule kRule, bool kKeepNan, bool kHasBF16>
class Kernel {
 public:
  using In = small_floats::Element<kType>;
  using Out = In;
  using Results = Out*;

  // stream: runs begin at whole lines of the output, and their stores go around the caches.
  Kernel(const QuantizeDequantizeAffineArgs& args, int64_t limit, bool stream)
      : args_(args), stream_(stream), units_(affine::MakeUnits(args.qmin, args.qmax, args.shift, limit)) {}

  bool PrepareRuns(const float* scale, const int32_t* offset, size_t n) {
    if (!runs_.Fill(scale, offset, n, units_)) return false;
    if constexpr (kMayMultiply) multiplied_.Fill(scale, offset, n, affine::RunOf(args_), units_);
    if constexpr (kHalves) values_.template Fill<kRule>(runs_, n, units_);
    return true;
  }
  bool PrepareRow(const float* scale, const int32_t* offset, size_t n) { return row_.Fill(scale, offset, n, units_); }

  HWY_INLINE void Uniform(const In* in, size_t n, size_t k, Out* out) const {
    if constexpr (kHalves) {
      if (values_.filled()) {
        const size_t done = n - n % values_.kPair;
        values_.template Run<kRule, kKeepNan>({in, done, k, 1, out}, runs_, stream_);
        if (done == n) return;
        in += done, n -= done, out += done;
      }
    }
    const VF32 scale = runs_.Scale(k), inverse = runs_.Inverse(k);
    if constexpr (kMayMultiply) {
      const VF32 low = runs_.Low(k), high = runs_.High(k), magic = hn::Set(DF32(), affine::kMagic);
      const auto rounded = [&](VF32 x) HWY_ATTR {
        const VF32 unit = affine::MultipliedUnit(affine::Inside<kKeepNan>(x, low, high), inverse);
        return hn::Mul(hn::Sub(unit, magic), scale);
      };
      if (multiplied_.Multiply(k)) return ForEach(in, n, rounded, out);
    }
    Stretch(in, n, scale, inverse, k, out);
  }

  HWY_INLINE void Runs(const In* in, size_t run, size_t k, size_t runs, Out* out) const {
    // Of a size that the compiler knows nothing of the inner loops is left.
    constexpr size_t kPair = 2 * hn::MaxLanes(DF32());
    if (run == kPair) return EachRun(in, kPair, k, runs, out);
    if (run == 2 * kPair) return EachRun(in, 2 * kPair, k, runs, out);
    for (size_t j = 0; j < runs; ++j) Uniform(in + j * run, run, k + j, out + j * run);
  }

  HWY_INLINE void Row(const In* in, size_t n, size_t at, Out* out) const {
    const DF32 df;
    const VF32 shift = hn::Set(df, args_.shift);
    const auto round = [&](size_t i, VF32 scale, VF32 inverse, VF32 first, VF32 last) HWY_ATTR {
      LQ_OPAQUE(scale);
      LQ_OPAQUE(inverse);
      const VF32 x = small_floats::Load<kType>(df, in + i, n - i);
      const VF32 inside = affine::Inside<kKeepNan>(x, hn::Mul(scale, first), hn::Mul(scale, last));
      const VF32 t = affine::Quotient<kRule>(inside, scale, inverse, shift, first);
      small_floats::Store<kType>(df, affine::Value<kRule>(t, scale, shift, first), out + i, n - i);
    };
    if (row_.IsPlain()) {
      // In registers for the whole loop: its stores could be to members, for all that the compiler knows.
      const V32 offset = row_.Offset(0, n);
      const VF32 first = row_.First(offset), last = row_.Last(offset);
      const float *scale = row_.Scales() + at, *inverse = row_.Inverses() + at;
      for (size_t i = 0; i < n; i += hn::Lanes(df)) {
        round(i, affine::LoadScales(scale + i, n - i), affine::LoadScales(inverse + i, n - i), first, last);
      }
      return;
    }
    for (size_t i = 0; i < n; i += hn::Lanes(df)) {
      const VF32 scale = row_.Scale(at + i, n - i);
      const V32 offset = row_.Offset(at + i, n - i);
      round(i, scale, row_.Inverse(scale, at + i), row_.First(offset), row_.Last(offset));
    }
  }

  HWY_NOINLINE void Batch(const In* in, size_t n, const float* scale, const int32_t* offset, Out* out) const {
    alignas(64) float x[literal::kBatch] = {}, y[literal::kBatch];
    small_floats::ToFloats<kType>(in, n, x);
    literal::RoundedValues(args_.arithmetic, x, scale, offset, {args_.qmin, args_.qmax, args_.shift, args_.profile}, y);
    small_floats::FromFloats<kType>(y, n, out);
  }

 private:
  // n elements of the k-th run. F: VF32 or exact_division::Broadcast.
  template <class F>
  HWY_INLINE void Stretch(const In* in, size_t n, F scale, F inverse, size_t k, Out* out) const {
    const DF32 df;
    const VF32 low = runs_.Low(k), high = runs_.High(k);
    const VF32 first = hn::Set(df, units_.First(runs_.Offset(k))), shift = hn::Set(df, args_.shift);
#if HWY_NATIVE_FMA
    if constexpr (kRule == Rule::kDivideF16 || kRule == Rule::kDivideBF16) {
      const VF32 s = exact_division::Get(scale), back = hn::Mul(s, hn::Set(df, -affine::kMagic));
      VF32 one = hn::Set(df, 1.0f);
      LQ_OPAQUE(one);  // no addition is to be made of it
      const auto by_products = [&](VF32 x) HWY_ATTR {
        const VF32 t = affine::Quotient<kRule>(affine::Inside<kKeepNan>(x, low, high), scale, inverse, shift, first);
        return affine::ValueByProducts(t, s, one, back);
      };
      return ForEach(in, n, by_products, out);
    }
#endif
    const auto rounded = [&](VF32 x) HWY_ATTR {
      const VF32 t = affine::Quotient<kRule>(affine::Inside<kKeepNan>(x, low, high), scale, inverse, shift, first);
      return affine::Value<kRule>(t, scale, shift, first);
    };
    ForEach(in, n, rounded, out);
  }

  template <class Rounded>
  HWY_INLINE void ForEach(const In* in, size_t n, const Rounded& rounded, Out* out) const {
    const DF32 df;
    const size_t lanes = hn::Lanes(df);
    const bool around = stream_;  // stores cannot change it
    size_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
      VF32 a, b;
      if (around) stream::PrefetchAhead(in + i, 2 * lanes * sizeof(In));
      small_floats::LoadPair<kType>(df, in + i, a, b);
      if constexpr (kHasBF16) {
        small_floats::StorePairAsBF16(df, rounded(a), rounded(b), out + i, around);
      } else {
        small_floats::StorePair<kType>(df, rounded(a), rounded(b), out + i, around);
      }
    }
    for (; i < n; i += lanes) {
      small_floats::Store<kType>(df, rounded(small_floats::Load<kType>(df, in + i, n - i)), out + i, n - i);
    }
  }

  HWY_INLINE void EachRun(const In* in, size_t run, size_t k, size_t runs, Out* out) const {
    // Under other rules a vector of values for each short run costs more than it saves: under bfloat16's own, blocks of
    // 64 take 5 % longer from the caches.
    if constexpr (kHalves && kRule == Rule::kDivide) {
      if (values_.filled()) return values_.template Run<kRule, kKeepNan>({in, run, k, runs, out}, runs_, stream_);
    }
    for (size_t j = 0; j < runs; ++j) {
      Stretch(in + j * run, run, runs_.AtScale(k + j), runs_.AtInverse(k + j), k + j, out + j * run);
    }
  }

  static constexpr bool kHalves = kType != FloatType::kF32;
  static constexpr bool kMayMultiply = kRule == Rule::kDivide && kHalves;

  const QuantizeDequantizeAffineArgs& args_;
  const bool stream_;
  const affine::Units units_;
  affine::RunScales runs_;
  affine::MultipliedRuns<kType> multiplied_;
  affine::HalfValues<kType, kHasBF16> values_;
  affine::RowScales row_;
};

// limit < 0: every element the literal way.
template <FloatType kType, Rule kRule, bool kKeepNan, bool kHasBF16 = false>
HWY_NOINLINE void Run(const QuantizeDequantizeAffineArgs& args, int64_t limit) {
  using T = small_floats::Element<kType>;
  constexpr size_t kLine = 64;
  const bool whole_lines = reinterpret_cast<uintptr_t>(args.out) % kLine == 0 &&
                           (args.layout.count == 1 || args.layout.run * sizeof(T) % kLine == 0);
  const bool direct = kType != FloatType::kF32 && whole_lines;
  using K = Kernel<kType, kRule, kKeepNan, kHasBF16>;
  K kernel(args, limit, args.stream && direct);
  affine::AffineLoop<K> loop(args.layout, args.n, kernel);
  const T* in = static_cast<const T*>(args.in);
  T* out = static_cast<T*>(args.out);
  if (!args.stream) return loop.Run(in, args.n, out);
  constexpr size_t kChunk = stream::kChunkBytes / sizeof(T);
  alignas(64) T chunk[kChunk];
  for (size_t i = 0; i < args.n; i += kChunk) {
    const size_t count = std::min(kChunk, args.n - i);
    loop.Run(in + i, count, direct ? out + i : chunk);
    if (!direct) stream::Copy(chunk, out + i, count * sizeof(T));
  }
  hwy::FlushStream();
}

// The cases that no loop of their own is worth.
template <FloatType kType>
void RunLiterally(const QuantizeDequantizeAffineArgs& args) {
  Run<kType, Rule::kDivide, true>(args, -1);
}

void RunF32(const QuantizeDequantizeAffineArgs& args) {
  constexpr FloatType kType = FloatType::kF32;
  const int64_t limit = affine::UnitLimit(Arithmetic::kF32);
  if (args.profile == RoundingProfile::kAimetFakequant) return Run<kType, Rule::kReciprocal, false>(args, limit);
  if (args.profile == RoundingProfile::kAimetOnnx) return Run<kType, Rule::kHalfUp, false>(args, limit);
  if (args.arithmetic != Arithmetic::kF32) return RunLiterally<kType>(args);
  if (args.profile == RoundingProfile::kOnnx) return Run<kType, Rule::kDivide, false>(args, limit);
  if (args.shift != 0) return Run<kType, Rule::kDivideShift, true>(args, limit);
  return Run<kType, Rule::kDivide, true>(args, limit);
}

// Tensors of float16 or bfloat16, whose own arithmetic kNarrow is.
template <FloatType kType, Arithmetic kNarrow, Rule kNarrowRule, bool kHasBF16 = false>
void RunSmall(const QuantizeDequantizeAffineArgs& args) {
  const int64_t limit = affine::UnitLimit(Arithmetic::kF32);
  if (args.profile == RoundingProfile::kAimetFakequant) {
    return Run<kType, Rule::kReciprocal, false, kHasBF16>(args, limit);
  }
  if (args.profile != RoundingProfile::kAimetDiv || args.shift != 0) return RunLiterally<kType>(args);
  if (args.arithmetic == kNarrow) {
    return Run<kType, kNarrowRule, true, kHasBF16>(args, affine::UnitLimit(kNarrow));
  }
  if (args.arithmetic == Arithmetic::kF32) return Run<kType, Rule::kDivide, true, kHasBF16>(args, limit);
  RunLiterally<kType>(args);
}

void RunBF16(const QuantizeDequantizeAffineArgs& args) {
  constexpr FloatType kType = FloatType::kBF16;
#if LQ_MAY_HAVE_BF16
  if (small_floats::HasBF16()) return RunSmall<kType, Arithmetic::kBF16, Rule::kDivideBF16, true>(args);
#endif
  RunSmall<kType, Arithmetic::kBF16, Rule::kDivideBF16>(args);
}

}  // namespace quantize_dequantize

void QuantizeDequantizeAffine(const QuantizeDequantizeAffineArgs& args) {
  using namespace quantize_dequantize;  // NOLINT(google-build-using-namespace)
  switch (args.type) {
    case FloatType::kF32:
      return RunF32(args);
    case FloatType::kF16:
      return RunSmall<FloatType::kF16, Arithmetic::kF16, Rule::kDivideF16>(args);
    case FloatType::kBF16:
      return RunBF16(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeDequantizeAffineFn>> QuantizeDequantizeAffineVariants() {
  static const std::vector<Variant<QuantizeDequantizeAffineFn>> variants =
      Runnable<QuantizeDequantizeAffineFn>(LQ_VARIANTS(QuantizeDequantizeAffine));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
