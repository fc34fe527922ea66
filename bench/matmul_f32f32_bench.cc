#include <benchmark/benchmark.h>

#include "bench/matmul_float_layer.h"

namespace {

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulF32F32Variants();
  lq::bench::RegisterMatmulFloat({"matmul_f32f32", variants, 1024, 1024, 64, 32}, {1, 2, 4, 8, 16, 64, 512});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
