#include <benchmark/benchmark.h>

#include "bench/matmul_float_layer.h"

namespace {

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulF32S8Variants();
  lq::bench::RegisterMatmulFloat({"matmul_f32s8", variants, 4096, 4096, 64, 8}, {1, 2, 4, 8, 16, 64, 512});
  lq::bench::RegisterMatmulFloat({"matmul_f32s8", variants, 4096, 4096, 32, 8}, {1, 512});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
