// Rows that are in L1.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kernels/contracts_pack.h"

namespace {

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::SumCodesVariants()) {
    for (const bool wide : {false, true}) {
      const std::string name = std::string("sum_codes/") + variant.name + (wide ? "/u16" : "/u8");
      benchmark::RegisterBenchmark(name.c_str(), [run = variant.run, wide](benchmark::State& state) {
        constexpr size_t kBytes = 8192, kRows = 2;
        std::vector<uint8_t> in(kRows * kBytes, 7);
        std::vector<double> out(kRows);
        for (auto _ : state) {
          run({in.data(), wide, kRows, wide ? kBytes / 2 : kBytes, kBytes, out.data()});
          benchmark::ClobberMemory();
        }
        state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(in.size()));
      });
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
