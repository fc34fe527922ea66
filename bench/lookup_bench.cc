// A table applied to codes, in cache and from memory.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/values.h"
#include "bench/window_layer.h"

namespace {

void Run(benchmark::State& state, lq::kernels::LookupFn run, size_t n) {
  const std::vector<uint8_t> in = lq::bench::Codes(n), table = lq::bench::Codes(256);
  std::vector<uint8_t> out(n);
  for (auto _ : state) {
    run({in.data(), n, table.data(), out.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(n));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(2 * n));
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::LookupVariants()) {
    for (const size_t n : {lq::bench::kInCache, lq::bench::kInMemory}) {
      const std::string name = std::string("lookup/") + variant.name + "/" + lq::bench::SizeName(n);
      benchmark::RegisterBenchmark(name.c_str(), Run, variant.run, n);
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
