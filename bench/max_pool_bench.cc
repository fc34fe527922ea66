// Max pools: 3x3 by 2 (ResNet's first) and 2x2 by 2.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/window_layer.h"

namespace {

void Run(benchmark::State& state, lq::kernels::MaxPoolFn run, const lq::kernels::Window& window) {
  const std::vector<uint8_t> in = lq::bench::Codes(window.in_height * window.in_width * window.channels);
  std::vector<uint8_t> out(window.out_height * window.out_width * window.channels);
  for (auto _ : state) {
    run({in.data(), window, out.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(out.size()));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(in.size() + out.size()));
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::MaxPoolVariants()) {
    for (const size_t size : {size_t{2}, size_t{3}}) {
      const std::string name =
          std::string("max_pool/") + variant.name + "/64@112/" + std::to_string(size) + "x" + std::to_string(size);
      benchmark::RegisterBenchmark(name.c_str(), Run, variant.run, lq::bench::SquareWindow(112, 64, size, 2));
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
