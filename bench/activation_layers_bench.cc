// Layers that prepare an operand at run time: products of two activations, rows quantized on the fly. One thread.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bench/matmul_layer.h"
#include "lanequant/float_linear.h"
#include "lanequant/matmul.h"
#include "runtime/aligned_buffer.h"
#include "runtime/measure/probe.h"

namespace {

lq::Shape Dims(size_t batch, size_t rows, size_t columns) {
  return {static_cast<int64_t>(batch), static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
}

// Counters: operations per second, and the share of the probed 8-bit dot limit.
void Report(benchmark::State& state, double ops) {
  const auto rate = [](double work) { return benchmark::Counter(work, benchmark::Counter::kIsIterationInvariantRate); };
  const double peak = lq::DotPeak();
  state.counters["ops"] = rate(ops);
  state.counters["of_dot"] = peak == 0 ? benchmark::Counter(0) : rate(ops / peak);
}

void RunMatmul(benchmark::State& state, const lq::Matmul::Sizes& sizes, bool b_is_transposed) {
  lq::MatmulSpec spec;
  spec.name = "attention";
  spec.a = {{8, false}, 0.01f, -120};
  spec.b = {{8, false}, 0.02f, -130};
  spec.b_is_transposed = b_is_transposed;
  spec.output = lq::PerTensor{{8, false}, 0.5f, -128};
  const lq::Result<lq::Matmul> matmul = lq::Matmul::Prepare(spec);
  const auto& [batch, m, n, k] = sizes;
  const lq::AlignedBuffer a(batch * m * k), b(batch * n * k), out(batch * m * n);
  const lq::AlignedBuffer workspace(matmul->WorkspaceBytes(sizes, 1));
  const std::vector<int32_t> codes = lq::bench::RandomIntegers(std::max(a.size(), b.size()), 0, 255);
  std::copy_n(codes.begin(), a.size(), a.as<uint8_t>());
  std::copy_n(codes.begin(), b.size(), b.as<uint8_t>());
  const lq::ConstTensorView left{lq::DType::kU8, Dims(batch, m, k), a.span()};
  const lq::ConstTensorView right{lq::DType::kU8, b_is_transposed ? Dims(batch, n, k) : Dims(batch, k, n), b.span()};
  const lq::TensorView result{lq::DType::kU8, Dims(batch, m, n), out.span()};
  for (auto _ : state) {
    if (!matmul->Run(left, right, result, workspace.span(), lq::SerialExecutor()).ok()) state.SkipWithError("refused");
  }
  Report(state, 2.0 * static_cast<double>(batch * m * n) * static_cast<double>(k));
}

void RunDynamic(benchmark::State& state, size_t rows, lq::RowMode mode) {
  constexpr size_t kSize = 4096;
  lq::FloatLinearSpec spec;
  spec.name = "dynamic";
  spec.in_features = spec.out_features = kSize;
  const std::vector<float> weight(kSize * kSize, 0.25f);
  spec.weight = weight;
  spec.weight_encoding = lq::PerTensor{{8, true}, 0.01f, 0};
  spec.rows = mode;
  const lq::Result<lq::FloatLinear> linear = lq::FloatLinear::Prepare(spec);
  const lq::AlignedBuffer in(rows * kSize * sizeof(float)), out(rows * kSize * sizeof(float));
  const std::vector<int32_t> values = lq::bench::RandomIntegers(rows * kSize, -1000, 1000);
  std::copy(values.begin(), values.end(), in.as<float>());
  const lq::AlignedBuffer workspace(linear->WorkspaceBytes(rows, 1));
  const auto dim = static_cast<int64_t>(kSize), m = static_cast<int64_t>(rows);
  for (auto _ : state) {
    const lq::Status status =
        linear->Run({lq::DType::kF32, {m, dim}, in.span()}, {lq::DType::kF32, {m, dim}, out.span()}, workspace.span(),
                    lq::SerialExecutor());
    if (!status.ok()) state.SkipWithError("refused");
  }
  Report(state, 2.0 * static_cast<double>(rows * kSize) * static_cast<double>(kSize));
}

const bool kRegistered = [] {
  for (const size_t length : {size_t{128}, size_t{512}}) {
    const std::string name = "matmul/12x" + std::to_string(length);
    benchmark::RegisterBenchmark((name + "/qk").c_str(), RunMatmul, lq::Matmul::Sizes{12, length, length, 64}, true);
    benchmark::RegisterBenchmark((name + "/pv").c_str(), RunMatmul, lq::Matmul::Sizes{12, length, 64, length}, false);
  }
  benchmark::RegisterBenchmark("matmul/1024", RunMatmul, lq::Matmul::Sizes{1, 1024, 1024, 1024}, false);
  for (const size_t rows : {size_t{1}, size_t{16}, size_t{512}}) {
    const std::string name = "dynamic/m=" + std::to_string(rows) + "/4096x4096";
    benchmark::RegisterBenchmark((name + "/u8").c_str(), RunDynamic, rows, lq::RowMode::kDynamicU8);
    benchmark::RegisterBenchmark((name + "/s8").c_str(), RunDynamic, rows, lq::RowMode::kDynamicS8);
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
