#include <memory>

#include "bench/matmul_layer.h"
#include "kernels/packing.h"

namespace {

using lq::bench::MatmulLayer;

MatmulLayer* Layer() {
  static const std::unique_ptr<MatmulLayer> layer = [] {
    constexpr size_t kN = 1024, kK = 1024;
    auto made = std::make_unique<MatmulLayer>(kN, kK, 64, MatmulLayer::Codes::kU16);
    made->weights = lq::AlignedBuffer(lq::kernels::PackedS16Bytes(kN, kK));
    const std::vector<int32_t> w = lq::bench::RandomIntegers(kN * kK, -32768, 32767);
    lq::kernels::PackS16(w.data(), kN, kK, made->weights.as<int16_t>());
    return made;
  }();
  return layer.get();
}

const bool kRegistered = [] {
  lq::bench::RegisterMatmul({"matmul_u16s16", lq::kernels::MatmulU16S16Variants(), Layer, "1024x1024"}, {1, 16, 64});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
