#include "runtime/quantize/shared_exponent.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace lq {
namespace {

constexpr int kBias = 127;
constexpr uint32_t kImpliedBit = 0x00800000;

// BlockRule's E, biased, of the magnitude a.
int BlockExponentOf(float a, const kernels::BlockRule& rule) {
  const uint32_t bits = std::bit_cast<uint32_t>(a);
  switch (rule.exponent) {
    case BlockExponent::kFloor:
      return static_cast<int>(bits >> 23);
    case BlockExponent::kEven:
      return static_cast<int>((bits + rule.even_half) >> 23);
    case BlockExponent::kFloorLog2:
    case BlockExponent::kCeilLog2:
      break;
  }
  constexpr int kLift = 24;  // row 24 + b of the table is for the biased exponent b
  const bool subnormal = bits < kImpliedBit;
  const uint32_t lifted = subnormal ? std::bit_cast<uint32_t>(a * 0x1p24f) : bits;
  const uint32_t row = (lifted >> 23) + (subnormal ? 0 : kLift);
  const bool carries = (lifted & (kImpliedBit - 1)) >= rule.log2_carry[row];
  return static_cast<int>(row) - kLift + (carries ? 1 : 0);
}

// Whether `max` rounds to `carry` steps, an even number, to which the tie below goes. Elements below 0 never carry:
// -2^integer_bits is a code.
bool Carries(float max, int step, const kernels::BlockRule& rule) {
  const double unit = std::bit_cast<double>(static_cast<uint64_t>(1023 + step) << 52);
  return double{max} >= (double{rule.carry} - 0.5) * unit;
}

}  // namespace

int UnitExponent(const BlockFormat& format) {
  return format.element == BlockElement::kInteger ? 1 - format.integer_bits : 0;
}

uint8_t SharedExponent(float min, float max, const BlockFormat& format, const kernels::BlockRule& rule) {
  const float a = std::fabs(std::max(-min, max));  // of zeros: +0
  if (!(a <= std::numeric_limits<float>::max())) return kNanScale;
  // Quark stores the smallest normal float where the others find the exponent of a block of zeros.
  if (a == 0 && rule.exponent == BlockExponent::kEven) return 1;
  int step = BlockExponentOf(a, rule) - kBias - rule.to_step;
  if (Carries(max, step, rule)) ++step;
  if (step < rule.step_tiny) step = -23;
  step = std::clamp(step, rule.step_min, rule.step_max);
  return static_cast<uint8_t>(std::clamp(step - UnitExponent(format), -kBias, kBias) + kBias);
}

}  // namespace lq
