// float16 and bfloat16 by arithmetic alone: what the conversions of kernels mean. Round to nearest, ties to even.
#ifndef LANEQUANT_KERNELS_REFERENCE_SMALL_FLOATS_H_
#define LANEQUANT_KERNELS_REFERENCE_SMALL_FLOATS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace lq::reference {

// A binary format: values are k * 2^(e - mantissa_bits) with e >= min_exponent and |k| < 2^(mantissa_bits + 1).
struct SmallFloat {
  int mantissa_bits;  // stored ones
  int min_exponent;   // of normal numbers
  float largest;      // finite one
};
inline constexpr SmallFloat kF16 = {10, -14, 65504.0f};
inline constexpr SmallFloat kBF16 = {7, -126, 0x1.FEp127f};

// What is beyond the largest by half a step or more becomes infinite. -0, infinities and NaN stay.
inline float RoundTo(SmallFloat format, float x) {
  if (x == 0.0f || !std::isfinite(x)) return x;
  const int exponent = std::max(std::ilogb(x), format.min_exponent);
  const double step = std::ldexp(1.0, exponent - format.mantissa_bits);
  const double rounded = std::nearbyint(double{x} / step) * step;  // both exact but for nearbyint
  if (std::abs(rounded) > double{format.largest}) return std::copysign(std::numeric_limits<float>::infinity(), x);
  return static_cast<float>(rounded);
}

inline float RoundToF16(float x) { return RoundTo(kF16, x); }
inline float RoundToBF16(float x) { return RoundTo(kBF16, x); }

// The 16 bits of a rounded value; NaN becomes the quiet NaN without payload.
inline uint16_t BitsOf(SmallFloat format, float x) {
  const float value = RoundTo(format, x);
  const uint32_t infinity = 0x7FFFu >> format.mantissa_bits << format.mantissa_bits;
  const auto with_sign = [x](uint32_t bits) { return static_cast<uint16_t>(std::signbit(x) ? bits | 0x8000u : bits); };
  if (std::isnan(value)) return with_sign(infinity | 1u << (format.mantissa_bits - 1));
  if (std::isinf(value)) return with_sign(infinity);
  if (value == 0.0f) return with_sign(0);
  // In units of the last place the exponent field and the mantissa add up: the hidden bit is one unit of the former.
  const int exponent = std::max(std::ilogb(value), format.min_exponent);
  const double units = std::ldexp(std::abs(double{value}), format.mantissa_bits - exponent);
  const int field = exponent - format.min_exponent;
  return with_sign(static_cast<uint32_t>(units) + (static_cast<uint32_t>(field) << format.mantissa_bits));
}

inline uint16_t F16Bits(float x) { return BitsOf(kF16, x); }
inline uint16_t BF16Bits(float x) { return BitsOf(kBF16, x); }

inline float FloatOf(SmallFloat format, uint16_t bits) {
  const float sign = (bits & 0x8000u) != 0 ? -1.0f : 1.0f;
  const uint32_t field = (bits & 0x7FFFu) >> format.mantissa_bits;
  const uint32_t mantissa = bits & ((1u << format.mantissa_bits) - 1);
  if (field == 0x7FFFu >> format.mantissa_bits) {
    return sign * (mantissa == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN());
  }
  const uint32_t units = field == 0 ? mantissa : mantissa + (1u << format.mantissa_bits);
  const int exponent = format.min_exponent + std::max(static_cast<int>(field), 1) - 1;
  return sign * static_cast<float>(std::ldexp(static_cast<double>(units), exponent - format.mantissa_bits));
}

inline float FloatOfF16(uint16_t bits) { return FloatOf(kF16, bits); }
inline float FloatOfBF16(uint16_t bits) { return FloatOf(kBF16, bits); }

}  // namespace lq::reference

#endif  // LANEQUANT_KERNELS_REFERENCE_SMALL_FLOATS_H_
