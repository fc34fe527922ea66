// Smallest and largest f32 of a tensor, of blocks, and of the channels of the last axis, in cache and from memory.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/affine_layer.h"
#include "kernels/contracts_min_max.h"

namespace {

using lq::bench::ScaleLayout;

// Blocks do not come back here: each has its own result, as in a weight.
void Run(benchmark::State& state, lq::kernels::MinMaxFn run, ScaleLayout layout, size_t n) {
  const std::vector<float> in = lq::bench::Values(n);
  const size_t count = layout.count == 1 || layout.run == 1 ? layout.count : n / layout.run;
  std::vector<float> min(count, __builtin_inff()), max(count, -__builtin_inff());
  for (auto _ : state) {
    run({in.data(), lq::kernels::FloatType::kF32, n, layout.run, count, min.data(), max.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(n));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(4 * n));
}

const bool kRegistered = [] {
  constexpr ScaleLayout kLayouts[] = {{"tensor", 1, 1}, {"block32", 0, 32}, {"block64", 0, 64}, {"last_axis", 4096, 1}};
  for (const auto& variant : lq::kernels::MinMaxVariants()) {
    for (const ScaleLayout& layout : kLayouts) {
      for (const size_t n : {lq::bench::kInCache, lq::bench::kInMemory}) {
        const std::string name =
            std::string("min_max/") + variant.name + "/" + layout.name + "/" + lq::bench::SizeName(n);
        benchmark::RegisterBenchmark(name.c_str(), Run, variant.run, layout, n);
      }
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
