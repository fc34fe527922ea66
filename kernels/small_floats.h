// float -> float16 and bfloat16 one by one, for outputs that kernels finish in scalar code: to nearest even, subnormals
// kept, NaN quiet, as small_floats-inl.h has them.
#ifndef LANEQUANT_KERNELS_SMALL_FLOATS_H_
#define LANEQUANT_KERNELS_SMALL_FLOATS_H_

#include <bit>
#include <cstdint>

namespace lq::kernels {

inline uint16_t F16FromFloat(float value) {
  const auto bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7FFFFFFF;
  uint32_t result = 0x7E00;  // NaN
  if (magnitude < 0x38800000) {
    // Below 2^-14: the last place of 1/2 is 2^-24, that of subnormal results.
    result = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000;
  } else if (magnitude < 0x47800000) {
    result = ((magnitude + 0xFFF + ((magnitude >> 13) & 1)) >> 13) - (112 << 10);  // from 65520 on this is infinite
  } else if (magnitude <= 0x7F800000) {
    result = 0x7C00;
  }
  return static_cast<uint16_t>(((bits >> 16) & 0x8000) | result);
}

inline uint16_t BF16FromFloat(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (value != value) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_SMALL_FLOATS_H_
