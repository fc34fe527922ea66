// The dense network of qualcomm/aimet issue 3978 (64 channels, 29 residual blocks), where a lost tie or another bias
// spreads over the receptive field of all that follows: kernels against the exact simulator of the same bias mode after
// each block.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>
#include <memory>
#include <span>
#include <vector>

#include "runtime/compare/code_difference.h"
#include "runtime/compare/validation.h"
#include "runtime/simulator/simulator.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

constexpr int64_t kChannels = 64, kBlocks = 29;

class Network {
 public:
  explicit Network(int64_t side) {
    const ValueId input = builder_.Input({1, 3, side, side}, PerTensor{{8, false}, 2.0f / 255, -127});
    ValueId x = Conv(input, 3, 0.58);  // rms of numbers between -1 and 1
    for (int64_t n = 1; n <= kBlocks; ++n) {
      const double mean = 0.4 * static_cast<double>(n), variance = 0.34 * static_cast<double>(n);
      const ValueId branch = Conv(x, kChannels, std::sqrt(mean * mean + variance));
      const auto largest = static_cast<float>(mean + 5 * std::sqrt(variance));
      x = builder_.Node("Add", {branch, x}, {}, PerTensor{{8, false}, largest / 255, 0});
      blocks_.push_back(x);
    }
    builder_.Output(x);
  }

  std::shared_ptr<const Graph> Share() const { return builder_.Share(); }
  const std::vector<ValueId>& blocks() const { return blocks_; }

 private:
  // Conv and ReLU6. `rms` of the input: outputs are normal numbers, of which ReLU6 has mean 0.4 and variance 0.34.
  ValueId Conv(ValueId x, int64_t in_channels, double rms) {
    const double deviation = 1 / (std::sqrt(9.0 * static_cast<double>(in_channels)) * rms);
    std::vector<float> weight(static_cast<size_t>(kChannels * in_channels * 9)), bias(kChannels);
    for (float& w : weight) w = static_cast<float>(Normal() * deviation);
    for (float& b : bias) b = static_cast<float>(Normal() * 0.1);
    const PerChannel encoding{{8, true},
                              0,
                              std::vector<float>(kChannels, static_cast<float>(4 * deviation / 127)),
                              std::vector<int32_t>(kChannels, 0)};
    const ValueId conv = builder_.Node(
        "Conv",
        {x, builder_.Floats({kChannels, in_channels, 3, 3}, weight, encoding), builder_.Floats({kChannels}, bias)},
        {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
    return builder_.Node("Clip", {conv, builder_.Floats({}, {0}), builder_.Floats({}, {6})}, {},
                         PerTensor{{8, false}, 6.0f / 255, 0});
  }

  // Near enough: the sum of twelve.
  double Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random_.Float(0, 1);
    return sum;
  }

  testing::Random random_{1};
  testing::GraphBuilder builder_;
  std::vector<ValueId> blocks_;
};

size_t Different(const ObservedTensor& a, const ObservedTensor& b) {
  size_t count = a.codes.size() == b.codes.size() ? 0 : a.codes.size();
  for (size_t i = 0; count < a.codes.size() && i < a.codes.size(); ++i) count += a.codes[i] != b.codes[i];
  return count;
}

// 32 x 32 are the network, which the soak runs.
int64_t Side(int64_t otherwise) { return testing::Cases(1) > 1 ? 32 : otherwise; }

testing::InputTensor Image(int64_t side) {
  testing::Random random(2);
  testing::InputTensor image{{1, 3, side, side}, {}};
  for (int64_t i = 0; i < image.shape.NumElements(); ++i) image.values.push_back(random.Float(-1, 1));
  return image;
}

ConstTensorView View(const testing::InputTensor& tensor) {
  return {DType::kF32, tensor.shape, std::as_bytes(std::span<const float>(tensor.values))};
}

// Rounds each code that lies so near to a tie that a float32 simulator may lose it the other way.
void LoseTies(ObservedTensor& tensor) {
  const Grid grid = tensor.encoding.grid;
  for (size_t i = 0; i < tensor.codes.size(); ++i) {
    if (0.5 - std::abs(tensor.t[i] - std::nearbyint(tensor.t[i])) > tensor.near_tie[i]) continue;
    const int32_t other = tensor.codes[i] + (tensor.t[i] > std::nearbyint(tensor.t[i]) ? 1 : -1);
    tensor.codes[i] = std::clamp(other, static_cast<int32_t>(grid.qmin()), static_cast<int32_t>(grid.qmax()));
  }
}

// The layers of a device that rounds biases to int32, and sums in float32.
std::vector<NamedArray> DeviceLayers(const std::shared_ptr<const Graph>& graph, const ConstTensorView& image) {
  std::vector<NamedArray> layers;
  const auto simulator = Simulator::Prepare(graph, {RoundingProfile::kAimetDiv, BiasMode::kInt32, true});
  EXPECT_TRUE(simulator.ok()) << simulator.status().message();
  if (!simulator.ok()) return layers;
  const auto outputs = simulator->Run({&image, 1}, [&](ObservedTensor& tensor) {
    LoseTies(tensor);
    NamedArray layer{graph->value(tensor.id).name, DType::kS32, tensor.shape, {}};
    layer.bytes.resize(tensor.codes.size() * sizeof(int32_t));
    std::memcpy(layer.bytes.data(), tensor.codes.data(), layer.bytes.size());
    layers.push_back(std::move(layer));
  });
  EXPECT_TRUE(outputs.ok()) << outputs.status().message();
  return layers;
}

TEST(DriftTest, KernelsHaveTheCodesOfTheirBiasMode) {
  const int64_t side = Side(16);
  const Network network(side);
  const testing::InputTensor input = Image(side);
  const ConstTensorView view = View(input);
  std::vector<testing::Simulated> exact;
  for (const BiasMode bias : {BiasMode::kFloat, BiasMode::kInt32}) {
    SessionOptions options;
    options.bias = bias;
    const Result<Session> session = Session::Prepare(Model(network.Share()), options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, SerialExecutor());
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    exact.push_back(testing::Simulate(network.Share(), {input}, {options.profile, bias, false}));
    ASSERT_TRUE(exact.back().status.ok()) << exact.back().status.message();
    for (const ValueId block : network.blocks()) {
      ASSERT_EQ(run.observed.count(block), 1u);
      EXPECT_EQ(Different(run.observed.at(block), exact.back().observed.at(block)), 0u) << block;
    }
  }
  // The other mode's codes, for comparison: what an integer runtime that rounds its biases shows against AIMET.
  size_t before = 0;
  for (const size_t n : {1, 8, 29}) {
    const ValueId block = network.blocks()[n - 1];
    const size_t different = Different(exact[0].observed.at(block), exact[1].observed.at(block));
    std::cout << "block " << n << ": 0 of " << exact[0].observed.at(block).codes.size()
              << " codes differ in either bias mode; between the modes " << different << "\n";
    EXPECT_GT(different, before);
    before = different;
  }
}

// Lost ties make a third of the codes differ in the right mode, too, behind 29 blocks: the cause shows layer by layer.
TEST(DriftTest, ValidationNamesTheBias) {
  const int64_t side = Side(8);
  const std::shared_ptr<const Graph> graph = Network(side).Share();
  const testing::InputTensor image = Image(side);
  const ConstTensorView view = View(image);
  const auto layers = ReferenceLayers::Make(*graph, DeviceLayers(graph, view));
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  const auto validate = [&](BiasMode bias) {
    SessionOptions options;
    options.bias = bias;
    return Validate({Model(graph), options, {&view, 1}, *layers, SerialExecutor(), nullptr});
  };
  const auto drifted = validate(BiasMode::kFloat);
  ASSERT_TRUE(drifted.ok()) << drifted.status().message();
  EXPECT_TRUE(drifted->KernelsAgree());
  EXPECT_FALSE(drifted->Passed());
  ASSERT_TRUE(drifted->other_bias.has_value());
  EXPECT_EQ(drifted->other_bias->bias, BiasMode::kInt32);
  EXPECT_GT(drifted->other_bias->isolated.different, 0u);
  EXPECT_TRUE(drifted->BiasExplains());
  const auto same = validate(BiasMode::kInt32);
  ASSERT_TRUE(same.ok()) << same.status().message();
  EXPECT_TRUE(same->Passed());
  EXPECT_FALSE(same->BiasExplains());
  std::cout << "int32 layers with lost ties: isolated " << drifted->aimet_isolated.different << " of "
            << drifted->aimet_isolated.compared << " codes differ with float biases, "
            << drifted->other_bias->isolated.different << " with int32 ones; cumulative "
            << drifted->aimet_cumulative.different << " and " << drifted->other_bias->cumulative.different << "\n";
}

}  // namespace
}  // namespace lq
