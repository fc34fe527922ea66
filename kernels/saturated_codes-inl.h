// Per-target: floats -> codes of small float formats in which nothing overflows, straight from the bits of a sum.
//
// With t = |x / s|, within the limit, e the exponent bits of t, of 2^min_exponent at least, and m mantissa bits: adding
// 1.5 * 2^23 steps of that exponent to t leaves the whole number q of steps in the low bits, ties to even. The code is
// ((e - e_min) >> (23 - m)) + q: codes below 2^(m+1) count steps of the smallest exponent, each further exponent is 2^m
// codes on, and a q that rounds up to 2^(m+1) goes on to the next exponent by itself.

#if defined(LANEQUANT_KERNELS_SATURATED_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_SATURATED_CODES_INL_H_
#undef LANEQUANT_KERNELS_SATURATED_CODES_INL_H_
#else
#define LANEQUANT_KERNELS_SATURATED_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/contracts_float.h"
#include "kernels/exact_division-inl.h"
#include "kernels/round_float-inl.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace saturated_codes {

using round_float::DF32;
using round_float::VF32;
using D32 = hn::RebindToUnsigned<DF32>;
using V32 = hn::Vec<D32>;

HWY_INLINE bool TakesFormat(const FloatGrid& grid) { return !round_float::Overflows(grid) && !grid.unsigned_zero; }

// With e_min taken off the low byte of the sum. It is even, so that ties go where they should.
constexpr uint32_t Magic(const FloatGrid& grid) {
  const auto least = static_cast<uint32_t>(round_float::PowerBits(grid.min_exponent));
  const auto steps = static_cast<uint32_t>(round_float::MagicBits(grid.mantissa_bits));
  return steps + ((0u - (least >> (23 - grid.mantissa_bits))) & 0xFF);
}

// Four vectors, one code in the low byte of each lane, behind each other.
HWY_INLINE void StoreBytes(V32 a, V32 b, V32 c, V32 d, uint8_t* out) {
  const hn::Repartition<uint16_t, D32> d16;
  const hn::Repartition<uint8_t, D32> d8;
  hn::StoreU(hn::OrderedTruncate2To(d8, hn::OrderedTruncate2To(d16, a, b), hn::OrderedTruncate2To(d16, c, d)), d8, out);
}

// Writes the codes of the first of n elements of one scale, which exact_division-inl.h takes. Returns how many: a
// multiple of four vectors, or 0 if one of them is NaN.
template <FloatType kIn>
HWY_INLINE size_t Run(const QuantizeFloatArgs& args, const small_floats::Element<kIn>* in, size_t n, float scale,
                      uint8_t* out) {
  const DF32 df;
  const D32 d;
  const size_t lanes = hn::Lanes(df), done = n / (4 * lanes) * (4 * lanes);
  const int mantissa_bits = args.grid.mantissa_bits, bits = args.code.exponent_bits + mantissa_bits;
  const VF32 divisor = hn::Set(df, scale), inverse = hn::Set(df, 1.0f / scale);
  const VF32 plus = hn::Set(df, args.zero_point ? 0.0f : -0.0f);  // a zero_point takes the sign of -0
  const V32 limit = hn::BitCast(d, hn::Set(df, args.grid.limit * scale));
  const V32 least = hn::Set(d, static_cast<uint32_t>(round_float::PowerBits(args.grid.min_exponent)));
  const V32 magic = hn::Set(d, Magic(args.grid)), infinity = hn::Set(d, uint32_t{round_float::kExponentBits});
  V32 largest = hn::Zero(d);
  const auto code = [&](size_t i) HWY_ATTR {
    const V32 x = hn::BitCast(d, hn::Add(small_floats::Load<kIn>(df, in + i, lanes), plus));
    const V32 magnitude = hn::And(x, hn::Set(d, 0x7FFFFFFF));
    largest = hn::Max(largest, magnitude);
    const VF32 t = exact_division::Quotient(hn::BitCast(df, hn::Min(magnitude, limit)), divisor, inverse);
    const V32 e = hn::Max(hn::And(hn::BitCast(d, t), infinity), least);
    const V32 sum = hn::BitCast(d, hn::Add(t, hn::BitCast(df, hn::Add(e, magic))));
    const V32 unsigned_code = hn::Add(sum, hn::ShiftRightSame(e, 23 - mantissa_bits));
    return hn::BitwiseIfThenElse(hn::Set(d, (1u << bits) - 1), unsigned_code, hn::ShiftRightSame(x, 31 - bits));
  };
  for (size_t i = 0; i < done; i += 4 * lanes) {
    if (args.stream) stream::PrefetchAhead(in + i, 4 * lanes * sizeof(*in));
    StoreBytes(code(i), code(i + lanes), code(i + 2 * lanes), code(i + 3 * lanes), out + i);
  }
  return hn::AllTrue(d, hn::Le(largest, infinity)) ? done : 0;
}

}  // namespace saturated_codes

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_SATURATED_CODES_INL_H_
