// float -> codes under any AffineLayout.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_affine.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/affine_literal-inl.h"
#include "kernels/affine_loop-inl.h"
#include "kernels/affine_rules-inl.h"
#include "kernels/affine_scales-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/packed_codes-inl.h"
#include "kernels/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_affine {

using affine::Rule;
using quantize::D32;
using quantize::DF32;
using quantize::V32;
using quantize::VF32;

// Four vectors of codes, of which the low bits count, in order.
template <class T>
HWY_INLINE void Store4(V32 v0, V32 v1, V32 v2, V32 v3, T* out) {
  const hn::RebindToUnsigned<D32> d32;
  const hn::Repartition<uint16_t, D32> d16;
  const hn::Repartition<uint8_t, D32> d8;
  if constexpr (sizeof(T) == 4) {
    hn::StoreU(v0, D32(), out);
    hn::StoreU(v1, D32(), out + hn::Lanes(d32));
    hn::StoreU(v2, D32(), out + 2 * hn::Lanes(d32));
    hn::StoreU(v3, D32(), out + 3 * hn::Lanes(d32));
  } else {
    const auto low = hn::OrderedTruncate2To(d16, hn::BitCast(d32, v0), hn::BitCast(d32, v1));
    const auto high = hn::OrderedTruncate2To(d16, hn::BitCast(d32, v2), hn::BitCast(d32, v3));
    if constexpr (sizeof(T) == 2) {
      hn::StoreU(low, d16, out);
      hn::StoreU(high, d16, out + hn::Lanes(d16));
    } else {
      hn::StoreU(hn::OrderedTruncate2To(d8, low, high), d8, out);
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
template <Rule kRule, class T>
class Kernel {
 public:
  using In = float;
  using Out = T;

  Kernel(const QuantizeAffineArgs& args, int64_t limit)
      : args_(args), units_(affine::MakeUnits(args.qmin, args.qmax, args.shift, limit)) {}

  bool PrepareRuns(const float* scale, const int32_t* offset, size_t n) { return runs_.Fill(scale, offset, n, units_); }
  bool PrepareRow(const float* scale, const int32_t* offset, size_t n) { return row_.Fill(scale, offset, n, units_); }

  HWY_INLINE void Uniform(const In* in, size_t n, size_t k, Out* out) const {
    const DF32 df;
    const VF32 scale = hn::Set(df, runs_.scale[k]), inverse = hn::Set(df, runs_.inverse[k]);
    const VF32 low = hn::Set(df, runs_.low[k]), high = hn::Set(df, runs_.high[k]);
    const VF32 first = hn::Set(df, runs_.first[k]);
    const V32 base = Base(hn::Set(D32(), runs_.offset[k]));
    const auto codes = [&](size_t i, size_t left) HWY_ATTR {
      const VF32 x = affine::Inside<false>(quantize::LoadUpTo(df, in + i, left), low, high);
      return hn::Sub(affine::CodeBits<kRule>(affine::Quotient<kRule>(x, scale, inverse, hn::Zero(df), first)), base);
    };
    StoreAll(codes, n, out);
  }

  HWY_INLINE void Row(const In* in, size_t n, size_t at, Out* out) const {
    const DF32 df;
    const auto codes = [&](size_t i, size_t left) HWY_ATTR {
      const VF32 scale = row_.Scale(at + i, left), inverse = row_.Inverse(scale, at + i);
      const V32 offset = row_.Offset(at + i, left);
      const VF32 first = row_.First(offset), low = hn::Mul(scale, first), high = hn::Mul(scale, row_.Last(offset));
      const VF32 x = affine::Inside<false>(quantize::LoadUpTo(df, in + i, left), low, high);
      const VF32 t = affine::Quotient<kRule>(x, scale, inverse, hn::Zero(df), first);
      return hn::Sub(affine::CodeBits<kRule>(t), Base(offset));
    };
    StoreAll(codes, n, out);
  }

  HWY_INLINE void Batch(const In* in, size_t n, const float* scale, const int32_t* offset, Out* out) const {
    alignas(64) float x[literal::kBatch] = {};
    alignas(64) int32_t codes[literal::kBatch];
    std::copy_n(in, n, x);
    literal::Codes(args_.arithmetic, x, scale, offset, {args_.qmin, args_.qmax, args_.shift, args_.profile}, codes);
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<T>(codes[i]);
  }

 private:
  HWY_INLINE V32 Base(V32 offset) const { return affine::CodeBase<kRule>(offset, static_cast<int32_t>(args_.qmin)); }

  // codes(i, left): the vector of those from i on.
  template <class CodesOf>
  HWY_INLINE void StoreAll(const CodesOf& codes, size_t n, Out* out) const {
    const size_t lanes = hn::Lanes(D32());
    size_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      Store4(codes(i, lanes), codes(i + lanes, lanes), codes(i + 2 * lanes, lanes), codes(i + 3 * lanes, lanes),
             out + i);
    }
    for (; i < n; i += lanes) Store(codes(i, n - i), out + i, n - i);
  }

  const QuantizeAffineArgs& args_;
  const affine::Units units_;
  affine::RunScales runs_;
  affine::RowScales row_;
};

// Elements [i, i + n) as floats; `buffer` holds a chunk.
HWY_INLINE const float* Floats(const QuantizeAffineArgs& args, size_t i, size_t n, float* buffer) {
  if (args.in_type == FloatType::kF32) return static_cast<const float*>(args.in) + i;
  const uint16_t* in = static_cast<const uint16_t*>(args.in) + i;
  if (args.in_type == FloatType::kF16) {
    small_floats::ToFloats<FloatType::kF16>(in, n, buffer);
  } else {
    small_floats::ToFloats<FloatType::kBF16>(in, n, buffer);
  }
  return buffer;
}

template <Rule kRule, class T>
HWY_NOINLINE void Run(const QuantizeAffineArgs& args, int64_t limit) {
  Kernel<kRule, T> kernel(args, limit);
  affine::AffineLoop<Kernel<kRule, T>> loop(args.layout, args.n, kernel);
  const size_t bits = packed_codes::BitsOf(args.type);
  if (args.in_type == FloatType::kF32 && bits == 0 && !args.stream) {
    return loop.Run(static_cast<const float*>(args.in), args.n, static_cast<T*>(args.out));
  }
  static_assert(stream::kChunk == packed_codes::kMost);
  alignas(64) float floats[stream::kChunk];
  alignas(64) T codes[stream::kChunk] = {};
  for (size_t i = 0; i < args.n; i += stream::kChunk) {
    const size_t n = std::min(stream::kChunk, args.n - i);
    uint8_t* out = static_cast<uint8_t*>(args.out) + (bits == 0 ? i * sizeof(T) : i * bits / 8);
    const bool direct = bits == 0 && !args.stream;
    loop.Run(Floats(args, i, n, floats), n, direct ? reinterpret_cast<T*>(out) : codes);
    if constexpr (sizeof(T) == 1) {
      if (bits != 0) packed_codes::Pack(codes, n, bits, args.stream ? codes : out);
    }
    if (args.stream) stream::Copy(codes, out, bits == 0 ? n * sizeof(T) : (n * bits + 7) / 8);
  }
  if (args.stream) hwy::FlushStream();
}

template <Rule kRule>
void RunType(const QuantizeAffineArgs& args, int64_t limit) {
  switch (args.type) {
    case CodeType::kU16:
    case CodeType::kS16:
      return Run<kRule, uint16_t>(args, limit);
    case CodeType::kS32:
      return Run<kRule, int32_t>(args, limit);
    default:
      return Run<kRule, uint8_t>(args, limit);
  }
}

}  // namespace quantize_affine

void QuantizeAffine(const QuantizeAffineArgs& args) {
  using namespace quantize_affine;  // NOLINT(google-build-using-namespace)
  const int64_t limit = affine::UnitLimit(Arithmetic::kF32);
  if (args.profile == RoundingProfile::kAimetFakequant) return RunType<Rule::kReciprocal>(args, limit);
  if (args.profile == RoundingProfile::kAimetOnnx) return RunType<Rule::kHalfUp>(args, limit);
  if (args.shift != 0 && args.profile == RoundingProfile::kAimetDiv) return RunType<Rule::kDivide>(args, -1);
  switch (args.arithmetic) {
    case Arithmetic::kF32:
      return RunType<Rule::kDivide>(args, limit);
    case Arithmetic::kF16:
      return RunType<Rule::kDivideF16>(args, affine::UnitLimit(Arithmetic::kF16));
    case Arithmetic::kBF16:
      return RunType<Rule::kDivideBF16>(args, affine::UnitLimit(Arithmetic::kBF16));
    case Arithmetic::kF64:
      return RunType<Rule::kDivide>(args, -1);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeAffineFn>> QuantizeAffineVariants() {
  static const std::vector<Variant<QuantizeAffineFn>> variants =
      Runnable<QuantizeAffineFn>(LQ_VARIANTS(QuantizeAffine));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
