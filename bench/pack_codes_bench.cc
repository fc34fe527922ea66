// A panel of 64 channels packed at run time.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kernels/contracts_pack.h"
#include "kernels/packing.h"

namespace {

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::PackCodesVariants()) {
    for (const bool rows : {false, true}) {
      const std::string name =
          std::string("pack_codes/") + variant.name + (rows ? "/channels_are_rows" : "/rows_are_k");
      benchmark::RegisterBenchmark(name.c_str(), [run = variant.run, rows](benchmark::State& state) {
        constexpr size_t kK = 1024, kChannels = 64;
        std::vector<uint8_t> in(kK * kChannels, 7);
        std::vector<int8_t> out(lq::kernels::PackedS8Bytes(kChannels, kK));
        std::vector<double> sums(kChannels);
        for (auto _ : state) {
          run({in.data(), kChannels, kK, rows ? kK : kChannels, rows, true, out.data(), sums.data()});
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
