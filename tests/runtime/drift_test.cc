// The dense network of qualcomm/aimet issue 3978 (64 channels, 29 residual blocks), where a lost tie or another bias
// spreads over the receptive field of all that follows: kernels against the exact simulator of the same bias mode after
// each block.
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <memory>
#include <span>
#include <vector>

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

// 16 x 16 are a quarter of the network, which the soak runs.
TEST(DriftTest, KernelsHaveTheCodesOfTheirBiasMode) {
  const int64_t side = testing::Cases(1) > 1 ? 32 : 16;
  const Network network(side);
  testing::Random random(2);
  testing::InputTensor input{{1, 3, side, side}, {}};
  for (int64_t i = 0; i < input.shape.NumElements(); ++i) input.values.push_back(random.Float(-1, 1));
  const ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values))};
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

}  // namespace
}  // namespace lq
