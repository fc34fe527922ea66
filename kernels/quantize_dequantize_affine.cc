// float -> the nearest point of a grid, under any AffineLayout.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_dequantize_affine.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/affine_literal-inl.h"
#include "kernels/affine_loop-inl.h"
#include "kernels/affine_rules-inl.h"
#include "kernels/affine_scales-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_dequantize {

using affine::Rule;
using quantize::DF32;
using quantize::VF32;

template <FloatType kType, Rule kRule, bool kKeepNan>
class Kernel {
 public:
  using In = small_floats::Element<kType>;
  using Out = In;

  Kernel(const QuantizeDequantizeAffineArgs& args, int64_t limit)
      : args_(args), units_(affine::MakeUnits(args.qmin, args.qmax, args.shift, limit)) {}

  bool PrepareRuns(const float* scale, const int32_t* offset, size_t n) { return runs_.Fill(scale, offset, n, units_); }
  bool PrepareRow(const float* scale, const int32_t* offset, size_t n) { return row_.Fill(scale, offset, n, units_); }

  HWY_INLINE void Uniform(const In* in, size_t n, size_t k, Out* out) const {
    const DF32 df;
    const size_t lanes = hn::Lanes(df);
    const VF32 scale = hn::Set(df, runs_.scale[k]), inverse = hn::Set(df, runs_.inverse[k]);
    const VF32 low = hn::Set(df, runs_.low[k]), high = hn::Set(df, runs_.high[k]);
    const VF32 first = hn::Set(df, runs_.first[k]), shift = hn::Set(df, args_.shift);
    const auto rounded = [&](VF32 x) HWY_ATTR {
      const VF32 t = affine::Quotient<kRule>(affine::Inside<kKeepNan>(x, low, high), scale, inverse, shift, first);
      return affine::Value<kRule>(t, scale, shift, first);
    };
    size_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
      VF32 a, b;
      small_floats::LoadPair<kType>(df, in + i, a, b);
      small_floats::StorePair<kType>(df, rounded(a), rounded(b), out + i);
    }
    for (; i < n; i += lanes) {
      small_floats::Store<kType>(df, rounded(small_floats::Load<kType>(df, in + i, n - i)), out + i, n - i);
    }
  }

  HWY_INLINE void Runs(const In* in, size_t run, size_t k, size_t runs, Out* out) const {
    // Of a size that the compiler knows nothing of the inner loops is left.
    constexpr size_t kPair = 2 * hn::MaxLanes(DF32());
    if (run == kPair) return EachRun(in, kPair, k, runs, out);
    if (run == 2 * kPair) return EachRun(in, 2 * kPair, k, runs, out);
    EachRun(in, run, k, runs, out);
  }

  HWY_INLINE void Row(const In* in, size_t n, size_t at, Out* out) const {
    const DF32 df;
    const VF32 shift = hn::Set(df, args_.shift);
    for (size_t i = 0; i < n; i += hn::Lanes(df)) {
      const size_t left = n - i;
      const VF32 scale = row_.Scale(at + i, left), inverse = row_.Inverse(scale, at + i);
      const auto offset = row_.Offset(at + i, left);
      const VF32 first = row_.First(offset), low = hn::Mul(scale, first), high = hn::Mul(scale, row_.Last(offset));
      const VF32 x = affine::Inside<kKeepNan>(small_floats::Load<kType>(df, in + i, left), low, high);
      const VF32 t = affine::Quotient<kRule>(x, scale, inverse, shift, first);
      small_floats::Store<kType>(df, affine::Value<kRule>(t, scale, shift, first), out + i, left);
    }
  }

  HWY_INLINE void Batch(const In* in, size_t n, const float* scale, const int32_t* offset, Out* out) const {
    alignas(64) float x[literal::kBatch] = {}, y[literal::kBatch];
    small_floats::ToFloats<kType>(in, n, x);
    literal::RoundedValues(args_.arithmetic, x, scale, offset, {args_.qmin, args_.qmax, args_.shift, args_.profile}, y);
    small_floats::FromFloats<kType>(y, n, out);
  }

 private:
  HWY_INLINE void EachRun(const In* in, size_t run, size_t k, size_t runs, Out* out) const {
    for (size_t j = 0; j < runs; ++j) Uniform(in + j * run, run, k + j, out + j * run);
  }

  const QuantizeDequantizeAffineArgs& args_;
  const affine::Units units_;
  affine::RunScales runs_;
  affine::RowScales row_;
};

// limit < 0: every element the literal way.
template <FloatType kType, Rule kRule, bool kKeepNan>
HWY_NOINLINE void Run(const QuantizeDequantizeAffineArgs& args, int64_t limit) {
  using T = small_floats::Element<kType>;
  Kernel<kType, kRule, kKeepNan> kernel(args, limit);
  affine::AffineLoop<Kernel<kType, kRule, kKeepNan>> loop(args.layout, args.n, kernel);
  const T* in = static_cast<const T*>(args.in);
  T* out = static_cast<T*>(args.out);
  if (!args.stream) return loop.Run(in, args.n, out);
  alignas(64) T chunk[stream::kChunk];
  for (size_t i = 0; i < args.n; i += stream::kChunk) {
    const size_t count = std::min(stream::kChunk, args.n - i);
    loop.Run(in + i, count, chunk);
    stream::Copy(chunk, out + i, count * sizeof(T));
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
template <FloatType kType, Arithmetic kNarrow, Rule kNarrowRule>
void RunSmall(const QuantizeDequantizeAffineArgs& args) {
  const int64_t limit = affine::UnitLimit(Arithmetic::kF32);
  if (args.profile == RoundingProfile::kAimetFakequant) return Run<kType, Rule::kReciprocal, false>(args, limit);
  if (args.profile != RoundingProfile::kAimetDiv || args.shift != 0) return RunLiterally<kType>(args);
  if (args.arithmetic == kNarrow) return Run<kType, kNarrowRule, true>(args, affine::UnitLimit(kNarrow));
  if (args.arithmetic == Arithmetic::kF32) return Run<kType, Rule::kDivide, true>(args, limit);
  RunLiterally<kType>(args);
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
      return RunSmall<FloatType::kBF16, Arithmetic::kBF16, Rule::kDivideBF16>(args);
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
