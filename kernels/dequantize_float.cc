// Codes of a small float format -> floats, times a scale.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dequantize_float.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <limits>

#include "kernels/contracts_float.h"
#include "kernels/round_float-inl.h"
#include "kernels/scale_chunks.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace dequantize_float {

using round_float::DF32;
using round_float::PowerBits;
using round_float::VF32;
using D32 = hn::RebindToSigned<DF32>;
using V32 = hn::Vec<D32>;

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

// Codes begin .. begin + count - 1 of the packed ones, one a byte.
inline void Unpack(const uint8_t* in, size_t begin, size_t count, uint8_t* codes) {
  for (size_t j = begin; j < begin + count; ++j) {
    codes[j - begin] = static_cast<uint8_t>(j % 2 == 0 ? in[j / 2] & 15 : in[j / 2] >> 4);
  }
}

template <FloatType kOut>
void Run(const DequantizeFloatArgs& args) {
  const DF32 df;
  const D32 di;
  const hn::Rebind<uint8_t, DF32> d8;
  constexpr size_t kMost = ScaleChunks::kMost;
  auto* out = static_cast<small_floats::Element<kOut>*>(args.out);
  alignas(64) small_floats::Element<kOut> buffer[kMost];
  ScaleChunks chunks(args.layout, args.n);
  ScaleChunk chunk;
  uint8_t codes[kMost + 64] = {};  // loads go past the last one
  while (chunks.Next(chunk)) {
    if (args.packed) {
      Unpack(args.in, chunk.begin, chunk.count, codes);
    } else {
      hwy::CopyBytes(args.in + chunk.begin, codes, chunk.count);
    }
    const size_t end = chunk.begin + chunk.count, in_buffer = chunk.begin % kMost;
    auto* to = args.stream ? buffer + in_buffer : out + chunk.begin;
    for (size_t i = 0; i < chunk.count; i += hn::Lanes(df)) {
      const VF32 scale = chunk.uniform ? hn::Set(df, *chunk.scale) : hn::LoadU(df, chunk.scale + i);
      const VF32 y = hn::Mul(ValueOf(hn::PromoteTo(di, hn::LoadU(d8, codes + i)), args), scale);
      small_floats::Store<kOut>(df, y, to + i, chunk.count - i);
    }
    if (args.stream && (end % kMost == 0 || end == args.n)) {
      stream::Copy(buffer, out + chunk.begin - in_buffer, (in_buffer + chunk.count) * sizeof(*buffer));
    }
  }
  if (args.stream) hwy::FlushStream();
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
