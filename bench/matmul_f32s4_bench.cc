#include <benchmark/benchmark.h>

#include "bench/matmul_float_layer.h"

namespace {

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulF32S4Variants();
  lq::bench::RegisterMatmulFloat({"matmul_f32s4", variants, 4096, 4096, 64, 4}, {1, 2, 4, 8, 16, 64, 512});
  lq::bench::RegisterMatmulFloat({"matmul_f32s4", variants, 4096, 4096, 32, 4}, {1, 512});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
