// Rounding to 16-bit floats where reals are rounded once (exact_simulator.md 3).
#ifndef LANEQUANT_RUNTIME_PASSES_FLOAT_ROUNDING_H_
#define LANEQUANT_RUNTIME_PASSES_FLOAT_ROUNDING_H_

#include <algorithm>
#include <cmath>

namespace lq {

struct Float16Format {
  int fraction_bits, least_exponent;
  double largest;
};

constexpr Float16Format kHalf{10, -14, 65504};
constexpr Float16Format kBfloat{7, -126, 0x1.fep127};

// Nearest, ties to even; subnormals kept; beyond the largest: that. NaN stays NaN.
inline double RoundToFormat(double x, const Float16Format& format) {
  if (std::isnan(x)) return x;
  if (std::isinf(x)) return std::copysign(format.largest, x);
  int exponent = 0;
  std::frexp(x, &exponent);
  const int step = std::max(exponent - 1, format.least_exponent) - format.fraction_bits;
  return std::clamp(std::ldexp(std::nearbyint(std::ldexp(x, -step)), step), -format.largest, format.largest);
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_FLOAT_ROUNDING_H_
