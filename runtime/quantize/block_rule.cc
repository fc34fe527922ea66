#include "runtime/quantize/block_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "runtime/quantize/float_format.h"

namespace lq {

namespace {

constexpr uint32_t kSmallestNormal = 0x00800000, kAllMagnitudes = 0x7FFFFFFF;

// BlockRule::log2_carry: row r is for the exponent r - 151. The last one is looked up for infinities and NaN.
using Log2Carry = std::array<uint32_t, 280>;

int RoundedLog2(double x, bool ceil) {
  const float log = static_cast<float>(std::log2(x));
  return static_cast<int>(ceil ? std::ceil(log) : std::floor(log));
}

Log2Carry MakeLog2Carry(bool ceil) {
  Log2Carry table{};
  for (size_t row = 0; row < table.size(); ++row) {
    const int exponent = static_cast<int>(row) - 151;
    uint32_t low = 0, high = kSmallestNormal;  // no mantissa reaches the latter; 0 is never carried
    while (low + 1 < high) {
      const uint32_t middle = (low + high) / 2;
      const double x = std::ldexp(1 + std::ldexp(static_cast<double>(middle), -23), exponent);
      (RoundedLog2(x, ceil) > exponent ? high : low) = middle;
    }
    table[row] = high;
  }
  return table;
}

void SetLog2Carry(BlockExponent exponent, kernels::BlockRule& rule) {
  static const Log2Carry floor_carry = MakeLog2Carry(false), ceil_carry = MakeLog2Carry(true);
  const Log2Carry& carry = exponent == BlockExponent::kCeilLog2 ? ceil_carry : floor_carry;
  const auto [least, most] = std::minmax_element(carry.begin(), carry.end());
  rule.log2_carry = carry.data();
  rule.carry_from = *least;
  rule.carry_to = *most;
}

void SetFloatElements(const BlockFormat& format, kernels::BlockRule& rule) {
  const FloatFormat element = FormatOf(format.element);
  const FormatNumbers numbers = *NumbersOf(element);
  rule.mantissa_bits = element.mantissa_bits;
  rule.min_exponent = numbers.min_exponent;
  rule.highest = numbers.largest;
  rule.lowest = -numbers.largest;
  rule.to_step = std::ilogb(numbers.largest);
  rule.even_half = 1u << (22 - element.mantissa_bits);
  if (format.exponent == BlockExponent::kEven) {
    rule.step_min = -127;  // those of an E8M0 scale
    rule.step_max = 127;
  } else if (format.exponent != BlockExponent::kFloor) {
    rule.step_tiny = -149;  // smaller scales are 0 as floats; Quark puts float's epsilon in their place
  }
}

void SetIntegerElements(const BlockFormat& format, kernels::BlockRule& rule) {
  // Whole numbers are a float grid whose step stays 1 up to 2^14.
  rule.mantissa_bits = 14;
  rule.min_exponent = 14;
  const float bound = std::ldexp(1.0f, format.integer_bits);
  rule.highest = bound - 1;
  rule.lowest = format.has_lowest ? -bound : 1 - bound;
  rule.carry = format.double_on_carry ? bound : std::numeric_limits<float>::infinity();
  rule.to_step = format.integer_bits - 1;
  rule.even_half = 1u << (21 - format.integer_bits);  // the sign counts as a bit of the mantissa
  rule.ties = format.ties;
  if (format.exponent == BlockExponent::kEven) rule.step_max = 127 - rule.to_step;
  if (format.exponent != BlockExponent::kFloor) rule.step_min = -126;  // PyTorch quantizers clamp their scales to that
}

void SetNegativeZero(NegativeZero negative_zero, kernels::BlockRule& rule) {
  rule.sign_from = negative_zero == NegativeZero::kNormalsOnly ? kSmallestNormal
                   : negative_zero == NegativeZero::kNone      ? kAllMagnitudes
                                                               : 0;
  rule.sign_to = negative_zero == NegativeZero::kZerosOnly || negative_zero == NegativeZero::kNone ? 0 : kAllMagnitudes;
}

}  // namespace

FloatFormat FormatOf(BlockElement element) {
  switch (element) {
    case BlockElement::kE2M1:
      return kFloat4E2M1Fn;
    case BlockElement::kE2M3:
      return kFloat6E2M3Fn;
    case BlockElement::kE3M2:
      return kFloat6E3M2Fn;
    case BlockElement::kE4M3:
      return kFloat8E4M3Fn;
    case BlockElement::kE5M2:
    case BlockElement::kInteger:
      break;
  }
  return kFloat8E5M2;
}

Status CheckBlockFormat(const BlockFormat& f) {
  const bool integer = f.element == BlockElement::kInteger;
  if (integer && (f.integer_bits < 1 || f.integer_bits > 14)) {
    return InvalidArgument(fmt::format("format: integer_bits is {}, not 1 to 14", f.integer_bits));
  }
  if (f.block_size < 1) return InvalidArgument(fmt::format("format: block_size is {}, less than 1", f.block_size));
  const bool power = f.sub_block_size >= 1 && (f.sub_block_size & (f.sub_block_size - 1)) == 0;
  if (!power || f.block_size % f.sub_block_size != 0) {
    return InvalidArgument(fmt::format("format: sub_block_size {} is no power of two that divides block_size {}",
                                       f.sub_block_size, f.block_size));
  }
  if (f.sub_block_shift_bits < 0 || f.sub_block_shift_bits > 4) {
    return InvalidArgument(fmt::format("format: sub_block_shift_bits is {}, not 0 to 4", f.sub_block_shift_bits));
  }
  if (f.sub_block_size > 1 && f.exponent != BlockExponent::kFloor) {
    return Unsupported(fmt::format(
        "format: sub_block_size is {}, and sub-blocks go with the block exponent kFloor only", f.sub_block_size));
  }
  if (f.double_on_carry && !(integer && f.has_lowest)) {
    return Unsupported("format: double_on_carry goes with integers that have a lowest code only");
  }
  return OkStatus();
}

kernels::BlockRule BlockRuleOf(const BlockFormat& format) {
  kernels::BlockRule rule{};
  rule.exponent = format.exponent;
  rule.step_min = rule.step_tiny = std::numeric_limits<int>::min();
  rule.step_max = std::numeric_limits<int>::max();
  rule.carry = std::numeric_limits<float>::infinity();
  rule.ties = TieRounding::kEven;
  if (format.element == BlockElement::kInteger) {
    SetIntegerElements(format, rule);
  } else {
    SetFloatElements(format, rule);
  }
  if (format.exponent == BlockExponent::kFloorLog2 || format.exponent == BlockExponent::kCeilLog2) {
    SetLog2Carry(format.exponent, rule);
  }
  rule.non_finite = format.non_finite;
  rule.sub_block = static_cast<size_t>(format.sub_block_size);
  rule.max_shift = format.sub_block_size > 1 ? (1 << format.sub_block_shift_bits) - 1 : 0;
  rule.zero_below = format.zero_subnormals ? kSmallestNormal : 0;
  SetNegativeZero(format.negative_zero, rule);
  rule.to_bfloat16 = format.rounds_to_bfloat16_first;
  return rule;
}

}  // namespace lq
