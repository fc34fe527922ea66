// 2- and 4-bit codes one by one, for the few that share a byte with those of another kernel call.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_PACKED_CODES_H_
#define LANEQUANT_RUNTIME_QUANTIZE_PACKED_CODES_H_

#include <cstddef>
#include <cstdint>

namespace lq {

// Writes codes (one a byte, their low bits count) to the places begin..begin + n of packed codes of `bits` bits. What
// is behind the last one in its byte becomes 0.
inline void PackCodes(const uint8_t* codes, size_t n, size_t begin, size_t bits, uint8_t* packed) {
  const uint32_t mask = (1u << bits) - 1;
  for (size_t i = 0; i < n; ++i) {
    const size_t bit = (begin + i) * bits;
    const uint32_t before = bit % 8 == 0 ? 0 : packed[bit / 8];
    packed[bit / 8] = static_cast<uint8_t>(before | (codes[i] & mask) << bit % 8);
  }
}

// The other way round: bytes as u8, or s8 if the codes are signed.
inline void UnpackCodes(const uint8_t* packed, size_t begin, size_t n, size_t bits, bool is_signed, uint8_t* codes) {
  const uint32_t mask = (1u << bits) - 1, sign = is_signed ? 1u << (bits - 1) : 0;
  for (size_t i = 0; i < n; ++i) {
    const size_t bit = (begin + i) * bits;
    const uint32_t code = packed[bit / 8] >> bit % 8 & mask;
    codes[i] = static_cast<uint8_t>((code ^ sign) - sign);
  }
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_PACKED_CODES_H_
