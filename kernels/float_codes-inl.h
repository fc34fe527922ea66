// Per-target: codes of small float formats as float16 numbers. Both are sign, exponent and mantissa from the highest
// bit down, so that shifts take one to the other, subnormal numbers too; only the bias differs. CPUs convert float16.

#if defined(LANEQUANT_KERNELS_FLOAT_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_FLOAT_CODES_INL_H_
#undef LANEQUANT_KERNELS_FLOAT_CODES_INL_H_
#else
#define LANEQUANT_KERNELS_FLOAT_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "kernels/contracts_float.h"
#include "kernels/round_float-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace float_codes {

using D16 = hn::Repartition<uint16_t, round_float::DF32>;
using V16 = hn::Vec<D16>;

constexpr int kExponentBits = 5, kMantissaBits = 10;  // of float16
constexpr uint16_t kSign = 0x8000, kInfinity = 0x7C00, kNan = 0x7E00;

// All formats but e5m2fnuz: the largest exponent of float16 is none of a number.
constexpr bool FitsFloat16(const FloatCode& code) { return code.exponent_bits < kExponentBits || code.has_infinity; }

// value(code) * 2^(bias - 15)
HWY_INLINE V16 ToFloat16(V16 codes, int mantissa_bits, const FloatCode& code, bool unsigned_zero) {
  const D16 d;
  const hn::RebindToSigned<D16> di;
  const int missing = kExponentBits - code.exponent_bits, bits = 1 + code.exponent_bits + mantissa_bits;
  const auto top = hn::BitCast(di, hn::ShiftLeftSame(codes, 16 - bits));
  const uint16_t own = static_cast<uint16_t>(kSign | (kSign - 1) >> missing);  // between are copies of the sign
  V16 half = hn::And(hn::BitCast(d, hn::ShiftRightSame(top, missing)), hn::Set(d, own));
  if (code.special < 0x80 && !code.has_infinity) {
    const auto special = hn::Set(di, static_cast<int16_t>(code.special << (kMantissaBits - mantissa_bits)));
    const auto magnitude = hn::BitCast(di, hn::AndNot(hn::Set(d, kSign), half));
    half = hn::IfThenElse(hn::RebindMask(d, hn::Ge(magnitude, special)), hn::Set(d, kNan), half);
  }
  if (unsigned_zero) half = hn::IfThenElse(hn::Eq(half, hn::Set(d, kSign)), hn::Set(d, kNan), half);
  return half;
}

// The other way.
HWY_INLINE V16 FromFloat16(V16 half, int mantissa_bits, const FloatCode& code) {
  const D16 d;
  const hn::RebindToSigned<D16> di;
  const int missing = kExponentBits - code.exponent_bits, bits = 1 + code.exponent_bits + mantissa_bits;
  const V16 sign = hn::Set(d, kSign);
  const V16 top = hn::OrAnd(hn::AndNot(sign, hn::ShiftLeftSame(half, missing)), half, sign);
  const V16 result = hn::ShiftRightSame(top, 16 - bits);
  if (code.nan == 0) return result;
  const auto magnitude = hn::BitCast(di, hn::AndNot(sign, half));
  const auto is_nan = hn::RebindMask(d, hn::Gt(magnitude, hn::Set(di, static_cast<int16_t>(kInfinity))));
  const V16 nan = hn::Or(hn::Set(d, code.nan), hn::ShiftRightSame(hn::And(half, sign), 16 - bits));
  return hn::IfThenElse(is_nan, nan, result);
}

}  // namespace float_codes

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_FLOAT_CODES_INL_H_
