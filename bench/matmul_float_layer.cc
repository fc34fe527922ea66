#include "bench/matmul_float_layer.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/matmul_layer.h"
#include "kernels/packing.h"
#include "kernels/packing_blocks.h"
#include "runtime/aligned_buffer.h"
#include "runtime/measure/clock.h"
#include "runtime/measure/probe.h"

namespace lq::bench {
namespace {

constexpr size_t kMaxRows = 512;

struct Layer {
  explicit Layer(const MatmulFloatBench& bench)
      : layout{bench.n, bench.k, bench.block, bench.bits, false},
        weights(layout.Bytes()),
        a(kMaxRows * bench.k * sizeof(float)),
        out(kMaxRows * bench.n * sizeof(float)),
        scratch(kernels::MatmulFloatScratchBytes(kMaxRows, bench.k, bench.block)),
        one(bench.n + 64, 1.0) {
    const int top = bench.bits == 4 ? 7 : 127;
    const std::vector<int32_t> integers = RandomIntegers(bench.n * bench.k, -top - 1, top);
    const std::vector<float> q(integers.begin(), integers.end());
    const std::vector<float> scale(bench.n * layout.blocks(), 0.01f);
    kernels::PackBlocks(layout, {q.data(), scale.data(), nullptr}, weights.as<uint8_t>());
    const std::vector<int32_t> values = RandomIntegers(kMaxRows * bench.k, -1000, 1000);
    std::transform(values.begin(), values.end(), a.as<float>(), [](int32_t v) { return static_cast<float>(v) / 256; });
    epilogue.scale = one.data();
    epilogue.clip_min = -HUGE_VAL;
    epilogue.clip_max = HUGE_VAL;
  }

  kernels::PackedBlocks layout;
  AlignedBuffer weights, a, out, scratch;
  std::vector<double> one;
  kernels::Epilogue epilogue{};
};

struct Limits {
  double fused = 0, read = 0;
  void Update(const Layer& layer) {
    fused = std::max(fused, FloatPeak());
    read = std::max(read, ReadBandwidth(layer.weights.data(), layer.weights.size()));
  }
};

kernels::MatmulFloatArgs ArgsOf(Layer& layer, size_t m) {
  kernels::MatmulFloatArgs args{};
  args.a = layer.a.data();
  args.a_stride = layer.layout.k;
  args.m = m;
  args.n = args.n_end = layer.layout.n;
  args.k = layer.layout.k;
  args.w = layer.weights.data();
  args.block = layer.layout.block;
  args.epilogue = &layer.epilogue;
  args.out_type = kernels::OutputType::kF32;
  args.out = layer.out.data();
  args.out_stride = args.n;
  args.scratch = layer.scratch.data();
  return args;
}

// Multiplications per second with weights that stay in L1: what unpacking them allows, however they are read.
double UnpackRate(const MatmulFloatBench& bench, kernels::MatmulFloatFn run, size_t m) {
  constexpr size_t kWeights = 16384;
  constexpr int kRuns = 50;
  MatmulFloatBench small = bench;
  small.n = kernels::kPanelChannels;
  small.k = std::max(bench.block, kWeights / small.n / bench.block * bench.block);
  Layer layer(small);
  const kernels::MatmulFloatArgs args = ArgsOf(layer, m);
  const auto body = [&] {
    for (int i = 0; i < kRuns; ++i) run(args);
  };
  return kRuns * static_cast<double>(m * args.n) * static_cast<double>(args.k) / measure::TimeRuns(0.02, body).front();
}

void Run(benchmark::State& state, Layer& layer, const MatmulFloatBench& bench, kernels::MatmulFloatFn run, size_t m) {
  const kernels::MatmulFloatArgs args = ArgsOf(layer, m);
  const double unpack = UnpackRate(bench, run, m);
  Limits limits;
  limits.Update(layer);
  for (auto _ : state) {
    run(args);
    benchmark::ClobberMemory();
  }
  limits.Update(layer);
  const auto rate = [](double work) { return benchmark::Counter(work, benchmark::Counter::kIsIterationInvariantRate); };
  const double flops = 2.0 * static_cast<double>(m * args.n) * static_cast<double>(args.k);
  state.counters["flops"] = rate(flops);
  state.counters["of_fused"] = limits.fused == 0 ? benchmark::Counter(0) : rate(flops / limits.fused);
  state.counters["of_read"] = rate(static_cast<double>(layer.weights.size()) / limits.read);
  state.counters["of_unpack"] = rate(flops / 2 / unpack);
}

}  // namespace

void RegisterMatmulFloat(const MatmulFloatBench& bench, std::initializer_list<size_t> rows) {
  auto layer = std::make_shared<std::unique_ptr<Layer>>();  // made on first use
  for (const auto& variant : bench.variants) {
    // Without a fused operation 512 rows take 20 s.
    const bool emulates = std::string_view(variant.name).substr(0, 3) == "SSE";
    for (size_t m : rows) {
      if (emulates && m > 4) continue;
      const std::string name = bench.kernel + "/" + variant.name + "/m=" + std::to_string(m) + "/" +
                               std::to_string(bench.n) + "x" + std::to_string(bench.k) +
                               "/block=" + std::to_string(bench.block);
      benchmark::RegisterBenchmark(name.c_str(), [bench, layer, run = variant.run, m](benchmark::State& state) {
        if (*layer == nullptr) *layer = std::make_unique<Layer>(bench);
        Run(state, **layer, bench, run, m);
      })->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace lq::bench
