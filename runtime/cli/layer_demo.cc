#include "runtime/cli/layer_demo.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "lanequant/linear.h"
#include "runtime/aligned_buffer.h"
#include "runtime/probe.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr double kRunSeconds = 0.5;
constexpr float kChannelScale = 1.0f / 1024;

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// mt19937 gives the same numbers everywhere, std::uniform_*_distribution does not.
uint32_t Below(std::mt19937& engine, uint32_t bound) { return static_cast<uint32_t>(engine() % bound); }

Encoding MakeEncoding(DemoWeights weights, std::mt19937& engine) {
  if (weights == DemoWeights::kInt8) {
    return PerChannel{
        {8, true}, 0, std::vector<float>(kDemoFeatures, kChannelScale), std::vector<int32_t>(kDemoFeatures)};
  }
  Lpbq lpbq{4, 8, 0, 1, kDemoBlock, std::vector<float>(kDemoFeatures, kChannelScale), {}};
  for (size_t i = 0; i < kDemoFeatures * kDemoFeatures / static_cast<size_t>(kDemoBlock); ++i) {
    lpbq.per_block_int_scale.push_back(1 + Below(engine, 16));
  }
  return lpbq;
}

LinearSpec MakeSpec(DemoWeights weights, std::span<const float> values, std::mt19937& engine) {
  LinearSpec spec;
  spec.name = "demo";
  spec.in_features = spec.out_features = kDemoFeatures;
  spec.weight = values;
  spec.weight_encoding = MakeEncoding(weights, engine);
  spec.input = {{8, false}, 1.0f / 64, -128};
  spec.output.encoding = PerTensor{{8, false}, 0.25f, -128};
  return spec;
}

// The fastest run, as the probe's bandwidth is that of its fastest pass: both without what else the machine does.
template <class Body>
double BestSeconds(Body body) {
  double best = HUGE_VAL;
  for (const double end = Seconds() + kRunSeconds; Seconds() < end;) {
    const double start = Seconds();
    body();
    best = std::min(best, Seconds() - start);
  }
  return best;
}

}  // namespace

Result<LayerTiming> TimeLayer(DemoWeights weights, const std::string& max_isa) {
  std::mt19937 engine(1);
  std::vector<float> values(kDemoFeatures * kDemoFeatures);
  for (float& value : values) value = kChannelScale * (static_cast<float>(Below(engine, 256)) - 128.0f);
  PrepareOptions options;
  options.max_isa = max_isa;
  LQ_ASSIGN_OR_RETURN(const Linear layer, Linear::Prepare(MakeSpec(weights, values, engine), options));
  std::vector<uint8_t> in(kDemoFeatures), out(kDemoFeatures);
  for (uint8_t& code : in) code = static_cast<uint8_t>(Below(engine, 256));
  const Shape shape{1, static_cast<int64_t>(kDemoFeatures)};
  const ConstTensorView input(DType::kU8, shape, std::as_bytes(std::span(in)));
  const TensorView output{DType::kU8, shape, std::as_writable_bytes(std::span(out))};
  LQ_ASSIGN_OR_RETURN(const AlignedBuffer workspace, AlignedBuffer::Make("demo workspace", layer.WorkspaceBytes(1, 1)));
  LQ_RETURN_IF_ERROR(layer.Run(input, output, workspace.span(), SerialExecutor()));

  LQ_ASSIGN_OR_RETURN(const AlignedBuffer probe, AlignedBuffer::Make("demo probe", layer.info().packed_bytes));
  LayerTiming timing{layer.info().variant, layer.info().packed_bytes, 0, 0};
  timing.read_bandwidth = ReadBandwidth(probe.data(), probe.size());
  timing.seconds = BestSeconds([&] { (void)layer.Run(input, output, workspace.span(), SerialExecutor()); });
  timing.read_bandwidth = std::max(timing.read_bandwidth, ReadBandwidth(probe.data(), probe.size()));
  return timing;
}

}  // namespace lq::cli
