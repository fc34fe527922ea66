// FoldNodes: what it makes of constants, and what it refuses. TranslateBoundaries: codes that cross the boundary.
#include <gtest/gtest.h>

#include <cmath>

#include "lanequant/model.h"
#include "runtime/passes/passes.h"
#include "tests/support/attach_folded.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::GraphBuilder;

constexpr float kInfinity = __builtin_inff();

class FoldNodesTest : public ::testing::Test {
 protected:
  // The constant that the node's output becomes.
  const Constant& Folded(ValueId id) {
    const Status status = FoldNodes(builder_.graph());
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(builder_.graph().nodes.empty());
    return builder_.graph().value(id).constant.value();
  }

  ValueId Integer(int64_t value) {
    const ValueId id = builder_.Ints({value});
    builder_.graph().value(id).constant->shape = Shape{};
    return id;
  }

  GraphBuilder builder_;
};

// As PyTorch exports a causal mask.
TEST_F(FoldNodesTest, MakesACausalMask) {
  const ValueId ones = builder_.Node("Expand", {builder_.Ints({1}), builder_.Ints({3, 3})});
  const ValueId lower = builder_.Node("Trilu", {ones, Integer(0)}, {{"upper", int64_t{0}}});
  const ValueId hidden = builder_.Node("Equal", {lower, Integer(0)});
  const ValueId mask = builder_.Node("Where", {hidden, builder_.Floats({}, {-kInfinity}), builder_.Floats({}, {0.0f})});
  const Constant& folded = Folded(mask);
  EXPECT_EQ(folded.shape, (Shape{3, 3}));
  EXPECT_EQ(folded.f32, (std::vector<float>{0, -kInfinity, -kInfinity, 0, 0, -kInfinity, 0, 0, 0}));
}

TEST_F(FoldNodesTest, IntegersStayIntegers) {
  const ValueId range = builder_.Node("Range", {Integer(2), Integer(9), Integer(3)});
  const ValueId sum = builder_.Node("Add", {range, Integer(1)});
  const Constant& folded = Folded(sum);
  EXPECT_EQ(folded.dtype, DType::kS64);
  EXPECT_EQ(folded.s64, (std::vector<int64_t>{3, 6, 9}));
}

TEST_F(FoldNodesTest, QuotientsOfIntegersAreTruncated) {
  const ValueId quotient = builder_.Node("Div", {builder_.Ints({7, -7, 6}), builder_.Ints({2})});
  const ValueId sum = builder_.Node("Add", {quotient, Integer(1)});
  TruncateQuotients(builder_.graph());
  const Constant& folded = Folded(sum);
  EXPECT_EQ(folded.dtype, DType::kS64);
  EXPECT_EQ(folded.s64, (std::vector<int64_t>{4, -2, 4}));
}

TEST_F(FoldNodesTest, QuotientsOfIntegersOfTheRunAreTruncated) {
  for (const bool integers : {true, false}) {
    builder_ = {};
    const ValueId x = builder_.Input({3}), two = integers ? builder_.Ints({2}) : builder_.Floats({1}, {2});
    if (integers) builder_.graph().value(x).file_type = DType::kS64;
    builder_.Output(builder_.Node("Div", {x, two}));
    TruncateQuotients(builder_.graph());
    ASSERT_TRUE(FoldNodes(builder_.graph()).ok());
    const testing::Simulated run = testing::Simulate(builder_, {{Shape{3}, {7, -7, 16777215}}});
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    const std::vector<float> truncated{3, -3, 8388607}, quotients{3.5f, -3.5f, 8388607.5f};
    EXPECT_EQ(run.outputs[0].values, integers ? truncated : quotients);
  }
}

// Operators of other domains make floats of codes.
TEST_F(FoldNodesTest, QuotientsOfDecodedTablesAreFloats) {
  const ValueId words = builder_.Node("GatherBlockQuantized", {builder_.Ints({1, 2, 3}), builder_.Input({1})});
  builder_.graph().nodes.back().domain = "com.microsoft";
  builder_.Output(builder_.Node("Div", {words, builder_.Floats({1}, {2})}));
  TruncateQuotients(builder_.graph());
  EXPECT_EQ(builder_.graph().nodes.back().op, "Div");
}

// Both operands are rounded to their grids; the sum has an encoding of its own, which rounds it where it is read.
TEST_F(FoldNodesTest, QuantizedConstantsAreComputedWith) {
  const PerTensor halves{{8, true}, 0.5f, 0}, ones{{8, true}, 1.0f, 0};
  const ValueId sum = builder_.Node(
      "Add", {builder_.Floats({2}, {0.6f, 1.3f}, halves), builder_.Floats({2}, {0.6f, 1.3f}, halves)}, {}, ones);
  const Constant& folded = Folded(sum);
  EXPECT_EQ(folded.f32, (std::vector<float>{1, 3}));
  EXPECT_EQ(builder_.graph().value(sum).encoding, Encoding(ones));
  const ValueId root = builder_.Node("Sqrt", {builder_.Floats({1}, {6.3f}, ones)}, {}, halves);
  EXPECT_EQ(Folded(root).f32, std::vector<float>{2.5f});  // of the square root of 6
}

TEST_F(FoldNodesTest, RealsStayReals) {
  const Constant& folded = Folded(builder_.Node("Sqrt", {builder_.Floats({1}, {2.0f})}));
  EXPECT_EQ(folded.dtype, DType::kF64);
  EXPECT_EQ(folded.f64, std::vector<double>{std::sqrt(2.0)});
}

TEST_F(FoldNodesTest, RefusesWhatFloatsDoNotHold) {
  GraphBuilder large;
  large.Node("Add", {large.Input({1}), large.Ints({int64_t{1} << 40})});
  ExpectUnsupported(FoldNodes(large.graph()), {"Add", "1099511627776", "16777216"});
}

TEST_F(FoldNodesTest, RefusesVeryManyElements) {
  builder_.Node("ConstantOfShape", {builder_.Ints({1 << 14, 1 << 14})});
  ExpectUnsupported(FoldNodes(builder_.graph()), {"ConstantOfShape", "(16384, 16384)", "67108864"});
}

// The gates of an LSTM, of one encoding, and its two directions, of two.
TEST_F(FoldNodesTest, MovesQuantizedConstants) {
  const PerTensor fine{{8, true}, 0.25f, 0}, coarse{{8, true}, 0.5f, 0};
  const ValueId a = builder_.Floats({2}, {0.3f, 1}, fine), b = builder_.Floats({2}, {0.3f, 2}, coarse);
  const ValueId same = builder_.Node("Concat", {a, a}, {{"axis", int64_t{0}}}, fine);
  const ValueId differing = builder_.Node("Concat", {same, b}, {{"axis", int64_t{0}}});
  const Constant& folded = Folded(differing);
  EXPECT_EQ(folded.f32, (std::vector<float>{0.25f, 1, 0.25f, 1, 0.5f, 2}));
  EXPECT_FALSE(builder_.graph().value(differing).encoding.has_value());
  EXPECT_EQ(builder_.graph().value(same).constant->f32, (std::vector<float>{0.3f, 1, 0.3f, 1}));
  EXPECT_EQ(std::get<PerTensor>(builder_.graph().value(same).encoding.value()), fine);
}

// aimet_onnx quantizes what masks and factors are computed of, and what comes out.
TEST_F(FoldNodesTest, ComputesWithQuantizedConstants) {
  const PerTensor e{{8, false}, 0.25f, 0};
  const ValueId root = builder_.Node("Sqrt", {builder_.Floats({1}, {8.9f}, e)}, {}, e);  // of 9
  const Constant& folded = Folded(builder_.Node("Div", {builder_.Floats({1}, {1.1f}, e), root}));
  ASSERT_EQ(folded.f32.size(), 1u);
  EXPECT_EQ(folded.f32[0], 1.0f / 3.0f);
  EXPECT_EQ(builder_.graph().value(root).constant->f32, (std::vector<float>{3}));
  EXPECT_EQ(std::get<PerTensor>(builder_.graph().value(root).encoding.value()), e);
}

// Exports without constant folding turn the weight of a linear layer: its scales go with its rows.
TEST_F(FoldNodesTest, TurnsWeights) {
  const PerChannel rows{{8, true}, 0, {0.5f, 0.25f}, {0, 0}};
  const PerBlock blocks{{4, true}, 0, 1, 2, {1, 2, 3, 4}, {0, 0, 0, 0}};
  const ValueId weight = builder_.Floats({2, 3}, {1, 2, 3, 4, 5, 6}, rows);
  const ValueId turned = builder_.Node("Transpose", {weight}, {{"perm", std::vector<int64_t>{1, 0}}});
  const ValueId wide = builder_.Floats({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}, blocks);
  const ValueId long_one = builder_.Node("Transpose", {wide}, {{"perm", std::vector<int64_t>{1, 0}}});
  const Status status = FoldNodes(builder_.graph());
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(builder_.graph().nodes.empty());
  const Value& by_channel = builder_.graph().value(turned);
  EXPECT_EQ(by_channel.constant->shape, (Shape{3, 2}));
  EXPECT_EQ(by_channel.constant->f32, (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(std::get<PerChannel>(*by_channel.encoding), (PerChannel{{8, true}, 1, {0.5f, 0.25f}, {0, 0}}));
  const PerBlock expected{{4, true}, 1, 0, 2, {1, 2, 3, 4}, {0, 0, 0, 0}};
  EXPECT_EQ(std::get<PerBlock>(*builder_.graph().value(long_one).encoding), expected);
}

// What AIMET's export of a tied embedding holds: `values` in both, whatever their quantizers are.
std::vector<std::string> NotesOnTied(std::vector<float> values, std::optional<Encoding> embedding,
                                     std::optional<Encoding> head) {
  GraphBuilder builder;
  const ValueId table = builder.Floats({3, 2}, values, std::move(embedding));
  const ValueId words = builder.Node("Gather", {table, builder.Input({4})}, {{"axis", int64_t{0}}});
  std::vector<float> turned;
  for (size_t i : {0, 2, 4, 1, 3, 5}) turned.push_back(values[i]);
  builder.Output(builder.Node("MatMul", {words, builder.Floats({2, 3}, turned, std::move(head))}));
  NoteTiedWeights(builder.graph());
  return builder.graph().notes;
}

TEST(NoteTiedWeightsTest, NamesTheMatrixOfWhichTheFloatsAreLost) {
  const PerTensor quarters{{8, false}, 0.25f, -100};
  const PerChannel words{{8, true}, 1, {0.3f, 0.2f, 0.1f}, {0, 0, 0}};
  const PerBlock block{{4, true}, 1, 0, 2, {0.3f, 0.2f, 0.1f}, {0, 0, 0}};
  const std::vector<float> rounded{0.25f, -1, 2.5f, 0.75f, 1.25f, -3.25f}, by_word{0.3f, -0.6f, 0.4f, 0.2f, 0.1f, 0.7f},
      raw{0.27f, -1.1f, 2.4f, 0.7f, 1.3f, -3.2f};
  for (const std::optional<Encoding>& head :
       {std::optional<Encoding>(words), std::optional<Encoding>(block), std::optional<Encoding>()}) {
    const std::vector<std::string> notes = NotesOnTied(rounded, quarters, head);
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_EQ(notes[0].rfind("'constant3' and 'constant0' are one tied matrix", 0), 0u) << notes[0];
  }
  const std::vector<std::string> notes = NotesOnTied(by_word, quarters, words);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].rfind("'constant0' and 'constant3' are one tied matrix", 0), 0u) << notes[0];
  EXPECT_TRUE(NotesOnTied(rounded, quarters, quarters).empty());  // both quantizers leave them as they are
  EXPECT_TRUE(NotesOnTied(raw, quarters, words).empty());         // the floats are there
}

// 127 * float(2 / 127) is 2 in float32, but no integer in binary64.
TEST_F(FoldNodesTest, ExponentsAreFloats) {
  const ValueId two = builder_.Floats({}, {2}, PerTensor{{8, true}, 2.0f / 127, 0});
  builder_.Output(builder_.Node("Pow", {builder_.Input({2}), two}));
  ASSERT_TRUE(FoldNodes(builder_.graph()).ok());
  EXPECT_EQ(testing::Simulate(builder_, {{Shape{2}, {-3, 4}}}).outputs[0].values, (std::vector<float>{9, 16}));
}

// Both ways of the same numbers: the simulator's outputs, bit by bit from the kernels.
std::vector<float> RunBoth(const GraphBuilder& builder, const testing::InputTensor& input) {
  const testing::Simulated expected = testing::Simulate(builder, {input});
  EXPECT_TRUE(expected.status.ok()) << expected.status.message();
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  EXPECT_TRUE(session.ok()) << session.status().message();
  if (!expected.status.ok() || !session.ok()) return {};
  const ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values))};
  const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, SerialExecutor());
  EXPECT_TRUE(run.status.ok()) << run.status.message();
  EXPECT_EQ(run.outputs[0], expected.outputs[0].values);
  return run.outputs[0];
}

class Boundaries : public ::testing::Test {
 protected:
  ValueId Codes(DType type, int64_t zero_point) {
    const ValueId id = builder_.Ints({zero_point});
    builder_.graph().value(id).constant->shape = Shape{};
    builder_.graph().value(id).constant->file_type = type;
    return id;
  }
  ValueId CodesInput(const Shape& shape, DType type) {
    const ValueId id = builder_.Input(shape);
    builder_.graph().value(id).file_type = type;
    return id;
  }
  void Translate() {
    TranslateBoundaries(builder_.graph());
    testing::AttachFolded(builder_.graph());
  }

  GraphBuilder builder_;
};

// Codes in, codes of another scale out: (q - 3) * 0.1, halved, under a scale of 0.04 around -20.
TEST_F(Boundaries, CodesComeAndGoAsNumbers) {
  const ValueId in = CodesInput({6}, DType::kU8), scale = builder_.Floats({}, {0.1f}), zero = Codes(DType::kU8, 3);
  const ValueId x = builder_.Node("DequantizeLinear", {in, scale, zero});
  const ValueId half = builder_.Node("Mul", {x, builder_.Floats({}, {0.5f})});
  builder_.Output(builder_.Node("QuantizeLinear", {half, builder_.Floats({}, {0.04f}), Codes(DType::kS8, -20)}));
  Translate();
  // rint((q - 3) * 1.25) - 20: 0 -> -3.75, 3 -> 0, 5 -> 2.5 (in float32 2.5), 103, 255 (clamped)
  EXPECT_EQ(RunBoth(builder_, {{6}, {0, 3, 4, 103, 254, 255}}), (std::vector<float>{-24, -20, -19, 105, 127, 127}));
}

TEST_F(Boundaries, WideCodesAreExact) {
  const ValueId in = CodesInput({4}, DType::kU16);
  const ValueId scale = builder_.Floats({}, {0.0071f}), zero = Codes(DType::kU16, 40000);
  const ValueId x = builder_.Node("DequantizeLinear", {in, scale, zero});
  builder_.Output(builder_.Node("QuantizeLinear", {x, scale, zero}));
  Translate();
  const std::vector<float> codes{0, 39999, 40001, 65535};
  EXPECT_EQ(RunBoth(builder_, {{4}, codes}), codes);
}

TEST(GatherTest, TakesRowsByNumbersOfTheCaller) {
  for (const bool coded : {false, true}) {
    GraphBuilder builder;
    const std::optional<Encoding> encoding = PerTensor{{8, true}, 0.5f, 0};
    const ValueId table = builder.Floats({3, 2}, {0, 1, 10, 11, 20, 21}, coded ? encoding : std::nullopt);
    builder.Output(builder.Node("Gather", {table, builder.Input({2, 2})}));
    EXPECT_EQ(RunBoth(builder, {{2, 2}, {2, 0, -1, 1}}), (std::vector<float>{20, 21, 0, 1, 20, 21, 10, 11}));
  }
}

TEST(GatherTest, RefusesIndicesThatDoNotExist) {
  GraphBuilder builder;
  builder.Output(builder.Node("Gather", {builder.Floats({3, 2}, {0, 1, 2, 3, 4, 5}), builder.Input({1})}));
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  for (const float index : {3.0f, -4.0f, kInfinity, __builtin_nanf("")}) {
    const testing::InputTensor input{{1}, {index}};
    ExpectInvalid(testing::Simulate(builder, {input}).status, {"Gather", "axis 0"});
    const ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values))};
    ExpectInvalid(testing::RunSession(*session, {&view, 1}, SerialExecutor()).status, {"Gather", "axis 0", "(3, 2)"});
  }
}

}  // namespace
}  // namespace lq
