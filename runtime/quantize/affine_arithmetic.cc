#include "runtime/quantize/affine_arithmetic.h"

#include <bit>
#include <cmath>
#include <limits>

namespace lq {
namespace {

using kernels::Arithmetic;

// Drops the low `bits` bits of the mantissa. The sum carries into the exponent where it should, up to infinity.
float DropBits(float x, int bits) {
  const uint32_t word = std::bit_cast<uint32_t>(x);
  const uint32_t tie = (uint32_t{1} << (bits - 1)) - 1 + (word >> bits & 1);
  return std::bit_cast<float>((word + tie) >> bits << bits);
}

float RoundToBF16(float x) { return std::isnan(x) ? x : DropBits(x, 16); }

float RoundToF16(float x) {
  const float magnitude = std::fabs(x);
  // Below 2^-14 steps are 2^-24, as those of float between 1/2 and 1.
  const float small = (magnitude + 0.5f) - 0.5f;
  const float rounded = magnitude < 0x1p-14f ? small : DropBits(magnitude, 13);
  const float finite = magnitude >= 65520.0f ? std::numeric_limits<float>::infinity() : rounded;
  return std::isnan(x) ? x : std::copysign(finite, x);
}

// AIMET calls a grid of n steps stable in a type whose eps is at most 1 / (4 n), if the two codes at either end are
// numbers of the type.
bool IsStable(Arithmetic arithmetic, double eps, int64_t qmin, int64_t qmax) {
  if (eps * 4 * static_cast<double>(qmax - qmin) > 1) return false;
  for (const int64_t code : {qmin, qmin + 1, qmax - 1, qmax}) {
    const double rounded = RoundTo(arithmetic, static_cast<float>(code));
    if (rounded != static_cast<double>(code)) return false;
  }
  return true;
}

}  // namespace

float RoundTo(Arithmetic arithmetic, float x) {
  switch (arithmetic) {
    case Arithmetic::kF16:
      return RoundToF16(x);
    case Arithmetic::kBF16:
      return RoundToBF16(x);
    case Arithmetic::kF32:
    case Arithmetic::kF64:
      break;
  }
  return x;
}

void RoundAllTo(Arithmetic arithmetic, std::span<float> values) {
  if (arithmetic == Arithmetic::kF16) {
    for (float& value : values) value = RoundToF16(value);
  } else if (arithmetic == Arithmetic::kBF16) {
    for (float& value : values) value = RoundToBF16(value);
  }
}

const char* NameOf(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kF16:
      return "f16";
    case Arithmetic::kBF16:
      return "bf16";
    case Arithmetic::kF32:
      return "f32";
    case Arithmetic::kF64:
      break;
  }
  return "f64";
}

Arithmetic ArithmeticOf(DType dtype) {
  return dtype == DType::kF16 ? Arithmetic::kF16 : dtype == DType::kBF16 ? Arithmetic::kBF16 : Arithmetic::kF32;
}

Arithmetic DivisionArithmetic(DType tensor, int64_t qmin, int64_t qmax) {
  const Arithmetic own = ArithmeticOf(tensor);
  if (own == Arithmetic::kF16 && IsStable(own, 0x1p-10, qmin, qmax)) return own;
  if (own == Arithmetic::kBF16 && IsStable(own, 0x1p-7, qmin, qmax)) return own;
  return IsStable(Arithmetic::kF32, 0x1p-23, qmin, qmax) ? Arithmetic::kF32 : Arithmetic::kF64;
}

}  // namespace lq
