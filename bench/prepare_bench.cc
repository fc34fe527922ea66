// How fast a layer is prepared from the floats of a file (quantized, checked, packed): prepare/PRECISION/NxK/threads=T.
// of_read is the share of the bandwidth at which the floats alone can be read.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lanequant/linear.h"
#include "runtime/measure/linear_case.h"
#include "runtime/measure/probe.h"

namespace lq::bench {
namespace {

constexpr float kScale = 1.0f / 1024;

Encoding EncodingOf(const measure::LinearCase& layer) {
  const std::vector<float> scale(layer.n, kScale);
  const int64_t block = layer.precision.block;
  if (block == 0) return PerChannel{{8, true}, 0, scale, std::vector<int32_t>(layer.n)};
  const size_t blocks = layer.k / static_cast<size_t>(block);
  return Lpbq{4, 8, 0, 1, block, scale, std::vector<uint32_t>(layer.n * blocks, 7)};
}

void Run(benchmark::State& state, const measure::LinearCase& layer, size_t threads) {
  const std::unique_ptr<Executor> executor = threads == 1 ? nullptr : MakeTbbExecutor(threads);
  PrepareOptions options;
  options.executor = executor.get();
  std::mt19937 engine(1);
  std::vector<float> weight(layer.n * layer.k);
  for (float& value : weight) value = kScale * (static_cast<float>(engine() % 256) - 128);
  LinearSpec spec;
  spec.name = "fc";
  spec.in_features = layer.k;
  spec.out_features = layer.n;
  spec.weight = weight;
  spec.weight_encoding = EncodingOf(layer);
  spec.input = {{layer.precision.activation_bits, false}, 0.01f, -100};
  spec.output.encoding = PerTensor{{layer.precision.activation_bits, false}, 0.5f, -100};
  for (auto _ : state) {
    const Result<Linear> linear = Linear::Prepare(spec, options);
    if (!linear.ok()) state.SkipWithError(linear.status().message().c_str());
  }
  const size_t bytes = weight.size() * sizeof(float);
  const double limit = ReadBandwidth(weight.data(), bytes, executor == nullptr ? SerialExecutor() : *executor);
  state.counters["of_read"] =
      benchmark::Counter(static_cast<double>(bytes) / limit, benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  for (const measure::Precision& precision : {measure::Precision{8, 0}, {8, 64}, {16, 0}, {16, 64}}) {
    const measure::LinearCase layer = {1, 4096, 4096, precision};
    for (const size_t threads : {1, 2}) {
      const std::string name = "prepare/" + precision.ToString() + "/4096x4096/threads=" + std::to_string(threads);
      benchmark::RegisterBenchmark(name.c_str(), Run, layer, threads)->UseRealTime()->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace lq::bench

BENCHMARK_MAIN();
