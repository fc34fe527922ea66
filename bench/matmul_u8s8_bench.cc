#include "bench/matmul_layer.h"

namespace {

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulU8S8Variants();
  const auto large = [] { return lq::bench::PackS8Layer(4096, 4096, 512, lq::bench::Codes::kU8); };
  const auto shallow = [] { return lq::bench::PackS8Layer(4096, 64, 512, lq::bench::Codes::kU8); };
  lq::bench::RegisterMatmul({"matmul_u8s8", variants, large, "4096x4096"}, {1, 2, 4, 16, 64, 512});
  lq::bench::RegisterMatmul({"matmul_u8s8", variants, shallow, "4096x64"}, {16, 512});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
