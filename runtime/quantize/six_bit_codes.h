// 6-bit codes in files: four in three bytes, the first in the low bits of the first byte.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_SIX_BIT_CODES_H_
#define LANEQUANT_RUNTIME_QUANTIZE_SIX_BIT_CODES_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/partition.h"
#include "runtime/quantize/scale_map.h"

namespace lq {

// codes: one a byte, below 64. packed: (6 * n + 7) / 8 bytes; the bits behind the last code become 0.
inline void PackSixBits(const uint8_t* codes, size_t n, uint8_t* packed) {
  for (size_t i = 0; i < n; i += 4, packed += 3) {
    uint32_t word = 0;
    const size_t count = std::min<size_t>(4, n - i);
    for (size_t j = 0; j < count; ++j) word |= uint32_t{codes[i + j]} << 6 * j;
    for (size_t j = 0; j < (6 * count + 7) / 8; ++j) packed[j] = static_cast<uint8_t>(word >> 8 * j);
  }
}

inline void UnpackSixBits(const uint8_t* packed, size_t n, uint8_t* codes) {
  for (size_t i = 0; i < n; i += 4, packed += 3) {
    uint32_t word = 0;
    const size_t count = std::min<size_t>(4, n - i);
    for (size_t j = 0; j < (6 * count + 7) / 8; ++j) word |= uint32_t{packed[j]} << 8 * j;
    for (size_t j = 0; j < count; ++j) codes[i + j] = static_cast<uint8_t>(word >> 6 * j & 63);
  }
}

// Stretches of a task's codes that are packed or unpacked at once, by way of one byte for each.
constexpr size_t kSixBitChunk = 4096;
using SixBitChunk = std::array<uint8_t, kSixBitChunk>;

// The range begins at a multiple of 64, and so does every chunk: with a byte of its own.
template <class F>
void ForEachSixBitChunk(Range range, const F& run) {
  for (size_t i = range.begin; i < range.end; i += kSixBitChunk) run(Range{i, std::min(range.end, i + kSixBitChunk)});
}

template <class F>
void ForEachPiece(const ScaleMap& map, Range range, const F& run) {
  for (size_t i = range.begin; i < range.end;) {
    const ScalePiece piece = map.At(i, range.end);
    run(piece);
    i += piece.n;
  }
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_SIX_BIT_CODES_H_
