#include <memory>

#include "bench/matmul_layer.h"
#include "kernels/packing.h"

namespace {

using lq::bench::MatmulLayer;

MatmulLayer* Layer(size_t n, size_t k) {
  auto layer = new MatmulLayer(n, k, 512, MatmulLayer::Codes::kU16);
  layer->weights = lq::AlignedBuffer(lq::kernels::PackedS8Bytes(n, k));
  lq::kernels::PackS8(lq::bench::RandomIntegers(n * k, -128, 127).data(), n, k, layer->weights.as<int8_t>());
  return layer;
}

MatmulLayer* Large() {
  static const std::unique_ptr<MatmulLayer> layer(Layer(4096, 4096));
  return layer.get();
}

MatmulLayer* Shallow() {
  static const std::unique_ptr<MatmulLayer> layer(Layer(4096, 256));
  return layer.get();
}

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulU16S8Variants();
  lq::bench::RegisterMatmul({"matmul_u16s8", variants, Large, "4096x4096"}, {1, 2, 8, 64, 256, 512});
  lq::bench::RegisterMatmul({"matmul_u16s8", variants, Shallow, "4096x256"}, {16, 512});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
