// Codes -> float under any AffineLayout.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dequantize_affine.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/affine_literal-inl.h"
#include "kernels/affine_loop-inl.h"
#include "kernels/affine_rules-inl.h"
#include "kernels/affine_scales-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/packed_codes-inl.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace dequantize_affine {

using quantize::D32;
using quantize::DF32;
using quantize::V32;
using quantize::VF32;

// The fast way: fl((q + o + h) * s) in floats, where |q + o| is at most UnitLimit, so that only the product is rounded.
template <class T, FloatType kType>
class Kernel {
 public:
  using In = T;
  using Out = small_floats::Element<kType>;
  using Results = Out*;

  // stream: runs begin at whole lines of the output, and their stores go around the caches.
  Kernel(const DequantizeAffineArgs& args, bool stream) : args_(args), stream_(stream) {
    int64_t limit = affine::UnitLimit(args.arithmetic);
    if (args.shift != 0) limit = limit / 2 - 1;  // halves take a bit, and the last one is a half above
    const int64_t qmin = std::numeric_limits<T>::min(), qmax = std::numeric_limits<T>::max();
    if (args.arithmetic == Arithmetic::kF64 || sizeof(T) == 4) return;  // no offset will do
    lowest_offset_ = static_cast<int32_t>(-limit - qmin);
    highest_offset_ = static_cast<int32_t>(limit - qmax);
  }

  bool PrepareRuns(const float* scale, const int32_t* offset, size_t n) {
    scale_ = scale;
    offset_ = offset;
    const D32 d;
    V32 least = hn::Set(d, std::numeric_limits<int32_t>::max());
    V32 most = hn::Set(d, std::numeric_limits<int32_t>::min());
    V32 magnitude = hn::Zero(d);
    for (size_t i = 0; i < n; i += hn::Lanes(d)) {
      affine::Widen(affine::LoadOffsets(offset, i, n - i), least, most);
      magnitude = hn::Max(magnitude, hn::BitCast(d, hn::Abs(affine::LoadScales(scale + i, n - i))));
    }
    const auto finite = hn::Lt(magnitude, hn::Set(d, 0x7F800000));  // so that no value is NaN
    const auto exact = hn::And(hn::Ge(least, hn::Set(d, lowest_offset_)), hn::Le(most, hn::Set(d, highest_offset_)));
    same_offset_ = affine::AreAll(*offset, least, most);
    return hn::AllTrue(d, hn::And(finite, exact));
  }
  bool PrepareRow(const float* scale, const int32_t* offset, size_t n) { return PrepareRuns(scale, offset, n); }

  HWY_INLINE void Uniform(const In* in, size_t n, size_t k, Out* out) const {
    const DF32 df;
    const size_t lanes = hn::Lanes(df);
    const VF32 scale = hn::Set(df, scale_[k]);
    const VF32 origin = hn::Set(df, static_cast<float>(offset_[k]) + args_.shift);
    size_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
      const VF32 a = Values(in + i, lanes, scale, origin), b = Values(in + i + lanes, lanes, scale, origin);
      small_floats::StoreNumbers<kType>(df, a, b, out + i, stream_);
    }
    for (; i < n; i += lanes) small_floats::Store<kType>(df, Values(in + i, n - i, scale, origin), out + i, n - i);
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
    const float* scales = scale_ + at;
    if (same_offset_) {  // two operations and a load less
      const VF32 origin = hn::Add(hn::Set(df, static_cast<float>(*offset_)), shift);
      return EachScale(
          in, n, scales, [&](size_t, size_t) HWY_ATTR { return origin; }, out);
    }
    const int32_t* offsets = offset_ + at;
    const auto origin = [&](size_t i, size_t left) HWY_ATTR {
      return hn::Add(hn::ConvertTo(df, quantize::LoadUpTo(D32(), offsets + i, left)), shift);
    };
    EachScale(in, n, scales, origin, out);
  }

  HWY_NOINLINE void Batch(const In* in, size_t n, const float* scale, const int32_t* offset, Out* out) const {
    alignas(64) int32_t codes[literal::kBatch] = {};
    alignas(64) float y[literal::kBatch];
    for (size_t i = 0; i < n; i += hn::Lanes(D32())) hn::Store(quantize::LoadCodes(in + i, n - i), D32(), codes + i);
    literal::Values(args_.arithmetic, codes, scale, offset, args_.shift, y);
    small_floats::FromFloats<kType>(y, n, out);
  }

 private:
  HWY_INLINE void EachRun(const In* in, size_t run, size_t k, size_t runs, Out* out) const {
    for (size_t j = 0; j < runs; ++j) Uniform(in + j * run, run, k + j, out + j * run);
  }

  // origin(i, left): of the elements from i on.
  template <class OriginOf>
  HWY_INLINE void EachScale(const In* in, size_t n, const float* scales, const OriginOf& origin, Out* out) const {
    const DF32 df;
    const size_t lanes = hn::Lanes(df);
    const bool around = stream_;
    size_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
      const VF32 a = Values(in + i, lanes, hn::LoadU(df, scales + i), origin(i, lanes));
      const VF32 b = Values(in + i + lanes, lanes, hn::LoadU(df, scales + i + lanes), origin(i + lanes, lanes));
      small_floats::StoreNumbers<kType>(df, a, b, out + i, around);
    }
    for (; i < n; i += lanes) {
      const VF32 scale = quantize::LoadUpTo(df, scales + i, n - i);
      small_floats::Store<kType>(df, Values(in + i, n - i, scale, origin(i, n - i)), out + i, n - i);
    }
  }

  HWY_INLINE VF32 Values(const In* in, size_t left, VF32 scale, VF32 origin) const {
    const VF32 q = hn::ConvertTo(DF32(), quantize::LoadCodes(in, left));
    return hn::Mul(hn::Add(q, origin), scale);
  }

  const DequantizeAffineArgs& args_;
  const bool stream_;
  bool same_offset_ = false;
  int32_t lowest_offset_ = 0, highest_offset_ = -1;
  const float* scale_ = nullptr;
  const int32_t* offset_ = nullptr;
};

template <class T, FloatType kType>
HWY_NOINLINE void Run(const DequantizeAffineArgs& args) {
  using Out = small_floats::Element<kType>;
  constexpr size_t kLine = 64;
  const bool whole_lines = reinterpret_cast<uintptr_t>(args.out) % kLine == 0 &&
                           (args.layout.count == 1 || args.layout.run * sizeof(Out) % kLine == 0);
  const bool direct = whole_lines || !args.stream;
  Kernel<T, kType> kernel(args, args.stream && whole_lines);
  affine::AffineLoop<Kernel<T, kType>> loop(args.layout, args.n, kernel);
  const size_t bits = packed_codes::BitsOf(args.type);
  const T* in = static_cast<const T*>(args.in);
  Out* out = static_cast<Out*>(args.out);
  if (bits == 0 && !args.stream) return loop.Run(in, args.n, out);
  constexpr size_t kChunk = stream::kChunkBytes / sizeof(Out);
  alignas(64) T codes[kChunk];
  alignas(64) Out values[kChunk];
  for (size_t i = 0; i < args.n; i += kChunk) {
    const size_t n = std::min(kChunk, args.n - i);
    const T* from = in + i;
    if constexpr (sizeof(T) == 1) {
      if (bits != 0) {
        const uint8_t* packed = static_cast<const uint8_t*>(args.in) + i * bits / 8;
        packed_codes::Unpack(packed, n, args.type, reinterpret_cast<uint8_t*>(codes));
        from = codes;
      }
    }
    loop.Run(from, n, direct ? out + i : values);
    if (!direct) stream::Copy(values, out + i, n * sizeof(Out));
  }
  if (args.stream) hwy::FlushStream();
}

template <FloatType kType>
void RunType(const DequantizeAffineArgs& args) {
  switch (args.type) {
    case CodeType::kU8:
    case CodeType::kU4:
    case CodeType::kU2:
      return Run<uint8_t, kType>(args);
    case CodeType::kS8:
    case CodeType::kS4:
    case CodeType::kS2:
      return Run<int8_t, kType>(args);
    case CodeType::kU16:
      return Run<uint16_t, kType>(args);
    case CodeType::kS16:
      return Run<int16_t, kType>(args);
    case CodeType::kS32:
      return Run<int32_t, kType>(args);
  }
}

}  // namespace dequantize_affine

void DequantizeAffine(const DequantizeAffineArgs& args) {
  switch (args.out_type) {
    case FloatType::kF32:
      return dequantize_affine::RunType<FloatType::kF32>(args);
    case FloatType::kF16:
      return dequantize_affine::RunType<FloatType::kF16>(args);
    case FloatType::kBF16:
      return dequantize_affine::RunType<FloatType::kBF16>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<DequantizeAffineFn>> DequantizeAffineVariants() {
  static const std::vector<Variant<DequantizeAffineFn>> variants =
      Runnable<DequantizeAffineFn>(LQ_VARIANTS(DequantizeAffine));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
