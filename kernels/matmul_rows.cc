#include "kernels/matmul_rows.h"

#include <algorithm>
#include <cstring>

#include "kernels/contracts_matmul_float.h"

namespace lq::kernels {

namespace {

// Whole quads, from `bytes` codes.
void SplitRun(const uint8_t* from, size_t bytes, uint8_t* to) {
  for (size_t i = 0; i < bytes; i += 4) {
    uint32_t quad;
    std::memcpy(&quad, from + i, 4);
    const uint32_t halves[2] = {quad & 0x00FF00FF, quad >> 8 & 0x00FF00FF};
    std::memcpy(to + 2 * i, halves, 8);
  }
}

}  // namespace

void SplitQuads(const uint8_t* a, size_t a_stride, size_t rows, size_t k, uint8_t* out) {
  for (size_t r = 0; r < rows; ++r) SplitRun(a + r * a_stride, k, out + r * SplitStride(k));
}

void SplitQuads(const MatmulArgs& args, size_t first, size_t rows, uint8_t* out) {
  const size_t k = args.k;
  if (args.patches == nullptr) return SplitQuads(args.a + first * args.a_stride, args.a_stride, rows, k, out);
  const Patches& p = *args.patches;
  for (size_t r = 0; r < rows; ++r) {
    const uint8_t* from = RowOf(args, first + r);
    uint8_t* to = out + r * SplitStride(k);
    for (size_t i = 0; i < p.runs; ++i) SplitRun(from + i * p.run_step, p.run_bytes, to + i * 2 * p.run_bytes);
  }
}

void CopyCodes(const MatmulArgs& args, size_t r, size_t first, size_t count, uint8_t* out) {
  const uint8_t* row = RowOf(args, r);
  if (args.patches == nullptr) {
    std::memcpy(out, row + first, count);
    return;
  }
  const Patches& p = *args.patches;
  for (const size_t end = first + count; first < end;) {
    const size_t run = first / p.run_bytes, at = first % p.run_bytes, part = std::min(p.run_bytes - at, end - first);
    std::memcpy(out, row + run * p.run_step + at, part);
    out += part;
    first += part;
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
