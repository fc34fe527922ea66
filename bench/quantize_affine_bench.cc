// f32 -> u8: layouts of scales and rounding profiles, in cache and from memory.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/affine_layer.h"

namespace {

using lq::RoundingProfile;
using lq::bench::ScaleLayout;

void Run(benchmark::State& state, lq::kernels::QuantizeAffineFn run, ScaleLayout scales, RoundingProfile profile,
         size_t n) {
  const lq::bench::AffineLayer layer(scales);
  const std::vector<float> in = lq::bench::Values(n);
  std::vector<uint8_t> out(n);
  for (auto _ : state) {
    run({.in = in.data(),
         .n = n,
         .layout = layer.layout,
         .qmin = 0,
         .qmax = 255,
         .profile = profile,
         .type = lq::kernels::CodeType::kU8,
         .out = out.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(n));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n * 5));
}

void Register(const lq::kernels::Variant<lq::kernels::QuantizeAffineFn>& variant, const ScaleLayout& scales,
              RoundingProfile profile, size_t n) {
  constexpr const char* kProfiles[] = {"aimet_div", "aimet_fakequant", "aimet_onnx"};
  const std::string name = std::string("quantize_affine/") + variant.name + "/" + scales.name + "/" +
                           kProfiles[static_cast<size_t>(profile)] + "/" + lq::bench::SizeName(n);
  benchmark::RegisterBenchmark(name.c_str(), Run, variant.run, scales, profile, n);
}

const bool kRegistered = [] {
  using enum RoundingProfile;
  for (const auto& variant : lq::kernels::QuantizeAffineVariants()) {
    for (const ScaleLayout& scales : lq::bench::kScaleLayouts) {
      for (const size_t n : {lq::bench::kInCache, lq::bench::kInMemory}) Register(variant, scales, kAimetDiv, n);
    }
    for (const auto profile : {kAimetFakequant, kAimetOnnx}) {
      Register(variant, lq::bench::kScaleLayouts[0], profile, lq::bench::kInCache);
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
