// The public bulk quantizers on one thread and on all: 1 Mi elements, which the last-level cache holds, and 64 Mi.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/bulk_case.h"
#include "lanequant/block_quantize.h"
#include "lanequant/executor.h"
#include "lanequant/float_quantize.h"
#include "lanequant/lpbq.h"
#include "lanequant/quantize.h"
#include "runtime/measure/clock.h"
#include "runtime/measure/probe.h"

namespace lq::bench {
namespace {

constexpr int64_t kRow = 1024, kBlock = 64;
constexpr size_t kInSharedCache = size_t{1} << 20, kInMemory = size_t{1} << 26;

// A tensor of rows, quantized with a scale for each block.
struct Tensors {
  explicit Tensors(size_t n) : shape{static_cast<int64_t>(n) / kRow, kRow}, scale(n / kBlock, 0.0078f) {}

  ConstTensorView In(DType type, const std::byte* data) const {
    return {type, shape, {data, BytesOf(type, shape.NumElements())}};
  }
  TensorView Out(DType type, std::byte* data) const {
    return {type, shape, {data, BytesOf(type, shape.NumElements())}};
  }
  AffineQuantizer Quantizer() const {
    static constexpr std::array<int64_t, 2> kBlockSize = {1, kBlock};
    AffineQuantizer quantizer;
    quantizer.scale = {DType::kF32, Shape{shape[0], kRow / kBlock}, std::as_bytes(std::span(scale))};
    quantizer.block_size = kBlockSize;
    quantizer.qmin = -128;
    quantizer.qmax = 127;
    return quantizer;
  }

  Shape shape;
  std::vector<float> scale;
};

struct Call {
  const char* name;
  DType in, out;
  std::function<Status(const ConstTensorView&, const TensorView&, const Tensors&, const BulkOptions&)> run;
};

LpbqScales LpbqScalesOf(const Tensors& tensors) {
  LpbqLayout layout;
  layout.scale_shape = Shape{tensors.shape[0], kRow / kBlock};
  layout.block_size = {1, kBlock};
  layout.block_grouping = {1, -1};
  std::vector<uint32_t> int_scale(tensors.scale.size(), 13);
  return *MakeLpbqScales(layout, std::move(int_scale),
                         std::vector<double>(static_cast<size_t>(tensors.shape[0]), 0.01));
}

std::vector<Call> Calls() {
  const auto quantize = [](const ConstTensorView& in, const TensorView& out, const Tensors& t, const BulkOptions& o) {
    return Quantize(in, t.Quantizer(), out, o);
  };
  const auto dequantize = [](const ConstTensorView& in, const TensorView& out, const Tensors& t, const BulkOptions& o) {
    return Dequantize(in, t.Quantizer(), out, o);
  };
  const auto both = [](const ConstTensorView& in, const TensorView& out, const Tensors& t, const BulkOptions& o) {
    return QuantizeDequantize(in, t.Quantizer(), out, o);
  };
  const auto e4m3 = [](const ConstTensorView& in, const TensorView& out, const Tensors&, const BulkOptions& o) {
    return QuantizeDequantizeFloat(in, {kFloat8E4M3Fn, {}, {}}, out, o);
  };
  const auto mxfp4 = [](const ConstTensorView& in, const TensorView& out, const Tensors&, const BulkOptions& o) {
    return QuantizeDequantizeBlocks(in, TorchMx(BlockElement::kE2M1, BlockExponent::kEven), -1, out, o);
  };
  const auto expand = [](const ConstTensorView& in, const TensorView& out, const Tensors& t, const BulkOptions& o) {
    static const LpbqScales near = LpbqScalesOf(Tensors(kInSharedCache)), far = LpbqScalesOf(Tensors(kInMemory));
    return LpbqExpand(in, t.shape.NumElements() == int64_t{kInMemory} ? far : near, out, o);
  };
  return {{"quantize_s8", DType::kF32, DType::kS8, quantize},
          {"dequantize_s8", DType::kS8, DType::kF32, dequantize},
          {"quantize_dequantize_s8", DType::kF32, DType::kF32, both},
          {"quantize_dequantize_e4m3", DType::kF32, DType::kF32, e4m3},
          {"quantize_dequantize_mxfp4", DType::kF32, DType::kF32, mxfp4},
          {"lpbq_expand", DType::kS4, DType::kS8, expand}};
}

// Best passes of turns: one thread, all threads, the streams of both. In the cache 16 calls follow one another: workers
// that have had nothing to do for 100 us sleep, and to wake them takes 20 to 60 us, as long as half a call.
void Run(benchmark::State& state, const Call& call, size_t n) {
  static const std::unique_ptr<Executor> all = MakeTbbExecutor();
  const Tensors tensors(n);
  const ConstTensorView in = tensors.In(call.in, BulkInput());
  const TensorView out = tensors.Out(call.out, BulkOutput());
  const bool far = n == kInMemory;
  const size_t passes = far ? 1 : 16;
  double best[2] = {1e9, 1e9}, stream[2] = {1e9, 1e9};
  for (auto _ : state) {
    for (const size_t i : {0, 1}) {
      Executor& executor = i == 0 ? SerialExecutor() : *all;
      BulkOptions options;
      options.executor = &executor;
      Status status = OkStatus();
      best[i] = std::min(best[i], measure::Average(passes, [&] { status = call.run(in, out, tensors, options); }));
      if (!status.ok()) return state.SkipWithError(status.message().c_str());
      stream[i] =
          std::min(stream[i], measure::Average(passes, [&] {
                     Stream(in.bytes.data(), in.bytes.size(), out.bytes.data(), out.bytes.size(), far, executor);
                   }));
    }
    state.SetIterationTime(best[1]);
  }
  state.counters["Gelem/s"] = static_cast<double>(n) / best[1] * 1e-9;
  state.counters["one_thread"] = static_cast<double>(n) / best[0] * 1e-9;
  state.counters["speedup"] = best[0] / best[1];
  state.counters["stream_speedup"] = stream[0] / stream[1];
  state.counters["share_stream"] = stream[1] / best[1];
  state.counters["threads"] = static_cast<double>(all->workers());
}

const bool kRegistered = [] {
  for (const Call& call : Calls()) {
    for (const size_t n : {kInSharedCache, kInMemory}) {
      const std::string name = std::string("api/all_threads/") + call.name + (n == kInMemory ? "/memory" : "/cache");
      auto* registered = benchmark::RegisterBenchmark(name.c_str(), Run, call, n);
      registered->UseManualTime()->Iterations(n == kInMemory ? 9 : 50);
    }
  }
  return true;
}();

}  // namespace
}  // namespace lq::bench

BENCHMARK_MAIN();
