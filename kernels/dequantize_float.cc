// Codes of a small float format -> floats, times a scale.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dequantize_float.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "kernels/contracts_float.h"
#include "kernels/float_codes-inl.h"
#include "kernels/packed_codes-inl.h"
#include "kernels/quantize-inl.h"
#include "kernels/round_float-inl.h"
#include "kernels/scale_chunks.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace dequantize_float {

using float_codes::D16;
using float_codes::V16;
using round_float::DF32;
using round_float::PowerBits;
using round_float::VF32;
using small_floats::Element;
using D32 = hn::RebindToSigned<DF32>;
using V32 = hn::Vec<D32>;

// Of any format.
HWY_INLINE VF32 ValueOf(V32 code, const DequantizeFloatArgs& args) {
  const DF32 df;
  const D32 di;
  const int m = args.mantissa_bits, magnitude_bits = args.code.exponent_bits + m;
  const V32 magnitude = hn::And(code, hn::Set(di, (1 << magnitude_bits) - 1));
  const V32 normal = hn::Add(hn::ShiftLeftSame(magnitude, 23 - m), hn::Set(di, (127 - args.code.bias) << 23));
  const VF32 step = hn::BitCast(df, hn::Set(di, PowerBits(1 - args.code.bias - m)));
  const VF32 subnormal = hn::Mul(hn::ConvertTo(df, magnitude), step);
  const auto is_subnormal = hn::RebindMask(df, hn::Lt(magnitude, hn::Set(di, 1 << m)));
  VF32 value = hn::IfThenElse(is_subnormal, subnormal, hn::BitCast(df, normal));
  const V32 special = hn::Set(di, args.code.special);
  const VF32 nan = hn::Set(df, std::numeric_limits<float>::quiet_NaN());
  value = hn::IfThenElse(hn::RebindMask(df, hn::Ge(magnitude, special)), nan, value);
  if (args.code.has_infinity) {
    value = hn::IfThenElse(hn::RebindMask(df, hn::Eq(magnitude, special)), hn::Inf(df), value);
  }
  const V32 sign = hn::ShiftLeftSame(code, 31 - magnitude_bits);
  value = hn::Or(value, hn::BitCast(df, hn::And(sign, hn::Set(di, INT32_MIN))));
  if (!args.unsigned_zero) return value;
  return hn::IfThenElse(hn::RebindMask(df, hn::Eq(code, hn::Set(di, 1 << magnitude_bits))), nan, value);
}

HWY_INLINE void ValuesOf(V16 codes, const DequantizeFloatArgs& args, VF32& low, VF32& high) {
  const DF32 df;
  const hn::Rebind<uint16_t, DF32> half;
  if (HWY_LIKELY(float_codes::FitsFloat16(args.code))) {
    const V16 halves = float_codes::ToFloat16(codes, args.mantissa_bits, args.code, args.unsigned_zero);
    const VF32 factor = hn::BitCast(df, hn::Set(D32(), PowerBits(15 - args.code.bias)));
    low = hn::Mul(small_floats::Widen<FloatType::kF16>(df, hn::LowerHalf(half, halves)), factor);
    high = hn::Mul(small_floats::Widen<FloatType::kF16>(df, hn::UpperHalf(half, halves)), factor);
  } else {
    low = ValueOf(hn::PromoteTo(D32(), hn::LowerHalf(half, codes)), args);
    high = ValueOf(hn::PromoteTo(D32(), hn::UpperHalf(half, codes)), args);
  }
}

template <FloatType kOut>
HWY_INLINE void RunChunk(const uint8_t* codes, const ScaleChunk& chunk, const DequantizeFloatArgs& args,
                         Element<kOut>* out) {
  const DF32 df;
  const hn::Rebind<uint8_t, D16> d8;
  const size_t lanes = hn::Lanes(df);
  VF32 scale = hn::Set(df, *chunk.scale), next_scale = scale;
  for (size_t i = 0; i < chunk.count; i += 2 * lanes) {
    const size_t left = chunk.count - i;
    VF32 low, high;
    ValuesOf(hn::PromoteTo(D16(), quantize::LoadUpTo(d8, codes + i, left)), args, low, high);
    if (!chunk.uniform) {
      scale = hn::LoadU(df, chunk.scale + i);
      next_scale = hn::LoadU(df, chunk.scale + i + lanes);
    }
    small_floats::Store<kOut>(df, hn::Mul(low, scale), out + i, left);
    if (left > lanes) small_floats::Store<kOut>(df, hn::Mul(high, next_scale), out + i + lanes, left - lanes);
  }
}

// Values on their way to the output: chunks of short runs are pushed several at a time.
template <FloatType kOut>
class Writer {
 public:
  explicit Writer(const DequantizeFloatArgs& args)
      : args_(args), out_(static_cast<Element<kOut>*>(args.out)), lines_(args.out) {}

  // Where the values of elements i .. i + n - 1 go, the next ones.
  HWY_INLINE Element<kOut>* At(size_t i, size_t n) {
    if (!args_.stream) return out_ + i;
    stream::PrefetchAhead(args_.in + (args_.packed ? i / 2 : i), args_.packed ? n / 2 : n);
    return static_cast<Element<kOut>*>(lines_.next()) + waiting_;
  }

  // They are there.
  HWY_INLINE void Done(size_t n) {
    if (!args_.stream) return;
    waiting_ += n;
    if (waiting_ >= kPush) Push();
  }

  void Finish() {
    if (!args_.stream) return;
    Push();
    lines_.Finish();
  }

 private:
  static constexpr size_t kPush = 128;  // elements

  HWY_INLINE void Push() {
    lines_.Push(waiting_ * sizeof(Element<kOut>));
    waiting_ = 0;
  }

  const DequantizeFloatArgs& args_;
  Element<kOut>* const out_;
  stream::Lines lines_;
  size_t waiting_ = 0;
};

template <FloatType kOut>
void Run(const DequantizeFloatArgs& shared_args) {
  const DequantizeFloatArgs args = shared_args;  // stores cannot change it
  constexpr size_t kMost = ScaleChunks::kMost, kPiece = 256;
  static_assert(kMost % packed_codes::kGroup == 0);
  Writer<kOut> writer(args);
  ScaleChunks chunks(args.layout, args.n);
  ScaleChunk chunk;
  uint8_t unpacked[kMost];
  while (chunks.Next(chunk)) {
    const size_t begin = chunk.begin, end = begin + chunk.count;
    if (args.packed && begin % kMost == 0) {
      packed_codes::Unpack(args.in + begin / 2, std::min(kMost, args.n - begin), CodeType::kU4, unpacked);
    }
    for (size_t i = begin; i < end; i += kPiece) {
      const ScaleChunk piece = {i, std::min(kPiece, end - i), chunk.scale, chunk.uniform};
      const uint8_t* codes = args.packed ? unpacked + i % kMost : args.in + i;
      RunChunk<kOut>(codes, piece, args, writer.At(i, piece.count));
      writer.Done(piece.count);
    }
  }
  writer.Finish();
}

}  // namespace dequantize_float

void DequantizeFloat(const DequantizeFloatArgs& args) {
  switch (args.out_type) {
    case FloatType::kF32:
      return dequantize_float::Run<FloatType::kF32>(args);
    case FloatType::kF16:
      return dequantize_float::Run<FloatType::kF16>(args);
    case FloatType::kBF16:
      return dequantize_float::Run<FloatType::kBF16>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<DequantizeFloatFn>> DequantizeFloatVariants() {
  static const std::vector<Variant<DequantizeFloatFn>> variants =
      Runnable<DequantizeFloatFn>(LQ_VARIANTS(DequantizeFloat));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
