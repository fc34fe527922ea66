#include "bench/matmul_layer.h"

namespace {

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulU16S8Variants();
  const auto large = [] { return lq::bench::PackS8Layer(4096, 4096, 512, lq::bench::Codes::kU16); };
  const auto shallow = [] { return lq::bench::PackS8Layer(4096, 256, 512, lq::bench::Codes::kU16); };
  lq::bench::RegisterMatmul({"matmul_u16s8", variants, large, "4096x4096"}, {1, 2, 8, 64, 256, 512});
  lq::bench::RegisterMatmul({"matmul_u16s8", variants, shallow, "4096x256"}, {16, 512});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
