#include "bench/matmul_layer.h"

namespace {

// A filter of 3 x 3 over 28 x 28 pixels of 128 channels, read in the image with its padding.
std::unique_ptr<lq::bench::MatmulLayer> PatchesLayer() {
  constexpr size_t kSide = 28, kChannels = 128, kLine = (kSide + 2) * kChannels;
  auto layer = lq::bench::PackS8Layer(128, 9 * kChannels, kSide * kSide, lq::bench::Codes::kU8);
  layer->a_stride = kChannels;
  layer->patches = {kSide, kLine, kSide, 0, 3, 3 * kChannels, kLine};
  return layer;
}

const bool kRegistered = [] {
  const auto variants = lq::kernels::MatmulU8S8Variants();
  const auto large = [] { return lq::bench::PackS8Layer(4096, 4096, 512, lq::bench::Codes::kU8); };
  const auto shallow = [] { return lq::bench::PackS8Layer(4096, 64, 512, lq::bench::Codes::kU8); };
  lq::bench::RegisterMatmul({"matmul_u8s8", variants, large, "4096x4096"}, {1, 2, 4, 16, 64, 512});
  lq::bench::RegisterMatmul({"matmul_u8s8", variants, shallow, "4096x64"}, {16, 512});
  lq::bench::RegisterMatmul({"matmul_u8s8", variants, PatchesLayer, "patches"}, {28 * 28});
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
