// Floats of two bytes as float32: exact, NaN keeps its bits.
#ifndef LANEQUANT_RUNTIME_HALF_H_
#define LANEQUANT_RUNTIME_HALF_H_

#include <bit>
#include <cmath>
#include <cstdint>

namespace lq {

// binary16: the 10-bit fraction becomes the high bits of the 23-bit one, the exponent bias 15 becomes 127; subnormals
// are multiples of 2^-24.
inline float WidenHalf(uint16_t half) {
  const uint32_t sign = uint32_t{half} >> 15 << 31;
  const uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 0) return std::copysign(static_cast<float>(fraction) * 0x1p-24f, std::bit_cast<float>(sign));
  const uint32_t wide = exponent == 31 ? 255 : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

inline float WidenBfloat(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_HALF_H_
