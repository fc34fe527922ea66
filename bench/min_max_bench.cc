// Smallest and largest f32 of a tensor, of blocks, and of the channels of the last axis, in cache and from memory,
// beside the read bandwidth, measured in turns with them.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <limits>
#include <string>

#include "bench/values.h"
#include "kernels/contracts_min_max.h"
#include "runtime/measure/clock.h"
#include "runtime/measure/probe.h"

namespace {

// How scales lie: in runs of as many elements.
struct ScaleLayout {
  const char* name;
  size_t count, run;
};

// Blocks do not come back here: each has its own result, as in a weight.
void Run(benchmark::State& state, lq::kernels::MinMaxFn run, ScaleLayout layout, size_t n) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> in = lq::bench::Values(n);
  const size_t count = layout.count == 1 || layout.run == 1 ? layout.count : n / layout.run;
  const size_t passes = n == lq::bench::kInCache ? 64 : 1;
  std::vector<float> min(count, kInfinity), max(count, -kInfinity);
  double best = 1e9, limit = 0;
  for (auto _ : state) {
    const double seconds = lq::measure::Seconds([&] {
      for (size_t i = 0; i < passes; ++i) {
        run({in.data(), lq::kernels::FloatType::kF32, n, layout.run, count, min.data(), max.data()});
      }
    });
    best = std::min(best, seconds / static_cast<double>(passes));
    limit = std::max(limit, lq::ReadBandwidth(in.data(), 4 * n));
    state.SetIterationTime(seconds);
  }
  state.counters["Gelem/s"] = static_cast<double>(n) / best * 1e-9;
  state.counters["GB/s"] = static_cast<double>(4 * n) / best * 1e-9;
  state.counters["share_read"] = static_cast<double>(4 * n) / best / limit;
}

const bool kRegistered = [] {
  constexpr ScaleLayout kLayouts[] = {{"tensor", 1, 1}, {"block32", 0, 32}, {"block64", 0, 64}, {"last_axis", 4096, 1}};
  for (const auto& variant : lq::kernels::MinMaxVariants()) {
    for (const ScaleLayout& layout : kLayouts) {
      for (const size_t n : {lq::bench::kInCache, lq::bench::kInMemory}) {
        const std::string name =
            std::string("min_max/") + variant.name + "/" + layout.name + "/" + lq::bench::SizeName(n);
        auto* registered = benchmark::RegisterBenchmark(name.c_str(), Run, variant.run, layout, n);
        registered->UseManualTime()->Iterations(n == lq::bench::kInCache ? 100 : 7);
      }
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
