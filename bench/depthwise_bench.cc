// Depthwise 3x3 layers of MobileNetV2. ops: a multiplication and an addition are two.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/window_layer.h"
#include "kernels/packing.h"

namespace {

void Run(benchmark::State& state, lq::kernels::DepthwiseFn run, const lq::kernels::Window& window) {
  const std::vector<uint8_t> in = lq::bench::Codes(window.in_height * window.in_width * window.channels);
  std::vector<int32_t> weights(window.channels * 9);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<int32_t>(i * 40503 % 255) - 127;
  std::vector<int16_t> packed(lq::kernels::PackedDepthwiseCount(window.channels, 9));
  lq::kernels::PackDepthwise(weights.data(), window.channels, 9, packed.data());
  const std::vector<uint8_t> zeros(window.channels, 3);
  const lq::bench::RequantizeConstants constants(window.channels);
  std::vector<uint8_t> out(window.out_height * window.out_width * window.channels);
  for (auto _ : state) {
    run({in.data(), window, packed.data(), zeros.data(), &constants.epilogue, lq::kernels::OutputType::kU8,
         out.data()});
    benchmark::ClobberMemory();
  }
  state.counters["ops"] =
      benchmark::Counter(18.0 * static_cast<double>(out.size()), benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::DepthwiseVariants()) {
    for (const auto& [image, channels, stride] :
         {std::tuple<size_t, size_t, size_t>{112, 32, 1}, {56, 144, 1}, {28, 192, 1}, {28, 192, 2}, {7, 960, 1}}) {
      const std::string name = std::string("depthwise/") + variant.name + "/" + std::to_string(channels) + "@" +
                               std::to_string(image) + "/" + std::to_string(stride);
      benchmark::RegisterBenchmark(name.c_str(), Run, variant.run, lq::bench::SquareWindow(image, channels, 3, stride));
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
