#include "bench/matmul_layer.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/epilogue_setup.h"
#include "runtime/probe.h"

namespace lq::bench {
namespace {

struct Limits {
  double dot = 0, multiply_add = 0, read = 0;

  void Update(const MatmulLayer& layer) {
    dot = std::max(dot, DotPeak());
    multiply_add = std::max(multiply_add, MultiplyAddPeak());
    read = std::max(read, ReadBandwidth(layer.weights.data(), layer.weights.size()));
  }
};

void Run(benchmark::State& state, const MatmulBench& bench, kernels::MatmulFn run, size_t m) {
  const MatmulLayer& layer = *bench.layer();
  const kernels::MatmulArgs args = layer.Args(m);
  Limits limits;
  limits.Update(layer);
  for (auto _ : state) {
    run(args);
    benchmark::ClobberMemory();
  }
  limits.Update(layer);
  const auto share = [](double work, double limit) {
    return limit == 0 ? benchmark::Counter(0)
                      : benchmark::Counter(work / limit, benchmark::Counter::kIsIterationInvariantRate);
  };
  const double ops = 2.0 * static_cast<double>(m) * static_cast<double>(layer.n) * static_cast<double>(layer.k);
  state.counters["ops"] = benchmark::Counter(ops, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_dot"] = share(ops, limits.dot);
  state.counters["of_madd"] = share(ops, limits.multiply_add);
  state.counters["of_read"] = share(static_cast<double>(layer.weights.size()), limits.read);
}

}  // namespace

std::vector<int32_t> RandomIntegers(size_t count, int low, int high) {
  std::mt19937 engine(1);
  std::uniform_int_distribution<int32_t> distribution(low, high);
  std::vector<int32_t> values(count);
  for (int32_t& value : values) value = distribution(engine);
  return values;
}

MatmulLayer::MatmulLayer(size_t n_in, size_t k_in, size_t max_rows)
    : n(n_in),
      k(k_in),
      a(max_rows * k + 4),
      out(max_rows * n),
      scratch(kernels::MatmulScratchBytes(max_rows, k)),
      start(n, -1000),
      start_wide(n, -1000),
      scale(n, 1e-4),
      bias(n, 0.25),
      fast_mul(n + 64),
      fast_add(n + 64) {
  const std::vector<int32_t> codes = RandomIntegers(max_rows * k, 0, 255);
  std::copy(codes.begin(), codes.end(), a.as<uint8_t>());
  epilogue.start_u8 = epilogue.start_s8 = start.data();
  epilogue.start_wide = start_wide.data();
  epilogue.scale = scale.data();
  epilogue.bias = bias.data();
  epilogue.clip_min = -HUGE_VAL;
  epilogue.clip_max = HUGE_VAL;
  // Outputs spread over the codes: products of random operands have a deviation of about 10^4 * sqrt(k).
  const float out_scale = static_cast<float>(0.02 * std::sqrt(static_cast<double>(k)));
  epilogue.to = {out_scale, -128, 0, 255, 0, 255, RoundingProfile::kAimetDiv};
  kernels::SetUpFastEpilogue(n, fast_mul.data(), fast_add.data(), &epilogue);
}

kernels::MatmulArgs MatmulLayer::Args(size_t m) const {
  return {a.as<uint8_t>(), k, m, n, k, weights.data(), block, 0, n, &epilogue, kernels::OutputType::kU8, out.data(), n,
          scratch.data()};
}

void RegisterMatmul(const MatmulBench& bench, std::initializer_list<size_t> rows) {
  for (const auto& variant : bench.variants) {
    for (size_t m : rows) {
      const std::string name = bench.kernel + "/" + variant.name + "/m=" + std::to_string(m) + "/" + bench.shape;
      benchmark::RegisterBenchmark(name.c_str(), [bench, run = variant.run, m](benchmark::State& state) {
        Run(state, bench, run, m);
      })->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace lq::bench
