#include "kernels/matmul_rows.h"

#include <algorithm>
#include <cstring>

#include "kernels/contracts_matmul_float.h"

namespace lq::kernels {

void SplitQuads(const uint8_t* a, size_t a_stride, size_t rows, size_t k, uint8_t* out) {
  const size_t stride = SplitStride(k);
  for (size_t r = 0; r < rows; ++r) {
    const uint8_t* from = a + r * a_stride;
    uint8_t* to = out + r * stride;
    for (size_t q = 0; q < stride; q += 8) {
      uint32_t quad;
      std::memcpy(&quad, from + q / 2, 4);
      const uint32_t halves[2] = {quad & 0x00FF00FF, quad >> 8 & 0x00FF00FF};
      std::memcpy(to + q, halves, 8);
    }
  }
}

size_t MatmulScratchBytes(size_t m, size_t k) {
  const size_t split = std::min(m, kSplitRows) * SplitStride(k);
  const size_t s4 = S4Scratch{std::min(m, kSignedRows), k}.Bytes();
  const size_t amx = AmxScratch{m, k}.Bytes();
  return RoundUp(std::max({split, s4, amx}), 64);
}

size_t MatmulU16ScratchBytes(size_t m, size_t k) {
  const size_t split = 2 * std::min(m, kSplitPlaneRows) * SplitStride(k);
  const size_t s4 = S4Scratch{std::min(2 * m, kSignedRows), k}.Bytes();
  const size_t planes = PlaneBytes(std::min(m, kPlaneRows), k) + RoundUp(std::max(split, s4), 64);
  const size_t amx = AmxScratch{2 * m, k}.Bytes();
  return std::max(planes, amx);
}

size_t MatmulFloatScratchBytes(size_t m, size_t k, size_t block) {
  const size_t blocks = (k + block - 1) / block;
  return RoundUp(m * (k + blocks) * sizeof(float), 64);
}

}  // namespace lq::kernels
