// The global average of a MobileNet (7x7x1280) and a local 3x3.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/window_layer.h"

namespace {

void Run(benchmark::State& state, lq::kernels::AveragePoolFn run, const lq::kernels::Window& window) {
  const std::vector<uint8_t> in = lq::bench::Codes(window.in_height * window.in_width * window.channels);
  std::vector<uint8_t> out(window.out_height * window.out_width * window.channels);
  const lq::kernels::QuantizeTo to{0.02f, -3, 0, 255, 0, 255, lq::RoundingProfile::kAimetDiv};
  for (auto _ : state) {
    run({in.data(), window, 0, 0, false, 0.021f, -2, to, lq::kernels::OutputType::kU8, out.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(out.size()));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(in.size() + out.size()));
}

const bool kRegistered = [] {
  lq::kernels::Window global = lq::bench::SquareWindow(7, 1280, 7, 7);
  global.pad_top = global.pad_left = 0;
  for (const auto& variant : lq::kernels::AveragePoolVariants()) {
    const std::string name = std::string("average_pool/") + variant.name;
    benchmark::RegisterBenchmark((name + "/global/1280@7").c_str(), Run, variant.run, global);
    benchmark::RegisterBenchmark((name + "/3x3/64@56").c_str(), Run, variant.run,
                                 lq::bench::SquareWindow(56, 64, 3, 1));
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
