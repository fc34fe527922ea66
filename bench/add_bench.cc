// Residual additions: codes + codes -> codes, in cache and from memory, each profile; codes + floats -> floats.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/values.h"
#include "bench/window_layer.h"

namespace {

using lq::RoundingProfile;
using lq::kernels::AddArgs;
using lq::kernels::AddFn;

constexpr float kInfinity = __builtin_inff();

void RunCodes(benchmark::State& state, AddFn run, RoundingProfile profile, size_t n) {
  const std::vector<uint8_t> a = lq::bench::Codes(n), b = lq::bench::Codes(n + 7);
  std::vector<uint8_t> out(n);
  const AddArgs args{{a.data(), 0.0113f, -120, nullptr},
                     {b.data() + 7, 0.0071f, -131, nullptr},
                     n,
                     -kInfinity,
                     kInfinity,
                     {0.0137f, -127, 0, 255, 0, 255, profile},
                     out.data(),
                     nullptr};
  for (auto _ : state) {
    run(args);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(n));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(3 * n));
}

void RunFloats(benchmark::State& state, AddFn run) {
  const size_t n = lq::bench::kInCache;
  const std::vector<uint8_t> a = lq::bench::Codes(n);
  const std::vector<float> b = lq::bench::Values(n);
  std::vector<float> out(n);
  const AddArgs args{
      {a.data(), 0.0113f, -120, nullptr}, {nullptr, 0, 0, b.data()}, n, 0, kInfinity, {}, nullptr, out.data()};
  for (auto _ : state) {
    run(args);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(n));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(9 * n));
}

const bool kRegistered = [] {
  using enum RoundingProfile;
  for (const auto& variant : lq::kernels::AddVariants()) {
    const std::string prefix = std::string("add/") + variant.name;
    const auto codes = [&](const char* profile_name, RoundingProfile profile, size_t n) {
      const std::string name = prefix + "/codes/" + profile_name + "/" + lq::bench::SizeName(n);
      benchmark::RegisterBenchmark(name.c_str(), RunCodes, variant.run, profile, n);
    };
    codes("aimet_div", kAimetDiv, lq::bench::kInCache);
    codes("aimet_div", kAimetDiv, lq::bench::kInMemory);
    codes("aimet_fakequant", kAimetFakequant, lq::bench::kInCache);
    codes("aimet_onnx", kAimetOnnx, lq::bench::kInCache);
    benchmark::RegisterBenchmark((prefix + "/floats/cache").c_str(), RunFloats, variant.run);
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
