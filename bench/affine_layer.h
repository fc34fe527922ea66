// Values, codes and layouts of scales for the benchmarks of kernels that run over whole tensors.
#ifndef LANEQUANT_BENCH_AFFINE_LAYER_H_
#define LANEQUANT_BENCH_AFFINE_LAYER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/contracts.h"

namespace lq::bench {

constexpr size_t kInCache = 1 << 16;   // elements: in and out fit the L2 of a core
constexpr size_t kInMemory = 1 << 25;  // no cache holds 160 MB

// How scales lie: one for all, one for each block of 64, one for each of the 4096 channels of the last axis.
struct ScaleLayout {
  const char* name;
  size_t count, run;
};
constexpr ScaleLayout kScaleLayouts[] = {{"tensor", 1, 1}, {"block64", 4096, 64}, {"last_axis", 4096, 1}};

// u8 codes around 128 of a scale near 0.01.
struct AffineLayer {
  explicit AffineLayer(const ScaleLayout& scales) : scale(scales.count), offset(scales.count, -128) {
    for (size_t i = 0; i < scales.count; ++i) scale[i] = 0.01f + 1e-6f * static_cast<float>(i % 1000);
    layout = {scale.data(), offset.data(), scales.count, scales.run};
  }
  AffineLayer(const AffineLayer&) = delete;

  std::vector<float> scale;
  std::vector<int32_t> offset;
  kernels::AffineLayout layout{};
};

// -1.28..1.27 in a fixed order, off the grid.
inline std::vector<float> Values(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = 1e-5f * static_cast<float>(static_cast<int>(i * 40503u % 256000u) - 128000);
  return values;
}

inline std::string SizeName(size_t n) { return n == kInCache ? "cache" : "memory"; }

}  // namespace lq::bench

#endif  // LANEQUANT_BENCH_AFFINE_LAYER_H_
