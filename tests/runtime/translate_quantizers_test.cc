// TranslateExtendedQuantizers: Quark's quantizers with 16-bit floats as codes. TranslateQOperators: operators on codes
// as ONNX Runtime writes them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "runtime/passes/float_rounding.h"
#include "runtime/passes/passes.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/read_graph.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::GraphBuilder;
using testing::Operators;

using Names = std::vector<std::string>;

struct Network {
  Network(DType type, float scale, const std::vector<float>& constant);

  GraphBuilder builder;
  ValueId folded = kAbsent;  // the constant behind its nodes
};

// x and a constant through a pair of nodes each.
Network::Network(DType type, float scale, const std::vector<float>& constant) {
  const ValueId x = builder.Input({static_cast<int64_t>(constant.size())});
  const ValueId s = builder.Floats({}, {scale}), zero = builder.Floats({}, {0});
  builder.graph().value(zero).constant->file_type = type;
  const auto pair = [&](ValueId id) {
    const ValueId codes = builder.Node("ExtendedQuantizeLinear", {id, s, zero});
    return builder.Node("ExtendedDequantizeLinear", {codes, s, zero});
  };
  const ValueId c = builder.Floats({static_cast<int64_t>(constant.size())}, constant);
  builder.Output(pair(x));
  folded = pair(c);
  for (Node& node : builder.graph().nodes) node.domain = "com.amd.quark";
}

TEST(TranslateExtendedTest, RoundsConstantsAndActivationsAlike) {
  const float inf = std::numeric_limits<float>::infinity();
  struct Case {
    DType type;
    float x, rounded;
  };
  for (const Case& c : {Case{DType::kBF16, 1 + 0x1p-8f, 1},
                        {DType::kBF16, 1 + 0x3p-8f, 1 + 0x1p-6f},
                        {DType::kBF16, inf, 0x1.fep127f},
                        {DType::kBF16, -0x1.ffp127f, -0x1.fep127f},
                        {DType::kBF16, 0x1p-133f, 0x1p-133f},
                        {DType::kBF16, 0x1p-134f, 0},
                        {DType::kF16, 1 + 0x1p-11f, 1},
                        {DType::kF16, 1 + 0x3p-11f, 1 + 0x1p-9f},
                        {DType::kF16, 65520, 65504},
                        {DType::kF16, -1e9f, -65504},
                        {DType::kF16, 0x1p-24f, 0x1p-24f},
                        {DType::kF16, 0x3p-25f, 0x1p-23f},
                        {DType::kF16, 0x1p-25f, 0}}) {
    Network network(c.type, 1, {c.x, -c.x});
    const Result<bool> found = TranslateExtendedQuantizers(network.builder.graph());
    ASSERT_TRUE(found.ok()) << found.status().message();
    EXPECT_TRUE(*found);
    const std::vector<testing::InputTensor> inputs = {{{2}, {c.x, -c.x}}};
    const testing::Simulated run = testing::Simulate(network.builder, inputs);
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    const std::vector<float> rounded = {c.rounded, -c.rounded};
    EXPECT_EQ(run.outputs[0].values, rounded) << c.x;
    EXPECT_EQ(network.builder.graph().value(network.folded).constant->f32, rounded) << c.x;
  }
  EXPECT_TRUE(std::isnan(RoundToFormat(NAN, kHalf)));
}

TEST(TranslateExtendedTest, IntegersAreOnnxs) {
  Network network(DType::kU8, 0.5f, {1});
  GraphBuilder& builder = network.builder;
  const Result<bool> found = TranslateExtendedQuantizers(builder.graph());
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_FALSE(*found);
  EXPECT_EQ(builder.graph().nodes[0].op, "QuantizeLinear");
  EXPECT_EQ(builder.graph().nodes[1].op, "DequantizeLinear");
  EXPECT_EQ(builder.graph().nodes[1].domain, "");
}

TEST(TranslateExtendedTest, RefusesScaledBfloat16) {
  Network bfloat(DType::kBF16, 0.5f, {1}), half(DType::kF16, 0.5f, {1});
  ExpectUnsupported(TranslateExtendedQuantizers(bfloat.builder.graph()).status(),
                    {"ExtendedQuantizeLinear", "scale", "not 1"});
  EXPECT_TRUE(TranslateExtendedQuantizers(half.builder.graph()).ok());  // Quark ignores it
}

// Codes (direction, input, gates) become weights (direction, gates, input).
TEST(TranslateDynamicLstmTest, TakesTheWeightsThatTheCodesStandFor) {
  const auto integers = [](GraphBuilder& builder, const Shape& shape, std::vector<int64_t> values) {
    const ValueId id = builder.Ints(std::move(values));
    builder.graph().value(id).constant->shape = shape;
    return id;
  };
  for (const bool per_row : {false, true}) {
    GraphBuilder builder;
    const ValueId w = integers(builder, {1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}),
                  r = integers(builder, {1, 1, 4}, {9, 8, 7, 6}), none = kAbsent;
    const std::vector<float> scales = per_row ? std::vector<float>{1, 2, 4, 8} : std::vector<float>{0.5f};
    const Shape shape{1, static_cast<int64_t>(scales.size())};
    const ValueId scale = builder.Floats(shape, scales),
                  zero = integers(builder, shape, std::vector<int64_t>(scales.size(), 1));
    const ValueId x = builder.Input({3, 1, 2});
    builder.Output(builder.Node("DynamicQuantizeLSTM",
                                {x, w, r, none, none, none, none, none, scale, zero, scale, zero},
                                {{"hidden_size", int64_t{1}}}));
    Graph& graph = builder.graph();
    graph.nodes[0].domain = "com.microsoft";
    const Result<bool> found = TranslateDynamicLstm(graph);
    ASSERT_TRUE(found.ok()) << found.status().message();
    EXPECT_TRUE(*found);
    EXPECT_EQ(graph.nodes[0].op, "LSTM");
    EXPECT_EQ(graph.notes.size(), 1u);
    const Constant &weight = *graph.value(graph.nodes[0].inputs[1]).constant,
                   &state = *graph.value(graph.nodes[0].inputs[2]).constant;
    EXPECT_EQ(weight.shape, (Shape{1, 4, 2}));
    EXPECT_EQ(weight.f32, per_row ? (std::vector<float>{0, 4, 2, 10, 8, 24, 24, 56})
                                  : (std::vector<float>{0, 2, 0.5f, 2.5f, 1, 3, 1.5f, 3.5f}));
    EXPECT_EQ(state.f32, per_row ? (std::vector<float>{8, 14, 24, 40}) : (std::vector<float>{4, 3.5f, 3, 2.5f}));
    EXPECT_TRUE(testing::Simulate(builder, {{{3, 1, 2}, std::vector<float>(6, 1)}}).status.ok());
  }
}

TEST(TranslateDynamicLstmTest, RefusesWhatDoesNotFit) {
  GraphBuilder builder;
  const ValueId x = builder.Input({3, 1, 2}), one = builder.Ints({1}), scale = builder.Floats({1}, {1});
  builder.Output(builder.Node("DynamicQuantizeLSTM",
                              {x, one, one, kAbsent, kAbsent, kAbsent, kAbsent, kAbsent, scale, one, scale, one}));
  builder.graph().nodes[0].domain = "com.microsoft";
  ExpectUnsupported(TranslateDynamicLstm(builder.graph()).status(), {"DynamicQuantizeLSTM", "input 1"});
  builder.graph().nodes[0].inputs.pop_back();
  ExpectInvalid(TranslateDynamicLstm(builder.graph()).status(), {"11 inputs"});
}

class QOperators : public ::testing::Test {
 protected:
  ValueId Scale(float value) { return builder_.Floats({}, {value}); }
  ValueId Zero() {
    const ValueId id = builder_.Ints({128});
    builder_.graph().value(id).constant->file_type = DType::kU8;
    return id;
  }
  ValueId Codes() { return builder_.Node("QuantizeLinear", {builder_.Input({1, 4}), Scale(0.5f), Zero()}); }
  std::vector<ValueId> Gemm(ValueId codes) {
    const ValueId bias = builder_.Ints({6, -7});
    const ValueId weight = builder_.Ints({1, 2, 3, 4, 5, 6, 7, 8});
    builder_.graph().value(weight).constant->shape = Shape{4, 2};
    return {codes, Scale(0.5f), Zero(), weight, builder_.Floats({2}, {0.25f, 2.0f}), kAbsent, bias, Scale(3), Zero()};
  }

  GraphBuilder builder_;
};

TEST_F(QOperators, BecomeDequantizeOperateQuantize) {
  const ValueId result = builder_.Node("QGemm", Gemm(Codes()), {{"alpha", 2.0f}});
  Graph& graph = builder_.graph();
  graph.nodes[1].domain = "com.microsoft";
  const std::string name = graph.value(result).name;
  const Status status = TranslateQOperators(graph);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(Operators(graph),
            (Names{"QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "Gemm", "QuantizeLinear"}));
  const Node& gemm = graph.nodes[3];
  EXPECT_EQ(gemm.domain, "");
  EXPECT_EQ(gemm.Float("alpha", 1), 2.0f);
  EXPECT_EQ(graph.nodes[2].Int("axis", 9), 1);  // columns of B
  EXPECT_EQ(graph.value(gemm.outputs[0]).name, name);
  const Constant& bias = *graph.value(gemm.inputs[2]).constant;
  EXPECT_EQ(bias.f64, (std::vector<double>{6 * 2 * 0.5 * 0.25, -7 * 2 * 0.5 * 2}));
}

TEST_F(QOperators, MovementOfCodesIsThatOfValues) {
  const ValueId moved = builder_.Node("Reshape", {Codes(), builder_.Ints({4})});
  builder_.Node("QLinearSigmoid", {moved, Scale(0.5f), Zero(), Scale(1), Zero()});
  Graph& graph = builder_.graph();
  ASSERT_TRUE(TranslateQOperators(graph).ok());
  EXPECT_EQ(Operators(graph), (Names{"QuantizeLinear", "DequantizeLinear", "Reshape", "QuantizeLinear",
                                     "DequantizeLinear", "Sigmoid", "QuantizeLinear"}));
}

TEST_F(QOperators, PadPutsInACode) {
  const ValueId padded = builder_.Node("Pad", {Codes(), builder_.Ints({0, 1, 0, 1}), Zero()});
  builder_.Node("QLinearSigmoid", {padded, Scale(0.5f), Zero(), Scale(1), Zero()});
  Graph& graph = builder_.graph();
  ASSERT_TRUE(TranslateQOperators(graph).ok());
  EXPECT_EQ(Operators(graph), (Names{"QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "Pad", "QuantizeLinear",
                                     "DequantizeLinear", "Sigmoid", "QuantizeLinear"}));
  EXPECT_EQ(graph.nodes[3].inputs[2], graph.nodes[2].outputs[0]);
}

TEST_F(QOperators, RefusesWhatTheyCannotSay) {
  const auto translate = [](Graph graph) { return TranslateQOperators(graph); };
  std::vector<ValueId> inputs = Gemm(Codes());
  inputs[4] = kAbsent;
  builder_.Node("QGemm", inputs);
  ExpectInvalid(translate(builder_.graph()), {"QGemm", "input 4"});
  builder_.graph().nodes.pop_back();
  inputs = Gemm(inputs[0]);
  inputs[6] = inputs[0];  // a computed bias
  builder_.Node("QGemm", inputs);
  ExpectUnsupported(translate(builder_.graph()), {"QGemm", "bias"});
  builder_.graph().nodes.pop_back();
  inputs = Gemm(inputs[0]);
  builder_.graph().value(inputs[4]).constant = Constant{DType::kF32, Shape{3}, {1, 2, 3}, {}};
  builder_.Node("QGemm", inputs);
  ExpectInvalid(translate(builder_.graph()), {"QGemm", "3 scales", "2 numbers"});
  builder_.graph().nodes.pop_back();
  builder_.Node("QLinearGlobalAveragePool", {inputs[0], Scale(1), Zero(), Scale(1), Zero()},
                {{"channels_last", int64_t{1}}});
  ExpectUnsupported(translate(builder_.graph()), {"QLinearGlobalAveragePool", "channels_last"});
}

}  // namespace
}  // namespace lq
