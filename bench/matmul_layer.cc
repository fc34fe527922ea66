#include "bench/matmul_layer.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/epilogue_setup.h"
#include "kernels/packing.h"
#include "runtime/measure/probe.h"

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

void Run(benchmark::State& state, const MatmulLayer& layer, kernels::MatmulFn run, size_t m) {
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
  state.counters["of_dot"] = share(static_cast<double>(layer.code_bytes) * ops, limits.dot);
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

MatmulLayer::MatmulLayer(size_t n_in, size_t k_in, size_t max_rows, Codes codes_in)
    : n(n_in),
      k(k_in),
      code_bytes(codes_in == Codes::kU8 ? 1 : 2),
      a_stride(k * code_bytes),
      a(max_rows * k * code_bytes + 4),
      out(max_rows * n * code_bytes),
      scratch(codes_in == Codes::kU8 ? kernels::MatmulScratchBytes(max_rows, k)
                                     : kernels::MatmulU16ScratchBytes(max_rows, k)),
      start(n, -1000),
      start_wide(n, -1000),
      start_real(n, -1000),
      scale(n, 1e-4),
      bias(n, 0.25),
      real_mul(n + 64),
      real_add(n + 64),
      fast_mul(n + 64),
      fast_add(n + 64) {
  // Of u16 codes each byte is random.
  const std::vector<int32_t> codes = RandomIntegers(max_rows * k * code_bytes, 0, 255);
  std::copy(codes.begin(), codes.end(), a.as<uint8_t>());
  epilogue.start_u8 = epilogue.start_s8 = start.data();
  epilogue.start_wide = start_wide.data();
  epilogue.start_u16 = epilogue.start_s16 = start_real.data();
  epilogue.narrow = k <= 512;  // 512 * 128 * 32768 = 2^31, and the weights are not all -128
  epilogue.scale = scale.data();
  epilogue.bias = bias.data();
  epilogue.clip_min = -HUGE_VAL;
  epilogue.clip_max = HUGE_VAL;
  // Outputs spread over the codes: products of random operands have a deviation of about 10^4 * sqrt(k).
  const float out_scale = static_cast<float>(0.02 * std::sqrt(static_cast<double>(k)));
  epilogue.to = {out_scale, -128, 0, 255, 0, 255, RoundingProfile::kAimetDiv};
  if (code_bytes == 2) epilogue.to = {out_scale, -32768, 0, 65535, 0, 65535, RoundingProfile::kAimetDiv};
  kernels::SetUpFastEpilogue(n, fast_mul.data(), fast_add.data(), &epilogue);
  kernels::SetUpRealEpilogue(n, real_mul.data(), real_add.data(), &epilogue);
}

kernels::MatmulArgs MatmulLayer::Args(size_t m) const {
  const auto type = code_bytes == 1 ? kernels::OutputType::kU8 : kernels::OutputType::kU16;
  kernels::MatmulArgs args = {
      a.as<uint8_t>(), a_stride, m, n, k, weights.data(), block, 0, n, &epilogue, type, out.data(), n, scratch.data()};
  if (patches) args.patches = &*patches;
  return args;
}

std::unique_ptr<MatmulLayer> PackS8Layer(size_t n, size_t k, size_t max_rows, Codes codes) {
  auto layer = std::make_unique<MatmulLayer>(n, k, max_rows, codes);
  layer->weights = AlignedBuffer(kernels::PackedS8Bytes(n, k));
  kernels::PackS8(RandomIntegers(n * k, -128, 127).data(), n, k, layer->weights.as<int8_t>());
  return layer;
}

std::unique_ptr<MatmulLayer> PackS4Layer(size_t n, size_t k, size_t block, size_t max_rows, Codes codes) {
  auto layer = std::make_unique<MatmulLayer>(n, k, max_rows, codes);
  const kernels::PackedS4 layout = {n, k, block};
  const std::vector<int32_t> scale = RandomIntegers(n * layout.blocks(), 1, 16);
  layer->block = block;
  layer->weights = AlignedBuffer(layout.Bytes());
  kernels::PackS4(layout, RandomIntegers(n * k, -8, 7).data(), std::vector<uint32_t>(scale.begin(), scale.end()).data(),
                  layer->weights.as<uint8_t>());
  return layer;
}

std::unique_ptr<MatmulLayer> PackS16Layer(size_t n, size_t k, size_t max_rows, Codes codes) {
  auto layer = std::make_unique<MatmulLayer>(n, k, max_rows, codes);
  layer->weights = AlignedBuffer(kernels::PackedS16Bytes(n, k));
  kernels::PackS16(RandomIntegers(n * k, -32768, 32767).data(), n, k, layer->weights.as<int16_t>());
  return layer;
}

void RegisterMatmul(const MatmulBench& bench, std::initializer_list<size_t> rows) {
  const auto layer = std::make_shared<std::unique_ptr<MatmulLayer>>();  // one for all
  for (const auto& variant : bench.variants) {
    for (size_t m : rows) {
      const std::string name = bench.kernel + "/" + variant.name + "/m=" + std::to_string(m) + "/" + bench.shape;
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        if (*layer == nullptr) *layer = bench.layer();
        Run(state, **layer, variant.run, m);
      })->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace lq::bench
