// Packed 4-bit codes -> s8 for the usual blocks, in cache and from memory.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/affine_layer.h"
#include "bench/window_layer.h"

namespace {

void Run(benchmark::State& state, lq::kernels::LpbqExpandFn run, size_t block, size_t n) {
  const std::vector<uint8_t> in = lq::bench::Codes(n / 2);
  const std::vector<uint8_t> scale(n / block, 13);
  std::vector<int8_t> out(n);
  for (auto _ : state) {
    run({in.data(), scale.data(), n, block, out.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(n));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(in.size() + scale.size() + n));
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::LpbqExpandVariants()) {
    for (const size_t block : {size_t{16}, size_t{32}, size_t{64}, size_t{128}}) {
      for (const size_t n : {lq::bench::kInCache, lq::bench::kInMemory}) {
        const std::string name = std::string("lpbq_expand/") + variant.name + "/block" + std::to_string(block) + "/" +
                                 lq::bench::SizeName(n);
        benchmark::RegisterBenchmark(name.c_str(), Run, variant.run, block, n);
      }
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
