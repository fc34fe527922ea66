// ExpandOperators; lengths and selections that only a run knows.
#include <gtest/gtest.h>

#include "runtime/passes/passes.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::ExpectInvalid;

// A ConvTranspose of a (1, 2, 5, 5) image with a window of 3 x 3 and stride 2.
Node Expanded(const testing::GraphBuilder::Attributes& attributes, bool quantized = false) {
  testing::GraphBuilder builder;
  const ValueId x = builder.Input({1, 2, 5, 5});
  ValueId weight = builder.Floats({2, 1, 3, 3}, std::vector<float>(18));
  if (quantized) weight = builder.Node("DequantizeLinear", {weight, builder.Floats({}, {1})});
  testing::GraphBuilder::Attributes all = attributes;
  all.emplace("strides", std::vector<int64_t>{2, 2});
  builder.Output(builder.Node("ConvTranspose", {x, weight}, all));
  const Status status = ExpandOperators(builder.graph());
  EXPECT_TRUE(status.ok()) << status.message();
  return builder.graph().nodes.back();
}

using Numbers = std::vector<int64_t>;

TEST(ExpandOperatorsTest, TransposedConvolutionsOfAGivenLength) {
  // Without pads the output is 2 * 4 + 3 = 11 long. As ONNX Runtime 1.31 has it, the larger half is in front.
  const Node eight = Expanded({{"output_shape", Numbers{8, 12}}});
  EXPECT_EQ(eight.Ints("pads", {}), (Numbers{2, 0, 1, 0}));
  EXPECT_EQ(eight.Ints("output_padding", {}), (Numbers{0, 1}));
  EXPECT_EQ(eight.attributes.count("output_shape"), 0u);
  const Node upper = Expanded({{"output_shape", Numbers{8, 11}}, {"auto_pad", std::string("SAME_UPPER")}});
  EXPECT_EQ(upper.Ints("pads", {}), (Numbers{1, 0, 2, 0}));
  for (const bool quantized : {false, true}) {  // 10 long, whatever the input is
    EXPECT_EQ(Expanded({{"auto_pad", std::string("SAME_UPPER")}}, quantized).Ints("pads", {}), (Numbers{0, 0, 1, 1}));
    EXPECT_EQ(Expanded({{"auto_pad", std::string("SAME_LOWER")}}, quantized).Ints("pads", {}), (Numbers{1, 1, 0, 0}));
  }
}

TEST(ExpandOperatorsTest, OperandsThatMove) {
  testing::GraphBuilder builder;
  const ValueId x = builder.Input({3, 4}), weight = builder.Floats({3, 2}, std::vector<float>(6));
  const ValueId rows = builder.Ints({2, 0});
  builder.graph().value(rows).constant->shape = Shape{2, 1};
  builder.Output(builder.Node("Gemm", {x, weight}, {{"transA", int64_t{1}}}));
  builder.Output(builder.Node("GatherND", {x, rows}));
  const Status status = ExpandOperators(builder.graph());
  ASSERT_TRUE(status.ok()) << status.message();
  const Graph& graph = builder.graph();
  ASSERT_EQ(graph.nodes.size(), 3u);
  EXPECT_EQ(graph.nodes[0].op, "Transpose");
  EXPECT_EQ(graph.nodes[1].inputs[0], graph.nodes[0].outputs[0]);
  EXPECT_EQ(graph.nodes[1].attributes.count("transA"), 0u);
  EXPECT_EQ(graph.nodes[2].op, "Gather");
  EXPECT_EQ(graph.value(graph.nodes[2].inputs[1]).constant->shape, Shape{2});
}

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

// To dynamic lengths only a constant is filled: nothing, or what a quantizer makes of one, is refused.
TEST(FoldShapesTest, RefusesWhatIsNoNumberToFill) {
  for (const bool quantized : {false, true}) {
    testing::GraphBuilder builder;
    const ValueId shape = builder.Node("Shape", {builder.Input({-1, -1})}), scale = builder.Floats({}, {1});
    const ValueId number = quantized ? builder.Node("DequantizeLinear", {builder.Floats({}, {1}), scale}) : kAbsent;
    builder.Output(builder.Node("Expand", {number, shape}));
    testing::ExpectUnsupported(FoldShapes(builder.graph()), {"Expand", "Shape"});
  }
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
