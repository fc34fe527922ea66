#include "kernels/reference/block_formats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/reference/float_formats.h"

namespace lq::reference {

namespace {

constexpr double kSmallestNormal = 0x1p-126;

struct Element {
  FloatFormat format;
  int top_exponent;  // of the largest value
};

Element ElementOf(BlockElement element) {
  switch (element) {
    case BlockElement::kE2M1:
      return {kFloat4E2M1Fn, 2};
    case BlockElement::kE2M3:
      return {kFloat6E2M3Fn, 2};
    case BlockElement::kE3M2:
      return {kFloat6E3M2Fn, 4};
    case BlockElement::kE4M3:
      return {kFloat8E4M3Fn, 8};
    case BlockElement::kE5M2:
      return {kFloat8E5M2, 15};
    case BlockElement::kInteger:
      break;
  }
  return {};
}

bool IsInteger(const BlockFormat& format) { return format.element == BlockElement::kInteger; }
bool IsTorch(const BlockFormat& format) { return format.exponent != BlockExponent::kFloor; }

double Largest(std::span<const float> values) {
  double largest = 0;
  for (const float x : values) {
    if (std::isfinite(x)) largest = std::max(largest, std::fabs(static_cast<double>(x)));
  }
  return largest;
}

// floor(log2 a) of a normal a; of any smaller one -127
int FloatExponent(double a) { return a < kSmallestNormal ? -127 : std::ilogb(a); }

// E, or nothing to scale by: a block of zeros under a logarithm.
int BlockExponentOf(double a, const BlockFormat& format) {
  const double log = static_cast<double>(static_cast<float>(std::log2(a)));
  switch (format.exponent) {
    case BlockExponent::kFloor:
      return FloatExponent(a);
    case BlockExponent::kFloorLog2:
      return a == 0 ? -1000 : static_cast<int>(std::floor(log));
    case BlockExponent::kCeilLog2:
      return a == 0 ? -1000 : static_cast<int>(std::ceil(log));
    case BlockExponent::kEven:
      break;
  }
  if (a == 0) a = kSmallestNormal;
  const int mantissa_bits =
      IsInteger(format) ? format.integer_bits + 1 : ElementOf(format.element).format.mantissa_bits;
  // The float's bits behind the mantissa that is kept, and half a unit of the last that is.
  const double unit = std::ldexp(1, std::max(std::ilogb(a), -126) - mantissa_bits);
  return FloatExponent(std::floor(a / unit + 0.5) * unit);
}

double Round(double t, TieRounding ties) {
  switch (ties) {
    case TieRounding::kAway:
      return std::round(t);
    case TieRounding::kUp:
      return std::floor(t + 0.5);
    case TieRounding::kEven:
      break;
  }
  return std::nearbyint(t);
}

double Quotient(float x, int step) { return std::ldexp(static_cast<double>(x), -step); }

// Exponent of the step of integer elements.
int IntegerStep(std::span<const float> in, const BlockFormat& format, double a) {
  int exponent = BlockExponentOf(a, format);
  if (format.exponent == BlockExponent::kEven) exponent = std::clamp(exponent, -127, 127);
  int step = exponent - (format.integer_bits - 1);
  if (format.double_on_carry) {
    const bool carries = std::any_of(in.begin(), in.end(), [&](float x) {
      const double q = std::isfinite(x) ? Round(Quotient(x, step), format.ties) : 0;
      return q >= std::ldexp(1, format.integer_bits) || q < -std::ldexp(1, format.integer_bits);
    });
    if (carries) ++step;
  }
  return IsTorch(format) ? std::max(step, -126) : step;
}

int SubBlockShift(std::span<const float> sub, const BlockFormat& format, double a) {
  int exponent = -127;
  for (const float x : sub) exponent = std::max(exponent, std::isfinite(x) ? FloatExponent(std::fabs(x)) : 128);
  return std::clamp(FloatExponent(a) - exponent, 0, (1 << format.sub_block_shift_bits) - 1);
}

double IntegerElement(float x, int step, const BlockFormat& format) {
  const double bound = std::ldexp(1, format.integer_bits);
  const double q = std::clamp(Round(Quotient(x, step), format.ties), format.has_lowest ? -bound : 1 - bound, bound - 1);
  return std::ldexp(q, step);
}

double FloatElement(float x, int step, BlockElement element) {
  // The quotient may leave the range of float; CastToFormat sees the same digits.
  const float quotient = static_cast<float>(std::clamp(Quotient(x, step), -1e30, 1e30));
  return std::ldexp(static_cast<double>(CastToFormat(quotient, ElementOf(element).format, true)), step);
}

int FloatStep(const BlockFormat& format, double a) {
  const int step = BlockExponentOf(a, format) - ElementOf(format.element).top_exponent;
  if (format.exponent == BlockExponent::kFloor) return step;
  if (format.exponent == BlockExponent::kEven) return std::clamp(step, -127, 127);
  return step < -149 ? -23 : step;  // 2^step is 0 as a float: PyTorch code takes the machine epsilon
}

bool KeepsNegativeZero(float x, NegativeZero rule) {
  switch (rule) {
    case NegativeZero::kAllNegative:
      return true;
    case NegativeZero::kZerosOnly:
      return x == 0;
    case NegativeZero::kNormalsOnly:
      return std::fabs(x) >= static_cast<float>(kSmallestNormal);
    case NegativeZero::kNone:
      break;
  }
  return false;
}

// From bits, as hardware and the tools do it: NaN is not looked at.
float BFloat16Bits(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000u);
}

float Prepared(float x, const BlockFormat& format) {
  if (format.non_finite == NonFinite::kZero && !std::isfinite(x)) return 0;
  if (format.zero_subnormals && std::fabs(x) < static_cast<float>(kSmallestNormal)) return std::copysign(0.0f, x);
  return x;
}

float OneElement(float x, int step, const BlockFormat& format) {
  if (!std::isfinite(x)) {
    if (format.non_finite == NonFinite::kPass) return x;
    if (format.non_finite == NonFinite::kZero) return 0;
  }
  const float prepared = Prepared(x, format);
  const double y =
      IsInteger(format) ? IntegerElement(prepared, step, format) : FloatElement(prepared, step, format.element);
  const float result = static_cast<float>(y);
  if (result != 0) return result;
  return std::signbit(x) && KeepsNegativeZero(x, format.negative_zero) ? -0.0f : 0.0f;
}

}  // namespace

void QuantizeDequantizeBlock(std::span<const float> in, const BlockFormat& format, std::span<float> out) {
  std::vector<float> x(in.begin(), in.end());
  if (format.rounds_to_bfloat16_first) std::transform(x.begin(), x.end(), x.begin(), BFloat16Bits);
  const bool all_finite = std::all_of(x.begin(), x.end(), [](float v) { return std::isfinite(v); });
  if (format.non_finite == NonFinite::kBlockIsNan && !all_finite) {
    std::fill(out.begin(), out.end(), std::numeric_limits<float>::quiet_NaN());
    return;
  }
  const double a = Largest(x);
  const int step = IsInteger(format) ? IntegerStep(x, format, a) : FloatStep(format, a);
  const size_t sub_size = static_cast<size_t>(format.sub_block_size);
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t begin = i - i % sub_size;
    const std::span<const float> sub(x.data() + begin, std::min(sub_size, x.size() - begin));
    const int shift = sub_size > 1 ? SubBlockShift(sub, format, a) : 0;
    out[i] = OneElement(x[i], step - shift, format);
  }
}

}  // namespace lq::reference
