#include "bench/matmul_layer.h"

namespace {

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulU16S4Variants();
  const auto block64 = [] { return lq::bench::PackS4Layer(4096, 4096, 64, 512, lq::bench::Codes::kU16); };
  const auto block32 = [] { return lq::bench::PackS4Layer(4096, 4096, 32, 512, lq::bench::Codes::kU16); };
  lq::bench::RegisterMatmul({"matmul_u16s4", variants, block64, "4096x4096/block=64"}, {1, 2, 4, 6, 8, 64, 256, 512});
  lq::bench::RegisterMatmul({"matmul_u16s4", variants, block32, "4096x4096/block=32"}, {1, 8, 512});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
