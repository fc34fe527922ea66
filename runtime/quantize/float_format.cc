#include "runtime/quantize/float_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/quantize/affine_arithmetic.h"

namespace lq {

namespace {

// Every format that a tool converts to, or that consists of numbers only.
constexpr FloatFormat kNamed[] = {kFloat16,        kBFloat16,     kFloat8E4M3Fn, kFloat8E4M3FnUz, kFloat8E5M2,
                                  kFloat8E5M2FnUz, kFloat6E2M3Fn, kFloat6E3M2Fn, kFloat4E2M1Fn};

bool IsNamed(const FloatFormat& format) {
  return std::find(std::begin(kNamed), std::end(kNamed), format) != std::end(kNamed);
}

float Value(int mantissa_bits, int exponent) {
  return static_cast<float>(std::ldexp(2 - std::ldexp(1, -mantissa_bits), exponent));
}

// What AIMET takes for the exponent of x, plus `bias`: the logarithm and the sum are each rounded.
int LoggedExponent(double x, int bias, kernels::Arithmetic arithmetic) {
  const float log = RoundTo(arithmetic, static_cast<float>(std::log2(x)));
  return static_cast<int>(std::floor(RoundTo(arithmetic, log + static_cast<float>(bias))));
}

// From which mantissa on, in units of the last of `bits`, values of this exponent are taken for larger ones.
int FirstCarried(int exponent, int bits, int bias, kernels::Arithmetic arithmetic) {
  int low = 0, high = 1 << bits;  // the mantissa 0 is never carried
  while (low + 1 < high) {
    const int middle = (low + high) / 2;
    const double x = std::ldexp(1 + std::ldexp(middle, -bits), exponent);
    (LoggedExponent(x, bias, arithmetic) > exponent + bias ? high : low) = middle;
  }
  return high;
}

void FillCarry(const FormatNumbers& numbers, kernels::Arithmetic arithmetic, CarryTable& carry) {
  const int bits = arithmetic == kernels::Arithmetic::kF16 ? 10 : 7;
  carry.fill(0);
  // Below this range steps are the same anyway, above it there are no values.
  for (int exponent = numbers.min_exponent - 1; exponent <= std::ilogb(numbers.largest) + 1; ++exponent) {
    const int first = FirstCarried(exponent, bits, 1 - numbers.min_exponent, arithmetic);
    carry[static_cast<size_t>(exponent + 127)] = static_cast<uint32_t>((1 << bits) - first) << (23 - bits);
  }
}

}  // namespace

Result<FormatNumbers> NumbersOf(const FloatFormat& f) {
  const bool named = IsNamed(f);
  const bool in_range = f.exponent_bits >= 2 && f.exponent_bits <= 7 && f.mantissa_bits >= 1 && f.mantissa_bits <= 10;
  if (!named && (f.finite || f.unsigned_zero || !in_range)) {
    return InvalidArgument(fmt::format(
        "format: {} is neither one of the named formats nor one of 2 to 7 exponent and 1 to 10 mantissa bits "
        "that is not finite",
        NameOf(f)));
  }
  const int bias = (1 << (f.exponent_bits - 1)) - 1;
  if (f.unsigned_zero) return FormatNumbers{Value(f.mantissa_bits, bias), -bias, false, true, false};
  if (f == kFloat8E4M3Fn) return FormatNumbers{448, -6, false, true, false};  // 480 would be its NaN
  if (f.finite) return FormatNumbers{Value(f.mantissa_bits, bias + 1), 1 - bias, false, false, true};
  if (named) return FormatNumbers{Value(f.mantissa_bits, bias), 1 - bias, true, true, false};
  return FormatNumbers{Value(f.mantissa_bits, bias), -bias, true, true, true};
}

std::string NameOf(const FloatFormat& format) {
  return fmt::format("e{}m{}{}{}", format.exponent_bits, format.mantissa_bits, format.finite ? "fn" : "",
                     format.unsigned_zero ? "uz" : "");
}

kernels::FloatGrid GridOf(const FloatFormat& format, bool saturate, kernels::Arithmetic arithmetic, CarryTable& carry) {
  const FormatNumbers numbers = *NumbersOf(format);
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const bool is_bfloat16 = format == kBFloat16;
  kernels::FloatGrid grid{};
  grid.mantissa_bits = format.mantissa_bits;
  grid.min_exponent = numbers.min_exponent;
  grid.largest = numbers.by_formula ? infinity : numbers.largest;  // the formula clamps before, never after
  grid.overflow = numbers.has_infinity ? infinity : nan;
  grid.unsigned_zero = format.unsigned_zero;
  grid.is_bfloat16 = is_bfloat16;
  grid.limit = RoundTo(arithmetic, numbers.largest);
  // Twice the largest value is beyond it after any rounding.
  if (!saturate && !numbers.by_formula) grid.limit = is_bfloat16 ? infinity : 2 * numbers.largest;
  if (numbers.by_formula && arithmetic != kernels::Arithmetic::kF32) {
    FillCarry(numbers, arithmetic, carry);
    grid.carry = carry.data();
  }
  return grid;
}

Result<float> LargestValue(const FloatFormat& format) {
  const Result<FormatNumbers> numbers = NumbersOf(format);
  if (!numbers.ok()) return numbers.status();
  return (*numbers).largest;
}

Result<float> FloatScale(const FloatFormat& format, float maxval) {
  const Result<FormatNumbers> numbers = NumbersOf(format);
  if (!numbers.ok()) return numbers.status();
  if (maxval == 0 || !std::isfinite(maxval)) {
    return InvalidArgument(fmt::format("maxval: {}, not a finite number other than 0", maxval));
  }
  const float log = static_cast<float>(std::log2(std::fabs(static_cast<double>(maxval))));
  const float log_largest = static_cast<float>(std::log2(static_cast<double>((*numbers).largest)));
  return static_cast<float>(std::exp2(static_cast<double>(log - log_largest)));
}

bool HasCodes(const FloatFormat& format) { return format.bits() <= 8 && IsNamed(format); }

kernels::FloatCode CodeOf(const FloatFormat& format) {
  const int bias = 1 - (*NumbersOf(format)).min_exponent;
  if (format == kFloat8E4M3Fn) return {format.exponent_bits, bias, 0x7F, false, 0x7F};
  if (format == kFloat8E5M2) return {format.exponent_bits, bias, 0x7C, true, 0x7E};
  if (format.unsigned_zero) return {format.exponent_bits, bias, 0x80, false, 0x80};
  return {format.exponent_bits, bias, 0x80, false, 0};
}

}  // namespace lq
