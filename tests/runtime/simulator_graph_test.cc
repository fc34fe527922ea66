// The simulator's walk: which rule quantizes a tensor, what the observer sees and may change, what is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::GraphBuilder;
using testing::InputTensor;
using testing::Simulate;
using testing::Simulated;

const PerTensor kUnit{{8, false}, 1.0f, -128};

int32_t InputCode(float x, const PerTensor& encoding, RoundingProfile profile) {
  GraphBuilder g;
  const ValueId id = g.Input({1}, encoding);
  g.Output(id);
  const Simulated got = Simulate(g, {{{1}, {x}}}, {.profile = profile});
  EXPECT_TRUE(got.status.ok()) << got.status.message();
  return got.observed.at(id).codes[0];
}

TEST(SimulatorQuantize, InputsFollowTheProfile) {
  // aimet.md G5: fl32(0.1 / fl32(1/15)) is 1.5, to even 2; times fl32(1 / s) it is just below.
  const PerTensor fifteenth{{4, false}, 1.0f / 15.0f, 0};
  EXPECT_EQ(InputCode(0.1f, fifteenth, RoundingProfile::kAimetDiv), 2);
  EXPECT_EQ(InputCode(0.1f, fifteenth, RoundingProfile::kAimetFakequant), 1);
  // Halves: to even, but up under aimet_onnx.
  const PerTensor signed_unit{{8, true}, 1.0f, 0};
  const float halves[] = {-1.5f, -0.5f, 0.5f, 2.5f};
  const int32_t to_even[] = {-2, 0, 0, 2}, up[] = {-1, 0, 1, 3};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(InputCode(halves[i], signed_unit, RoundingProfile::kAimetDiv), to_even[i]);
    EXPECT_EQ(InputCode(halves[i], signed_unit, RoundingProfile::kAimetOnnx), up[i]);
  }
}

TEST(SimulatorQuantize, RealTensorsDivideInBinary64UnderTheProfile) {
  // y = 1.5 * 1 exactly.
  GraphBuilder g;
  const ValueId x = g.Input({1, 1}, PerTensor{{8, true}, 0.5f, 0});
  const ValueId tie =
      g.Node("MatMul", {x, g.Floats({1, 1}, {1}, PerTensor{{8, true}, 1, 0})}, {}, PerTensor{{8, true}, 1, 0});
  g.Output(tie);
  const std::vector<InputTensor> input{{{1, 1}, {0.5f}}};
  EXPECT_EQ(Simulate(g, input).observed.at(tie).codes[0], 0);
  EXPECT_EQ(Simulate(g, input, {.profile = RoundingProfile::kAimetFakequant}).observed.at(tie).codes[0], 0);
  EXPECT_EQ(Simulate(g, input, {.profile = RoundingProfile::kAimetOnnx}).observed.at(tie).codes[0], 1);
}

TEST(SimulatorQuantize, RequantizesCodedTensorsInFloat32) {
  const PerTensor from{{16, false}, 0.1f, 0};
  for (float scale : {0.1f, 0.2f, 0.3f, 0.7f}) {
    const PerTensor to{{8, false}, scale, -3};
    GraphBuilder g;
    const ValueId x = g.Input({256}, from), moved = g.Node("Identity", {x}, {}, to);
    const ValueId again = g.Node("Reshape", {moved, g.Ints({16, 16})}, {}, to);
    g.Output(again);
    InputTensor input{{256}, {}};
    for (int w = 0; w < 256; ++w) input.values.push_back(static_cast<float>(w) * 0.1f);
    const Simulated got = Simulate(g, {input}, {.record = true});
    ASSERT_TRUE(got.status.ok()) << got.status.message();
    for (size_t w = 0; w < 256; ++w) {
      const float t = input.values[w] / scale;
      EXPECT_EQ(got.observed.at(moved).t[w], static_cast<double>(t));
      EXPECT_EQ(got.observed.at(moved).codes[w], std::min<long>(std::lrint(t) + 3, 255));
      EXPECT_EQ(got.observed.at(again).codes[w], got.observed.at(moved).codes[w]);
    }
  }
}

TEST(SimulatorQuantize, UnencodedSumsAreNotNarrowedToFloat32) {
  // y = 2^22 + 1.5 - 2^-10: float32 would make it 2^22 + 1.5, a tie that goes up to even.
  GraphBuilder g;
  const PerTensor thousandths{{16, true}, 1.0f / 1024, 0};
  const ValueId x = g.Input({1, 1}, kUnit), w = g.Floats({1, 1}, {1535.0f / 1024}, thousandths);
  const ValueId gemm = g.Node("Gemm", {x, w, g.Floats({1}, {4194304.0f})});
  const ValueId out = g.Node("Relu", {gemm}, {}, PerTensor{{8, false}, 1.0f, 4194304 - 100});
  g.Output(out);
  const Simulated got = Simulate(g, {{{1, 1}, {1}}});
  ASSERT_TRUE(got.status.ok()) << got.status.message();
  EXPECT_EQ(got.observed.at(out).codes[0], 101);
}

TEST(SimulatorObserver, SeesEncodedActivationsInOrderAndMayReplaceThem) {
  GraphBuilder g;
  const ValueId x = g.Input({2}, kUnit);
  const ValueId sum = g.Node("Add", {x, g.Floats({}, {10}, kUnit)});
  const ValueId relu = g.Node("Relu", {sum}, {}, kUnit), twice = g.Node("Add", {relu, relu}, {}, kUnit);
  g.Output(twice);
  const Simulated plain = Simulate(g, {{{2}, {1, -20}}});
  EXPECT_EQ(plain.order, (std::vector<ValueId>{x, relu, twice}));  // neither constants nor the unencoded sum
  EXPECT_EQ(plain.outputs[0].values, (std::vector<float>{22, 0}));
  EXPECT_TRUE(plain.observed.at(relu).t.empty());

  Result<Simulator> simulator = Simulator::Prepare(g.Share(), {});
  ASSERT_TRUE(simulator.ok());
  const float values[] = {1, -20};
  const ConstTensorView input(DType::kF32, {2}, std::as_bytes(std::span<const float>(values)));
  const auto run = [&](int32_t code, size_t codes) {
    return simulator->Run({&input, 1}, [&](ObservedTensor& seen) {
      if (seen.id == relu) seen.codes.assign(codes, code);
    });
  };
  const Result<std::vector<Simulator::Output>> replaced = run(133, 2);
  ASSERT_TRUE(replaced.ok());
  EXPECT_EQ((*replaced)[0].values, (std::vector<float>{10, 10}));
  EXPECT_EQ(run(256, 2).status().message(), "'Relu1_output': the observer wrote code 256 outside 0..255");
  EXPECT_EQ(run(0, 3).status().message(), "'Relu1_output': the observer left 3 codes of 2");
}

std::string Refusal(const GraphBuilder& g, const std::vector<InputTensor>& inputs) {
  const Simulated got = Simulate(g, inputs);
  EXPECT_FALSE(got.status.ok());
  return got.status.message();
}

TEST(SimulatorErrors, NameTheNodeOrTensorAndWhatIsSupported) {
  const std::vector<InputTensor> input{{{1, 2}, {1, 2}}};
  GraphBuilder unknown;
  unknown.Output(unknown.Node("Hardmax", {unknown.Input({1, 2}, kUnit)}));
  const std::string refusal = Refusal(unknown, input);
  EXPECT_EQ(refusal.find("Hardmax 'Hardmax0' of tensor 'Hardmax0_output': the simulator does not run this operator, "
                         "only Abs Add And ArgMax ArgMin AveragePool "),
            0u)
      << refusal;

  GraphBuilder per_channel;
  per_channel.Output(
      per_channel.Node("Relu", {per_channel.Input({1, 2}, kUnit)}, {}, PerChannel{{8, true}, 1, {1, 1}, {0, 0}}));
  EXPECT_EQ(Refusal(per_channel, input),
            "activation 'Relu0_output' is s8 per channel, 2 channels, but only per-tensor encodings are supported");

  GraphBuilder unsorted;
  const ValueId x = unsorted.Input({1, 2}, kUnit);
  const ValueId first = unsorted.Node("Relu", {x}), second = unsorted.Node("Relu", {first});
  std::swap(unsorted.graph().nodes[0], unsorted.graph().nodes[1]);
  unsorted.Output(second);
  EXPECT_EQ(Refusal(unsorted, input), "tensor 'Relu0_output' is used before any node or input makes it");

  GraphBuilder addends;
  addends.Output(addends.Node("Add", {addends.Input({1, 2}, kUnit), addends.Floats({3}, {1, 2, 3})}));
  EXPECT_EQ(Refusal(addends, input), "Add 'Add0' of tensor 'Add0_output': shapes (1, 2) and (3) do not broadcast");
}

TEST(SimulatorErrors, ChecksInputsAgainstTheDeclaredShape) {
  GraphBuilder g;
  g.Output(g.Node("Relu", {g.Input({-1, 2}, kUnit)}));
  EXPECT_TRUE(Simulate(g, {{{3, 2}, std::vector<float>(6)}}).status.ok());
  EXPECT_EQ(Refusal(g, {{{2, 3}, std::vector<float>(6)}}),
            "input 'input0' has shape (2, 3), but the model needs (-1, 2)");
  EXPECT_EQ(Refusal(g, {{{2, 2}, std::vector<float>(3)}}), "input 'input0': 12 bytes, but shape (2, 2) of f32");
  EXPECT_EQ(Refusal(g, {}), "0 inputs, but the model has 1");
}

}  // namespace
}  // namespace lq
