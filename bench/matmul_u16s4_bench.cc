#include <memory>

#include "bench/matmul_layer.h"
#include "kernels/packing.h"

namespace {

using lq::bench::MatmulLayer;

MatmulLayer* Layer(size_t n, size_t k, size_t block) {
  auto layer = new MatmulLayer(n, k, 512, MatmulLayer::Codes::kU16);
  const lq::kernels::PackedS4 layout = {n, k, block};
  const std::vector<int32_t> scale = lq::bench::RandomIntegers(n * layout.blocks(), 1, 16);
  layer->block = block;
  layer->weights = lq::AlignedBuffer(layout.Bytes());
  lq::kernels::PackS4(layout, lq::bench::RandomIntegers(n * k, -8, 7).data(),
                      std::vector<uint32_t>(scale.begin(), scale.end()).data(), layer->weights.as<uint8_t>());
  return layer;
}

MatmulLayer* Large(size_t block) {
  static std::unique_ptr<MatmulLayer> layers[2];
  std::unique_ptr<MatmulLayer>& layer = layers[block == 64];
  if (layer == nullptr) layer.reset(Layer(4096, 4096, block));
  return layer.get();
}

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulU16S4Variants();
  const auto block64 = [] { return Large(64); };
  const auto block32 = [] { return Large(32); };
  lq::bench::RegisterMatmul({"matmul_u16s4", variants, block64, "4096x4096/block=64"}, {1, 2, 4, 6, 8, 64, 256, 512});
  lq::bench::RegisterMatmul({"matmul_u16s4", variants, block32, "4096x4096/block=32"}, {1, 8, 512});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
