// A panel of 64 channels from its codes, in cache: pack_rows/TARGET/FORMAT.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kernels/contracts_pack.h"

namespace {

using lq::kernels::RowFormat;

constexpr struct {
  RowFormat format;
  const char* name;
} kFormats[] = {{RowFormat::kS8, "s8"},
                {RowFormat::kS4, "s4"},
                {RowFormat::kBlockS8, "block_s8"},
                {RowFormat::kBlockS4, "block_s4"}};

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::PackRowsVariants()) {
    for (const auto& row : kFormats) {
      const std::string name = std::string("pack_rows/") + variant.name + "/" + row.name;
      const RowFormat format = row.format;
      benchmark::RegisterBenchmark(name.c_str(), [run = variant.run, format](benchmark::State& state) {
        constexpr size_t kK = 4096, kChannels = 64, kStride = kK + 64;
        std::vector<int8_t> codes(kStride * kChannels, 7), out(kK * kChannels);
        for (auto _ : state) {
          run({codes.data(), kChannels, kK, kStride, format, out.data()});
          benchmark::ClobberMemory();
        }
        state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kK * kChannels));
      });
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
