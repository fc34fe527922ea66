// The layers of depthwise_bench, with a 5x5 and a chunk shorter than a vector, with s8 weights.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/window_layer.h"
#include "kernels/packing.h"

namespace {

void Run(benchmark::State& state, lq::kernels::DepthwiseU8S8Fn run, const lq::kernels::Window& window) {
  const std::vector<uint8_t> in = lq::bench::Codes(window.in_height * window.in_width * window.channels);
  const lq::kernels::PackedDepthwiseS8 layout{window.channels, window.kernel_height, window.kernel_width,
                                              window.stride_height, window.stride_width};
  const size_t taps = window.kernel_height * window.kernel_width;
  std::vector<int32_t> weights(window.channels * taps);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<int32_t>(i * 40503 % 255) - 127;
  std::vector<int8_t> packed(layout.Bytes());
  lq::kernels::PackDepthwiseS8(layout, weights.data(), packed.data());
  const lq::bench::RequantizeConstants constants(window.channels);
  std::vector<uint8_t> out(window.out_height * window.out_width * window.channels);
  for (auto _ : state) {
    run({in.data(), window, packed.data(), 3, &constants.epilogue, lq::kernels::OutputType::kU8, out.data()});
    benchmark::ClobberMemory();
  }
  state.counters["ops"] =
      benchmark::Counter(2.0 * static_cast<double>(taps * out.size()), benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::DepthwiseU8S8Variants()) {
    for (const auto& [image, channels, size, stride] : {std::tuple<size_t, size_t, size_t, size_t>{112, 32, 3, 1},
                                                        {56, 144, 3, 1},
                                                        {28, 192, 3, 1},
                                                        {28, 192, 3, 2},
                                                        {7, 960, 3, 1},
                                                        {14, 256, 5, 1},
                                                        {48, 24, 3, 1},
                                                        {48, 8, 3, 1}}) {
      const std::string name = std::string("depthwise_u8s8/") + variant.name + "/" + std::to_string(channels) + "@" +
                               std::to_string(image) + "/" + std::to_string(size) + "x" + std::to_string(size) + "/" +
                               std::to_string(stride);
      benchmark::RegisterBenchmark(name.c_str(), Run, variant.run,
                                   lq::bench::SquareWindow(image, channels, size, stride));
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
