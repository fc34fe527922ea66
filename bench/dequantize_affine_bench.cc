// u8 -> f32: layouts of scales, in cache and from memory.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/affine_layer.h"
#include "bench/window_layer.h"

namespace {

using lq::bench::ScaleLayout;

void Run(benchmark::State& state, lq::kernels::DequantizeAffineFn run, ScaleLayout scales, size_t n) {
  const lq::bench::AffineLayer layer(scales);
  const std::vector<uint8_t> in = lq::bench::Codes(n);
  std::vector<float> out(n);
  for (auto _ : state) {
    run({.in = in.data(), .type = lq::kernels::CodeType::kU8, .n = n, .layout = layer.layout, .out = out.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(n));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n * 5));
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::DequantizeAffineVariants()) {
    for (const ScaleLayout& scales : lq::bench::kScaleLayouts) {
      for (const size_t n : {lq::bench::kInCache, lq::bench::kInMemory}) {
        const std::string name =
            std::string("dequantize_affine/") + variant.name + "/" + scales.name + "/" + lq::bench::SizeName(n);
        benchmark::RegisterBenchmark(name.c_str(), Run, variant.run, scales, n);
      }
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
