#include "bench/matmul_layer.h"

namespace {

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulU8S4Variants();
  const auto block64 = [] { return lq::bench::PackS4Layer(4096, 4096, 64, 512, lq::bench::Codes::kU8); };
  const auto block32 = [] { return lq::bench::PackS4Layer(4096, 4096, 32, 512, lq::bench::Codes::kU8); };
  lq::bench::RegisterMatmul({"matmul_u8s4", variants, block64, "4096x4096/block=64"}, {1, 2, 4, 8, 12, 16, 64, 512});
  lq::bench::RegisterMatmul({"matmul_u8s4", variants, block32, "4096x4096/block=32"}, {1, 8, 16, 512});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
