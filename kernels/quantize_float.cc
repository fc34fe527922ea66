// Floats -> codes of a small float format.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_float.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/contracts_float.h"
#include "kernels/round_float-inl.h"
#include "kernels/scale_chunks.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_float {

using round_float::DF32;
using round_float::GridKind;
using round_float::PowerBits;
using round_float::VF32;
using D32 = hn::RebindToSigned<DF32>;
using V32 = hn::Vec<D32>;

// The code of r, a value of the grid, infinity or NaN.
HWY_INLINE V32 CodeOf(VF32 r, const FloatGrid& grid, const FloatCode& code) {
  const DF32 df;
  const D32 di;
  const V32 magnitude = round_float::MagnitudeBits(df, r);
  // Float and code have the same fields: an exponent of another bias, then the mantissa.
  const V32 rebias = hn::Set(di, (127 - code.bias) << 23);
  const V32 normal = hn::ShiftRightSame(hn::Sub(magnitude, rebias), 23 - grid.mantissa_bits);
  // Below the smallest normal value codes count steps.
  const VF32 step = hn::BitCast(df, hn::Set(di, PowerBits(grid.min_exponent - grid.mantissa_bits)));
  const V32 subnormal = hn::ConvertTo(di, hn::Div(hn::Abs(r), step));
  V32 result = hn::IfThenElse(hn::Lt(magnitude, hn::Set(di, PowerBits(grid.min_exponent))), subnormal, normal);
  const V32 infinity = hn::Set(di, round_float::kExponentBits);
  result = hn::IfThenElse(hn::Eq(magnitude, infinity), hn::Set(di, code.special), result);
  result = hn::IfThenElse(hn::Gt(magnitude, infinity), hn::Set(di, code.nan), result);
  const V32 sign = hn::ShiftRightSame(hn::And(hn::BitCast(di, r), hn::Set(di, INT32_MIN)),
                                      31 - code.exponent_bits - grid.mantissa_bits);
  const V32 sign_bit = hn::Set(di, 1 << (code.exponent_bits + grid.mantissa_bits));
  return hn::Or(result, hn::And(sign, sign_bit));
}

template <FloatType kIn, FloatType kRound>
HWY_INLINE V32 Codes(const QuantizeFloatArgs& args, size_t at, size_t left, VF32 scale) {
  const DF32 df;
  const auto* in = static_cast<const small_floats::Element<kIn>*>(args.in) + at;
  VF32 t = small_floats::RoundTo<kRound>(df, hn::Div(small_floats::Load<kIn>(df, in, left), scale));
  if (args.zero_point) t = hn::Add(t, hn::Zero(df));
  if (args.code.nan == 0) t = hn::IfThenElse(hn::IsNaN(t), hn::Set(df, args.grid.limit), t);
  t = round_float::Limit(t, hn::Set(df, args.grid.limit));
  return CodeOf(round_float::RoundToGrid<GridKind::kPlain>(t, t, args.grid), args.grid, args.code);
}

// Codes, one a byte, to places begin.. of packed ones; what is behind the last one in its byte becomes 0.
inline void Pack(const uint8_t* codes, size_t begin, size_t count, uint8_t* out) {
  for (size_t j = 0; j < count; ++j) {
    uint8_t& byte = out[(begin + j) / 2];
    byte = static_cast<uint8_t>((begin + j) % 2 == 0 ? codes[j] : byte | codes[j] << 4);
  }
}

template <FloatType kIn, FloatType kRound>
void Run(const QuantizeFloatArgs& args) {
  const DF32 df;
  const hn::Rebind<uint8_t, DF32> d8;
  ScaleChunks chunks(args.layout, args.n);
  ScaleChunk chunk;
  uint8_t codes[ScaleChunks::kMost + 64];  // stores go past the last one
  while (chunks.Next(chunk)) {
    for (size_t i = 0; i < chunk.count; i += hn::Lanes(df)) {
      const VF32 scale = chunk.uniform ? hn::Set(df, *chunk.scale) : hn::LoadU(df, chunk.scale + i);
      const V32 v = Codes<kIn, kRound>(args, chunk.begin + i, chunk.count - i, scale);
      hn::StoreU(hn::DemoteTo(d8, v), d8, codes + i);
    }
    if (args.packed) {
      Pack(codes, chunk.begin, chunk.count, args.out);
    } else {
      hwy::CopyBytes(codes, args.out + chunk.begin, chunk.count);
    }
  }
}

}  // namespace quantize_float

void QuantizeFloat(const QuantizeFloatArgs& args) {
  using enum FloatType;
  const bool in_float = args.arithmetic == Arithmetic::kF32;
  switch (args.in_type) {
    case kF32:
      return quantize_float::Run<kF32, kF32>(args);
    case kF16:
      return in_float ? quantize_float::Run<kF16, kF32>(args) : quantize_float::Run<kF16, kF16>(args);
    case kBF16:
      return in_float ? quantize_float::Run<kBF16, kF32>(args) : quantize_float::Run<kBF16, kBF16>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeFloatFn>> QuantizeFloatVariants() {
  static const std::vector<Variant<QuantizeFloatFn>> variants = Runnable<QuantizeFloatFn>(LQ_VARIANTS(QuantizeFloat));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
