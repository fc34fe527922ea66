#include "kernels/reference/float_formats.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lq::reference {

namespace {

struct Numbers {
  double largest;
  int min_exponent;   // of the smallest normal value
  bool has_infinity;  // else there is NaN at most
  bool has_nan;
  bool by_formula;  // AIMET computes it by logarithms instead of a conversion of PyTorch
};

Numbers NumbersOf(const FloatFormat& f) {
  const int top = 1 << f.exponent_bits, bias = top / 2 - 1;
  const double mantissa = 2 - std::ldexp(1, -f.mantissa_bits);
  if (f.unsigned_zero) return {std::ldexp(mantissa, top - 2 - bias), -bias, false, true, false};
  if (f == kFloat8E4M3Fn) return {448, -6, false, true, false};
  if (f.finite) return {std::ldexp(mantissa, top - 1 - bias), 1 - bias, false, false, true};
  const bool converted = f == kFloat16 || f == kBFloat16 || f == kFloat8E5M2;
  return {std::ldexp(mantissa, bias), converted ? 1 - bias : -bias, true, true, !converted};
}

double Overflow(const Numbers& numbers, bool saturate) {
  if (saturate || !numbers.has_nan) return numbers.largest;
  return numbers.has_infinity ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
}

// |x| to the nearest multiple of 2^(max(exponent, min_exponent) - mantissa_bits)
double RoundMagnitude(double magnitude, int exponent, int mantissa_bits) {
  const double step = std::ldexp(1, exponent - mantissa_bits);
  return std::nearbyint(magnitude / step) * step;
}

float RoundTo(float x, DType type) {
  if (type == DType::kF16) return CastToFormat(x, kFloat16, false);
  if (type == DType::kBF16) return CastToFormat(x, kBFloat16, false);
  return x;
}

// aimet_torch: exponent by log2 |x| + bias, each rounded to the tensor's type.
float CastByFormula(float x, const FloatFormat& format, const Numbers& numbers, DType type) {
  if (!std::isfinite(x)) return x;
  const float bias = static_cast<float>(1 - numbers.min_exponent);
  const float log = RoundTo(static_cast<float>(std::log2(std::fabs(static_cast<double>(x)))), type);
  const float level = std::max(std::floor(RoundTo(log + bias, type)), 1.0f);
  const int exponent = static_cast<int>(level - bias);
  return static_cast<float>(std::copysign(RoundMagnitude(std::fabs(x), exponent, format.mantissa_bits), x));
}

float Clamped(float x, float limit) { return std::isnan(x) ? x : std::clamp(x, -limit, limit); }

}  // namespace

float CastToFormat(float x, const FloatFormat& format, bool saturate) {
  if (std::isnan(x)) return x;
  const Numbers numbers = NumbersOf(format);
  const double magnitude = std::fabs(static_cast<double>(x));
  double rounded = magnitude;
  if (std::isfinite(x)) {
    const int exponent = magnitude > 0 ? std::ilogb(magnitude) : numbers.min_exponent;
    rounded = RoundMagnitude(magnitude, std::max(exponent, numbers.min_exponent), format.mantissa_bits);
  }
  if (rounded > numbers.largest) rounded = Overflow(numbers, saturate);
  if (format.unsigned_zero && rounded == 0) return 0;
  return static_cast<float>(std::copysign(rounded, x));
}

float ValueOfCode(uint8_t code, const FloatFormat& format) {
  const Numbers numbers = NumbersOf(format);
  const int sign = 1 << (format.bits() - 1), magnitude = code & (sign - 1);
  const bool negative = (code & sign) != 0;
  if (format.unsigned_zero && negative && magnitude == 0) return std::numeric_limits<float>::quiet_NaN();
  const int exponent = magnitude >> format.mantissa_bits, fraction = magnitude & ((1 << format.mantissa_bits) - 1);
  double value = exponent == 0 ? std::ldexp(fraction, numbers.min_exponent - format.mantissa_bits)
                               : std::ldexp((1 << format.mantissa_bits) + fraction,
                                            exponent - 1 + numbers.min_exponent - format.mantissa_bits);
  if (value > numbers.largest) {
    value = numbers.has_infinity && fraction == 0 ? std::numeric_limits<double>::infinity()
                                                  : std::numeric_limits<double>::quiet_NaN();
  }
  return static_cast<float>(negative ? -value : value);
}

float QuantizeDequantizeFloat(float x, const FloatRule& rule) {
  const Numbers numbers = NumbersOf(rule.format);
  float t = RoundTo(x / rule.scale, rule.arithmetic);
  if (rule.saturate || numbers.by_formula) {
    t = Clamped(t, RoundTo(static_cast<float>(numbers.largest), rule.arithmetic));
  }
  const float q = numbers.by_formula ? CastByFormula(t, rule.format, numbers, rule.arithmetic)
                                     : CastToFormat(t, rule.format, false);
  return RoundTo(q * rule.scale, rule.arithmetic);
}

uint8_t QuantizeFloat(float x, const FloatRule& rule, bool zero_point) {
  const Numbers numbers = NumbersOf(rule.format);
  float t = RoundTo(x / rule.scale, rule.arithmetic);
  if (zero_point) t += 0.0f;
  if (!numbers.has_nan && std::isnan(t)) t = static_cast<float>(numbers.largest);
  const float q = CastToFormat(t, rule.format, rule.saturate);
  const int codes = 1 << rule.format.bits();
  int found = -1;  // the first whose value is q, sign of zero included
  for (int code = 0; code < codes && found < 0; ++code) {
    const float value = ValueOfCode(static_cast<uint8_t>(code), rule.format);
    if (std::signbit(value) != std::signbit(q) && !std::isnan(q)) continue;
    if (value == q || (std::isnan(value) && std::isnan(q))) found = code;
  }
  if (!std::isnan(q) || rule.format.unsigned_zero) return static_cast<uint8_t>(found);
  // e5m2 has six NaNs: the one with the highest mantissa bit alone (x86, ml_dtypes).
  const int quiet = rule.format == kFloat8E5M2 ? 0x7E : 0x7F;
  return static_cast<uint8_t>(quiet | (std::signbit(x) ? 0x80 : 0));
}

}  // namespace lq::reference
