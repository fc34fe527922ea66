// A layer of random weights for the matmul benchmarks, and the loop that times it beside the machine's limits.
#ifndef LANEQUANT_BENCH_MATMUL_LAYER_H_
#define LANEQUANT_BENCH_MATMUL_LAYER_H_

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/contracts.h"
#include "runtime/aligned_buffer.h"

namespace lq::bench {

enum class Codes { kU8, kU16 };

// u8 or u16 in, as many bits out, everything filled but `weights`: see PackS8Layer and its neighbours.
struct MatmulLayer {
  MatmulLayer(size_t n, size_t k, size_t max_rows, Codes codes);
  MatmulLayer(const MatmulLayer&) = delete;

  kernels::MatmulArgs Args(size_t m) const;

  size_t n, k, code_bytes, a_stride, block = 0;
  std::optional<kernels::Patches> patches;  // where `a` is an image
  AlignedBuffer weights, a, out, scratch;
  std::vector<int32_t> start;
  std::vector<int64_t> start_wide;
  std::vector<double> start_real, scale, bias, real_mul, real_add;
  std::vector<float> fast_mul, fast_add;
  kernels::Epilogue epilogue{};
};

// Random integers in low..high, the same in every run.
std::vector<int32_t> RandomIntegers(size_t count, int low, int high);

// Layers of random weights for the kernels of that name.
std::unique_ptr<MatmulLayer> PackS8Layer(size_t n, size_t k, size_t max_rows, Codes codes);
std::unique_ptr<MatmulLayer> PackS4Layer(size_t n, size_t k, size_t block, size_t max_rows, Codes codes);
std::unique_ptr<MatmulLayer> PackS16Layer(size_t n, size_t k, size_t max_rows, Codes codes);

struct MatmulBench {
  std::string kernel;  // "matmul_u8s8"
  std::span<const kernels::Variant<kernels::MatmulFn>> variants;
  std::function<std::unique_ptr<MatmulLayer>()> layer;  // called when it is first measured
  std::string shape;                                    // "4096x4096"
};

// kernel/TARGET/m=M/shape for each variant and M. Counters: ops per second, and the shares of the probed dot,
// multiply-add and read limits, each the best seen before and after; u16 codes need twice the 8-bit dots.
void RegisterMatmul(const MatmulBench& bench, std::initializer_list<size_t> rows);

}  // namespace lq::bench

#endif  // LANEQUANT_BENCH_MATMUL_LAYER_H_
