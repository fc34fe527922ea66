// How fast a layer is prepared from the floats of a file (quantized, checked, packed):
// prepare/PRECISION/NxK/threads=T, "/transposed" for weights (inputs, outputs). best_ms: of the fastest; of_read: what
// that reads and writes, as a share of the bandwidth at which the floats alone can be read.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lanequant/float_linear.h"
#include "lanequant/linear.h"
#include "runtime/measure/clock.h"
#include "runtime/measure/linear_case.h"
#include "runtime/measure/probe.h"

namespace lq::bench {
namespace {

constexpr float kScale = 1.0f / 1024;
constexpr size_t kSize = 4096;
constexpr int64_t kBlock = 64;

Encoding PerChannelEncoding() {
  return PerChannel{{8, true}, 0, std::vector<float>(kSize, kScale), std::vector<int32_t>(kSize)};
}

Encoding LpbqEncoding() {
  return Lpbq{4, 8, 0, 1, kBlock, std::vector<float>(kSize, kScale), std::vector<uint32_t>(kSize * kSize / kBlock, 7)};
}

Encoding FloatBlocks(int bitwidth) {
  const size_t blocks = kSize * kSize / kBlock;
  return PerBlock{{bitwidth, true}, 0, 1, kBlock, std::vector<float>(blocks, 7 * kScale), std::vector<int32_t>(blocks)};
}

std::vector<float> Weights() {
  std::mt19937 engine(1);
  std::vector<float> weight(kSize * kSize);
  for (float& value : weight) value = kScale * (static_cast<float>(engine() % 256) - 128);
  return weight;
}

// prepare(weight, options) -> Result of a layer.
template <class F>
void Run(benchmark::State& state, size_t threads, const F& prepare) {
  const std::unique_ptr<Executor> executor = threads == 1 ? nullptr : MakeTbbExecutor(threads);
  PrepareOptions options;
  options.executor = executor.get();
  const std::vector<float> weight = Weights();
  const size_t floats = weight.size() * sizeof(float);
  size_t bytes = 0;
  double best = 1e9;
  for (auto _ : state) {
    const double start = measure::Now();
    const auto layer = prepare(weight, options);
    best = std::min(best, measure::Now() - start);
    if (!layer.ok()) return state.SkipWithError(layer.status().message().c_str());
    bytes = floats + layer->info().packed_bytes;
  }
  const double limit = ReadBandwidth(weight.data(), floats, executor == nullptr ? SerialExecutor() : *executor);
  state.counters["best_ms"] = best * 1e3;
  state.counters["of_read"] = static_cast<double>(bytes) / best / limit;
}

template <class F>
void Register(const std::string& name, const F& prepare) {
  for (const size_t threads : {1, 2}) {
    const std::string full = "prepare/" + name + "/threads=" + std::to_string(threads);
    benchmark::RegisterBenchmark(full.c_str(), [=](benchmark::State& state) { Run(state, threads, prepare); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

void RegisterLinear(const measure::Precision& precision, bool transposed) {
  Register(precision.ToString() + "/4096x4096" + (transposed ? "/transposed" : ""),
           [=](const std::vector<float>& weight, const PrepareOptions& options) {
             LinearSpec spec;
             spec.name = "fc";
             spec.in_features = spec.out_features = kSize;
             spec.weight = weight;
             spec.transposed = transposed;
             spec.weight_encoding = precision.block == 0 ? PerChannelEncoding() : LpbqEncoding();
             spec.input = {{precision.activation_bits, false}, 0.01f, -100};
             spec.output.encoding = PerTensor{{precision.activation_bits, false}, 0.5f, -100};
             return Linear::Prepare(spec, options);
           });
}

void RegisterFloat(int bitwidth) {
  Register("f32w" + std::to_string(bitwidth) + "/4096x4096",
           [=](const std::vector<float>& weight, const PrepareOptions& options) {
             FloatLinearSpec spec;
             spec.name = "fc";
             spec.in_features = spec.out_features = kSize;
             spec.weight = weight;
             spec.weight_encoding = FloatBlocks(bitwidth);
             return FloatLinear::Prepare(spec, options);
           });
}

const bool kRegistered = [] {
  for (const measure::Precision& precision : {measure::Precision{8, 0}, {8, kBlock}, {16, 0}, {16, kBlock}}) {
    RegisterLinear(precision, false);
  }
  for (const measure::Precision& precision : {measure::Precision{8, 0}, {8, kBlock}}) RegisterLinear(precision, true);
  for (const int bitwidth : {4, 8}) RegisterFloat(bitwidth);
  return true;
}();

}  // namespace
}  // namespace lq::bench

BENCHMARK_MAIN();
