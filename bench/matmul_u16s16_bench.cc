#include "bench/matmul_layer.h"

namespace {

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulU16S16Variants();
  const auto layer = [] { return lq::bench::PackS16Layer(1024, 1024, 64, lq::bench::Codes::kU16); };
  lq::bench::RegisterMatmul({"matmul_u16s16", variants, layer, "1024x1024"}, {1, 16, 64});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
