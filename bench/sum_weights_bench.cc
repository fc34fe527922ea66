// The sums of a channel of 4096 weights, in cache: sum_weights/TARGET/BLOCK.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kernels/contracts_pack.h"

namespace {

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::SumWeightsVariants()) {
    for (const size_t block : {16, 64, 4096}) {
      const std::string name = std::string("sum_weights/") + variant.name + "/" + std::to_string(block);
      benchmark::RegisterBenchmark(name.c_str(), [run = variant.run, block](benchmark::State& state) {
        constexpr size_t kK = 4096;
        const std::vector<int8_t> codes(kK, 7);
        const std::vector<uint32_t> scale(kK / block, 3);
        int32_t sum = 0, absolute_sum = 0;
        for (auto _ : state) {
          run({codes.data(), kK, block, block == kK ? nullptr : scale.data(), &sum, &absolute_sum});
          benchmark::ClobberMemory();
        }
        state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kK));
      });
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
