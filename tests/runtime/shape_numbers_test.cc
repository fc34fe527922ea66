// Numbers made of lengths, and selections that only a run knows.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "runtime/passes/passes.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::ExpectInvalid;

TEST(FoldShapesTest, LeavesWhatItDoesNotCount) {
  testing::GraphBuilder builder;
  const ValueId shape = builder.Node("Shape", {builder.Input({-1, 1000})});
  const ValueId length = builder.Node("Gather", {shape, builder.Ints({1})});
  builder.Output(builder.Node("Range", {builder.Ints({-1000}), length, builder.Ints({1})}));  // 2000 numbers
  const Status status = FoldShapes(builder.graph());
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(builder.graph().nodes.size(), 1u);
  EXPECT_EQ(builder.graph().nodes[0].op, "Range");
}

TEST(FoldShapesTest, RefusesWhatIsNoNumberToFill) {
  testing::GraphBuilder builder;
  builder.Output(builder.Node("Expand", {kAbsent, builder.Node("Shape", {builder.Input({-1, -1})})}));
  testing::ExpectUnsupported(FoldShapes(builder.graph()), {"Expand", "Shape"});
}

// torch.ones(t, t): a constant to which zeros as long as the axes are added.
TEST(FoldShapesTest, NumbersOfDynamicLengths) {
  testing::GraphBuilder builder;
  const ValueId x = builder.Input({-1, -1}), shape = builder.Node("Shape", {x});
  const ValueId length = builder.Node("Gather", {shape, builder.Ints({1})}, {{"axis", int64_t{0}}});
  const ValueId square = builder.Node("Concat", {length, length}, {{"axis", int64_t{0}}});
  builder.Output(builder.Node("Expand", {builder.Floats({}, {2}), square}));
  const Status folded = FoldShapes(builder.graph());
  ASSERT_TRUE(folded.ok()) << folded.message();
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  for (const int64_t n : {1, 3}) {
    const std::vector<float> values(static_cast<size_t>(2 * n));
    const ConstTensorView view{DType::kF32, Shape{2, n}, std::as_bytes(std::span(values))};
    const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, SerialExecutor());
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    EXPECT_EQ(run.outputs[0], std::vector<float>(static_cast<size_t>(n * n), 2));
    EXPECT_EQ(testing::Simulate(builder.Share(), {{Shape{2, n}, values}}).outputs[0].values, run.outputs[0]);
  }
}

// What a session makes of a graph whose only output has these numbers, and the simulator too.
std::vector<float> Outputs(testing::GraphBuilder& builder, const std::vector<testing::InputTensor>& inputs) {
  const Status folded = FoldShapes(builder.graph());
  EXPECT_TRUE(folded.ok()) << folded.message();
  EXPECT_TRUE(FoldAliases(builder.graph()).ok());
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  EXPECT_TRUE(session.ok()) << session.status().message();
  if (!session.ok()) return {};
  std::vector<ConstTensorView> views;
  for (const testing::InputTensor& input : inputs) {
    views.emplace_back(DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values)));
  }
  const testing::SessionRun run = testing::RunSession(*session, views, SerialExecutor());
  EXPECT_TRUE(run.status.ok()) << run.status.message();
  if (!run.status.ok()) return {};
  EXPECT_EQ(testing::Simulate(builder.Share(), inputs).outputs[0].values, run.outputs[0]);
  return run.outputs[0];
}

class ShapeNumbersTest : public ::testing::Test {
 protected:
  ValueId Length(ValueId x, int64_t axis) {
    return builder_.Node("Gather", {builder_.Node("Shape", {x}), Scalar(axis)}, {{"axis", int64_t{0}}});
  }
  ValueId Scalar(int64_t value) {
    const ValueId id = builder_.Ints({value});
    builder_.graph().value(id).constant->shape = Shape();
    return id;
  }
  ValueId Cast(ValueId x, int64_t type) { return builder_.Node("Cast", {x}, {{"to", type}}); }
  ValueId List(const std::vector<ValueId>& scalars) {
    std::vector<ValueId> parts;
    for (ValueId id : scalars) parts.push_back(builder_.Node("Unsqueeze", {id, builder_.Ints({0})}));
    return builder_.Node("Concat", parts, {{"axis", int64_t{0}}});
  }
  // 0, 1, ... of this length, to which 0 is added.
  ValueId CountTo(ValueId length) {
    const ValueId range = builder_.Node("Range", {Scalar(0), length, Scalar(1)});
    return builder_.Node("Add", {Cast(range, kOnnxFloat), builder_.Floats({1}, {0})});
  }

  testing::GraphBuilder builder_;
};

// Exporters scale the lengths of images as floats.
TEST_F(ShapeNumbersTest, FloatsAreRoundedAsTheFileSays) {
  const struct {
    int64_t length;
    const char *combine, *round;
    float by, expected;
  } kCases[] = {{7, "Div", "Floor", 2, 3},      {7, "Div", "Ceil", 2, 4},      {7, "Div", "Round", 2, 4},
                {5, "Div", "Round", 2, 2},      {7, "Mul", "", 0.5f, 3},       {7, "Mul", "Floor", 1.5f, 10},
                {4, "Div", "Ceil", 8, 1},       {10, "Mul", "Floor", 0.1f, 1}, {9, "Sub", "Floor", 0.5f, 8},
                {41, "Mul", "Floor", 0.3f, 12}, {5, "Add", "Ceil", 0.5f, 6}};
  for (const auto& c : kCases) {
    builder_ = {};
    const ValueId x = builder_.Input({1, c.length});
    ValueId number = builder_.Node(c.combine, {Cast(Length(x, 1), kOnnxFloat), builder_.Floats({}, {c.by})});
    if (*c.round != '\0') number = builder_.Node(c.round, {number});
    builder_.Output(builder_.Node("Add", {x, Cast(Cast(number, kOnnxInt64), kOnnxFloat)}));
    const std::vector<float> zeros(static_cast<size_t>(c.length));
    EXPECT_EQ(Outputs(builder_, {{Shape{1, c.length}, zeros}}), std::vector<float>(zeros.size(), c.expected))
        << c.length << c.combine << c.by;
  }
}

TEST_F(ShapeNumbersTest, DynamicFloatsMayLeaveNoFraction) {
  for (const bool whole : {true, false}) {
    builder_ = {};
    const ValueId x = builder_.Input({-1, -1, 2}), twice = builder_.Floats({}, {whole ? 2.0f : 0.5f});
    const ValueId scaled = builder_.Node("Mul", {Cast(Length(x, 1), kOnnxFloat), twice});
    const ValueId length = Cast(builder_.Node("Floor", {scaled}), kOnnxInt64);
    builder_.Output(builder_.Node("Reshape", {x, List({Length(x, 0), length})}));
    if (!whole) {
      testing::ExpectUnsupported(FoldShapes(builder_.graph()), {"Floor", "dynamic"});
      continue;
    }
    const std::vector<float> values{1, 2, 3, 4, 5, 6};
    EXPECT_EQ(Outputs(builder_, {{Shape{1, 3, 2}, values}}), values);
  }
}

TEST_F(ShapeNumbersTest, NegativeNumbersMayEqualOthers) {
  const ValueId x = builder_.Input({-1, 4}), negative = builder_.Node("Mul", {Length(x, 0), Scalar(-1)});
  const ValueId is_one = builder_.Node("Equal", {negative, Scalar(-1)});
  const ValueId columns = builder_.Node("Where", {is_one, Scalar(2), Scalar(4)});
  builder_.Output(builder_.Node("Reshape", {x, List({Scalar(-1), columns})}));
  testing::ExpectUnsupported(FoldShapes(builder_.graph()), {"Equal", "dynamic"});
}

TEST_F(ShapeNumbersTest, ScalarsStayScalars) {
  const ValueId x = builder_.Input({-1, 3}), columns = Length(x, 1);
  const ValueId is_three = builder_.Node("Equal", {columns, Scalar(3)});
  const ValueId row = builder_.Node("Where", {is_three, Scalar(1), columns});
  const ValueId taken = builder_.Node("Gather", {x, row}, {{"axis", int64_t{1}}});  // one dimension less
  const ValueId shape = builder_.Node("Shape", {builder_.Node("Transpose", {taken})});
  builder_.Output(builder_.Node("Add", {taken, Cast(builder_.Node("Size", {shape}), kOnnxFloat)}));
  EXPECT_EQ(Outputs(builder_, {{Shape{2, 3}, {1, 2, 3, 4, 5, 6}}}), (std::vector<float>{3, 6}));
}

// The first operand may have one row, and then the sum those of the second.
TEST_F(ShapeNumbersTest, SumsAreAsLongAsTheLonger) {
  const ValueId sum = builder_.Node("Add", {builder_.Input({-1, 1}), builder_.Input({-1, 1})});
  builder_.Output(CountTo(Length(sum, 0)));
  EXPECT_EQ(Outputs(builder_, {{Shape{1, 1}, {5}}, {Shape{3, 1}, {1, 2, 3}}}), (std::vector<float>{0, 1, 2}));
}

// Of which the file says no more than that its length is dynamic.
TEST_F(ShapeNumbersTest, WhatIsComputedHasLengthsOfItsOwn) {
  const ValueId x = builder_.Input({-1, 1});
  const ValueId rest = builder_.Node("Slice", {x, builder_.Ints({1}), builder_.Ints({INT64_MAX}), builder_.Ints({0})});
  builder_.graph().value(rest).shape = Shape{-1, 1};
  builder_.Output(CountTo(Length(rest, 0)));
  EXPECT_EQ(Outputs(builder_, {{Shape{3, 1}, {1, 2, 3}}}), (std::vector<float>{0, 1}));
}

// The positions of a transformer: the begin of a table, as long as the sequence.
TEST_F(ShapeNumbersTest, TablesAreCutToDynamicLengths) {
  const ValueId x = builder_.Input({-1, -1, 1}), table = builder_.Floats({1, 4, 1}, {10, 20, 30, 40});
  const ValueId end = builder_.Node("Unsqueeze", {Length(x, 1), builder_.Ints({0})});
  builder_.Output(
      builder_.Node("Add", {x, builder_.Node("Slice", {table, builder_.Ints({0}), end, builder_.Ints({1})})}));
  EXPECT_EQ(Outputs(builder_, {{Shape{2, 3, 1}, {1, 2, 3, 4, 5, 6}}}), (std::vector<float>{11, 22, 33, 14, 25, 36}));
}

// What is the same for all points, beside each of them; the queries of a decoder, for each of a batch.
TEST_F(ShapeNumbersTest, ElementsAreRepeatedForDynamicLengths) {
  for (const char* op : {"Tile", "Expand"}) {
    builder_ = {};
    const ValueId x = builder_.Input({-1, 1, 1}), points = builder_.Input({-1, 2, -1});
    const ValueId one = Scalar(1), lengths = List({one, one, Length(points, 2)});
    builder_.Output(builder_.Node("Concat", {points, builder_.Node(op, {x, lengths})}, {{"axis", int64_t{1}}}));
    EXPECT_EQ(Outputs(builder_, {{Shape{1, 1, 1}, {9}}, {Shape{1, 2, 3}, {1, 2, 3, 4, 5, 6}}}),
              (std::vector<float>{1, 2, 3, 4, 5, 6, 9, 9, 9}));
  }
  builder_ = {};
  const ValueId x = builder_.Input({-1, 2}), lengths = List({Length(x, 0), Scalar(1)});
  const ValueId queries = builder_.Node("Tile", {builder_.Floats({1, 2}, {7, 8}), lengths});
  builder_.Output(builder_.Node("Concat", {x, queries}, {{"axis", int64_t{1}}}));
  EXPECT_EQ(Outputs(builder_, {{Shape{2, 2}, {1, 2, 3, 4}}}), (std::vector<float>{1, 2, 7, 8, 3, 4, 7, 8}));
}

// As ONNX Runtime 1.31: 6 * float(7 / 6) is 7, 1 / float(1 / 3) is 3; in binary64 both are a little less.
TEST(ResizeTest, CountsInFloats) {
  const struct {
    float scale;
    std::vector<float> in, out;
  } kCases[] = {{7.0f / 6, {0, 1, 2, 3, 4, 5}, {0, 0, 1, 2, 3, 4, 5}},
                {1.0f / 3, {0, 1, 2, 3, 4, 5, 6, 7, 8}, {0, 3, 6}}};
  for (const auto& c : kCases) {
    testing::GraphBuilder builder;
    const Shape shape{1, static_cast<int64_t>(c.in.size())};
    builder.Output(builder.Node(
        "Resize", {builder.Input(shape), kAbsent, builder.Floats({2}, {1, c.scale})},
        {{"coordinate_transformation_mode", std::string("asymmetric")}, {"nearest_mode", std::string("floor")}}));
    builder.graph().opset = 17;
    EXPECT_EQ(Outputs(builder, {{shape, c.in}}), c.out);
  }
}

TEST(SharedLengthsTest, OneNameIsOneLength) {
  testing::GraphBuilder builder;
  const ValueId x = builder.Input({-1, -1}), y = builder.Input({1, -1});
  builder.graph().value(x).symbols = {"n", "t"};
  builder.graph().value(y).symbols = {"", "t"};
  builder.Output(builder.Node("Add", {x, y}));
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  const Shape same[] = {{2, 3}, {1, 3}}, other[] = {{2, 3}, {1, 1}};
  EXPECT_TRUE(session->NewWorkspace(same, 1).ok());
  ExpectInvalid(session->NewWorkspace(other, 1).status(),
                {"'t' is 3 along axis 1 of input 'input0'", "1 along axis 1 of input 'input1'"});
  ExpectInvalid(testing::Simulate(builder, {{other[0], std::vector<float>(6)}, {other[1], {1}}}).status, {"'t' is 3"});
}

TEST(MovementTest, FlattenedLengthsFit) {
  testing::GraphBuilder builder;
  builder.Output(builder.Node("Flatten", {builder.Input({-1, -1, -1})}, {{"axis", int64_t{2}}}));
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  const Shape shape{Shape::kMaxDim, Shape::kMaxDim, 0};
  ExpectInvalid(session->NewWorkspace({&shape, 1}, 1).status(), {"Flatten", "overflows"});
}

// The boxes of the best scores: GatherElements along axis 1, and Gather, by indices that are computed.
TEST(SelectionTest, EqualsSimulator) {
  for (const bool coded : {false, true}) {
    const PerTensor e{{8, false}, 0.25f, -100};
    testing::GraphBuilder builder;
    const ValueId x = builder.Input({2, 4, 3}, coded ? std::optional<Encoding>(e) : std::nullopt),
                  indices = builder.Input({2, 2, 3});
    builder.Output(builder.Node("GatherElements", {x, indices}, {{"axis", int64_t{1}}}));
    builder.Output(builder.Node("Gather", {x, indices}, {{"axis", int64_t{-1}}}));
    const Result<Session> session = Session::Prepare(Model(builder.Share()));
    ASSERT_TRUE(session.ok()) << session.status().message();
    std::vector<float> values;
    for (int i = 0; i < 24; ++i) values.push_back(static_cast<float>(i) * 0.5f);
    std::vector<float> at{0, 1, 2, -1, -2, -3, 2, 2, 2, 1, 0, 1};
    const auto run = [&] {
      const ConstTensorView views[] = {{DType::kF32, Shape{2, 4, 3}, std::as_bytes(std::span(values))},
                                       {DType::kF32, Shape{2, 2, 3}, std::as_bytes(std::span(at))}};
      return testing::RunSession(*session, views, SerialExecutor());
    };
    const testing::SessionRun got = run();
    ASSERT_TRUE(got.status.ok()) << got.status.message();
    EXPECT_EQ(got.outputs[0], (std::vector<float>{0, 2, 4, 4.5f, 3.5f, 2.5f, 9, 9.5f, 10, 7.5f, 6.5f, 8.5f}));
    const testing::Simulated wanted =
        testing::Simulate(builder.Share(), {{Shape{2, 4, 3}, values}, {Shape{2, 2, 3}, at}});
    ASSERT_TRUE(wanted.status.ok()) << wanted.status.message();
    for (size_t i = 0; i < 2; ++i) EXPECT_EQ(got.outputs[i], wanted.outputs[i].values) << i;
    at[3] = 4;
    ExpectInvalid(run().status, {"index 4", "axis 1"});
  }
}

}  // namespace
}  // namespace lq
