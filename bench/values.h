// Sizes and values for the benchmarks of kernels that run over whole tensors.
#ifndef LANEQUANT_BENCH_VALUES_H_
#define LANEQUANT_BENCH_VALUES_H_

#include <cstddef>
#include <string>
#include <vector>

namespace lq::bench {

constexpr size_t kInCache = 1 << 16;   // elements: in and out fit the L2 of a core
constexpr size_t kInMemory = 1 << 25;  // no cache holds 160 MB

// -1.28..1.27 in a fixed order, off the grid.
inline std::vector<float> Values(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = 1e-5f * static_cast<float>(static_cast<int>(i * 40503u % 256000u) - 128000);
  return values;
}

inline std::string SizeName(size_t n) { return n == kInCache ? "cache" : "memory"; }

}  // namespace lq::bench

#endif  // LANEQUANT_BENCH_VALUES_H_
