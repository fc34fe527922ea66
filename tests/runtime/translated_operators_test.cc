// FoldShapes, ExpandOperators: what they make of a graph, and what they refuse.
#include <gtest/gtest.h>

#include "runtime/passes/passes.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/read_graph.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::GraphBuilder;
using testing::Operators;

using Names = std::vector<std::string>;

std::vector<int64_t> Integers(const Graph& graph, const Node& node, size_t input) {
  return graph.value(node.inputs[input]).constant->s64.ToVector();
}

class Shapes : public ::testing::Test {
 protected:
  // x (batch, 6, 4), its shape, and the number at `index` of it as a list of one.
  Shapes() { shape_ = builder_.Node("Shape", {x_}); }
  ValueId Dimension(int64_t index) {
    const ValueId at = builder_.Ints({index});
    builder_.graph().value(at).constant->shape = Shape{};
    const ValueId scalar = builder_.Node("Gather", {shape_, at}, {{"axis", int64_t{0}}});
    return builder_.Node("Unsqueeze", {scalar, builder_.Ints({0})});
  }
  void Reshape(std::vector<ValueId> parts) {
    const ValueId dims = builder_.Node("Concat", std::move(parts), {{"axis", int64_t{0}}});
    builder_.Output(builder_.Node("Reshape", {x_, dims}));
  }

  GraphBuilder builder_;
  ValueId x_ = builder_.Input({-1, 6, 4}), shape_;
};

TEST_F(Shapes, BecomeTheConstantOfAReshape) {
  const ValueId product = builder_.Node("Mul", {Dimension(1), Dimension(-1)});
  Reshape({Dimension(0), product});
  Graph& graph = builder_.graph();
  const Status status = FoldShapes(graph);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(Operators(graph), Names{"Reshape"});
  EXPECT_EQ(Integers(graph, graph.nodes[0], 1), (std::vector<int64_t>{-1, 24}));
}

TEST_F(Shapes, OpenDimensionsFollowFromTheOthers) {
  Reshape({Dimension(0), builder_.Ints({2, -1})});
  Graph& graph = builder_.graph();
  ASSERT_TRUE(FoldShapes(graph).ok());
  EXPECT_EQ(Integers(graph, graph.nodes[0], 1), (std::vector<int64_t>{-1, 2, 12}));
}

TEST_F(Shapes, OpenDimensionsComeFromTheFile) {
  const ValueId split = builder_.Node("Unknown", {x_}),
                dims = builder_.Node("Concat", {Dimension(0), builder_.Ints({2, -1})});
  builder_.Output(builder_.Node("Reshape", {split, dims}));
  Graph unknown = builder_.graph();
  ExpectUnsupported(FoldShapes(unknown), {"Reshape", "batch"});
  Graph& graph = builder_.graph();
  graph.value(graph.outputs[0]).shape = Shape{-1, 2, 12};
  ASSERT_TRUE(FoldShapes(graph).ok());
  EXPECT_EQ(Integers(graph, graph.nodes[1], 1), (std::vector<int64_t>{-1, 2, 12}));
}

// The heads of an attention: (batch, length, 6) -> (batch, length, 2, 3), and back behind a Transpose.
TEST_F(Shapes, SeveralDynamicDimensionsAreCopied) {
  builder_.graph().value(x_).shape = Shape{-1, -1, 6};
  const ValueId rows = Dimension(0), length = Dimension(1), all = Dimension(2);
  const ValueId heads =
      builder_.Node("Reshape", {x_, builder_.Node("Concat", {rows, length, builder_.Ints({2}),
                                                             builder_.Node("Div", {all, builder_.Ints({2})})})});
  const ValueId turned = builder_.Node("Transpose", {heads}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  const ValueId back = builder_.Node("Transpose", {turned}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  builder_.Output(builder_.Node("Reshape", {back, shape_}));
  const ValueId flat = builder_.Node("Concat", {builder_.Node("Mul", {rows, length}), builder_.Ints({6})});
  builder_.Output(builder_.Node("Reshape", {x_, flat}));
  builder_.Output(builder_.Node("Reshape", {turned, flat}));
  Graph& graph = builder_.graph();
  const Status status = FoldShapes(graph);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(Integers(graph, graph.nodes[0], 1), (std::vector<int64_t>{0, 0, 2, 3}));
  EXPECT_EQ(Integers(graph, graph.nodes[3], 1), (std::vector<int64_t>{0, 0, 6}));
  EXPECT_EQ(Integers(graph, graph.nodes[4], 1), (std::vector<int64_t>{-1, 6}));
  EXPECT_EQ(graph.value(turned).shape, (Shape{-1, 2, -1, 3}));
}

TEST_F(Shapes, StatesOfZerosAreLeftOut) {
  const ValueId zeros =
      builder_.Node("Expand", {builder_.Floats({1, 1, 1}, {0}),
                               builder_.Node("Concat", {builder_.Ints({1}), Dimension(0), builder_.Ints({3})})});
  const ValueId scale = builder_.Floats({}, {0.5f}), code = builder_.Ints({7});
  const ValueId state =
      builder_.Node("DequantizeLinear", {builder_.Node("QuantizeLinear", {zeros, scale, code}), scale, code});
  const ValueId weight = builder_.Floats({1, 9, 4}, {}), recurrent = builder_.Floats({1, 9, 3}, {});
  builder_.Output(
      builder_.Node("GRU", {x_, weight, recurrent, kAbsent, kAbsent, state}, {{"hidden_size", int64_t{3}}}));
  Graph& graph = builder_.graph();
  Graph other = graph, shifted = graph;
  ASSERT_TRUE(FoldShapes(graph).ok());
  EXPECT_EQ(Operators(graph), Names{"GRU"});
  EXPECT_EQ(graph.nodes[0].inputs[5], kAbsent);
  other.nodes.back().op = "Add";
  ASSERT_TRUE(FoldShapes(other).ok());
  EXPECT_EQ(Operators(other).back(), "Add");
  EXPECT_NE(other.nodes.back().inputs[5], kAbsent);
  shifted.nodes[shifted.nodes.size() - 2].inputs.pop_back();  // a zero point of its own: 3.5
  ExpectUnsupported(FoldShapes(shifted), {"DequantizeLinear", "QuantizeLinear", "zeros"});
}

TEST_F(Shapes, SlicesQuotientsAndSums) {
  const ValueId tail = builder_.Node(
      "Slice", {shape_, builder_.Ints({1}), builder_.Ints({100}), builder_.Ints({0}), builder_.Ints({1})});
  const ValueId half = builder_.Node("Div", {tail, builder_.Ints({2})});
  const ValueId sum = builder_.Node("Add", {half, builder_.Ints({0, 10})});
  Reshape({Dimension(0), builder_.Node("Sub", {sum, builder_.Ints({1})}),
           builder_.Node("Cast", {Dimension(2)}, {{"to", kOnnxInt64}})});
  Graph& graph = builder_.graph();
  ASSERT_TRUE(FoldShapes(graph).ok());
  EXPECT_EQ(Integers(graph, graph.nodes[0], 1), (std::vector<int64_t>{-1, 2, 11, 4}));
}

TEST_F(Shapes, CountsAndProducts) {
  const ValueId rank = builder_.Node("Unsqueeze", {builder_.Node("Size", {shape_}), builder_.Ints({0})});
  Reshape({builder_.Node("ReduceProd", {shape_}), rank});
  Graph& graph = builder_.graph();
  ASSERT_TRUE(FoldShapes(graph).ok());
  EXPECT_EQ(Integers(graph, graph.nodes[0], 1), (std::vector<int64_t>{-1, 3}));
}

// x.expand(-1, -1, 4) as PyTorch writes it.
TEST_F(Shapes, DimensionsThatAreChosen) {
  const ValueId minus = builder_.Ints({-1});
  const ValueId dims = builder_.Node("Reshape", {builder_.Node("Concat", {minus, minus, Dimension(2)}), minus});
  Constant one{DType::kS64, Shape{1}, {}, {1}};
  const ValueId ones = builder_.Node("ConstantOfShape", {builder_.Node("Shape", {dims})}, {{"value", one}});
  const ValueId same = builder_.Node("Equal", {dims, builder_.Node("Mul", {ones, minus})});
  builder_.Output(builder_.Node("Reshape", {x_, builder_.Node("Where", {same, shape_, dims})}));
  Graph& graph = builder_.graph();
  ASSERT_TRUE(FoldShapes(graph).ok());
  EXPECT_EQ(Operators(graph), Names{"Reshape"});
  EXPECT_EQ(Integers(graph, graph.nodes[0], 1), (std::vector<int64_t>{-1, 6, 4}));
}

TEST_F(Shapes, WhatAnInputHasIsKept) {
  const ValueId expanded = builder_.Node("Expand", {x_, shape_});
  const ValueId end = builder_.Node("Slice", {expanded, builder_.Ints({0}), Dimension(0), builder_.Ints({0})});
  const ValueId sizes = builder_.Node("Concat", {Dimension(0), builder_.Ints({12, 4})});
  builder_.Output(builder_.Node("Resize", {end, kAbsent, kAbsent, sizes}));
  Graph& graph = builder_.graph();
  const Status status = FoldShapes(graph);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(Integers(graph, graph.nodes[0], 1), (std::vector<int64_t>{1, 6, 4}));
  EXPECT_EQ(Integers(graph, graph.nodes[1], 2), std::vector<int64_t>{INT64_MAX});
  EXPECT_EQ(Integers(graph, graph.nodes[2], 3), (std::vector<int64_t>{-1, 12, 4}));
}

// The token that transformers of images begin with.
TEST_F(Shapes, AConstantIsRepeatedForTheBatch) {
  const ValueId dims = builder_.Node("Concat", {Dimension(0), builder_.Ints({1, 4})});
  const ValueId one = builder_.Floats({}, {1}), values = builder_.Floats({1, 1, 4}, {1, 2, 3, 4});
  const ValueId token = builder_.Node("Expand", {builder_.Node("QuantizeLinear", {values, one}), dims});
  builder_.Output(builder_.Node("Concat", {token, x_}, {{"axis", int64_t{1}}}));
  Graph other = builder_.graph();
  other.nodes.back().op = "MatMul";
  ExpectUnsupported(FoldShapes(other), {"MatMul", "Expand", "batch"});
  Graph& graph = builder_.graph();
  ASSERT_TRUE(FoldShapes(graph).ok());
  EXPECT_EQ(Operators(graph), (Names{"QuantizeLinear", "Identity", "Concat"}));
  EXPECT_EQ(graph.nodes[2].Int("repeats", 0), 1);
  EXPECT_EQ(graph.value(graph.outputs[0]).shape, (Shape{-1, 7, 4}));
}

TEST_F(Shapes, TheBatchGoesNowhereElse) {
  builder_.Output(builder_.Node("Tile", {x_, shape_}));
  ExpectUnsupported(FoldShapes(builder_.graph()), {"Tile", "Shape", "batch"});
}

// AIMET declares no shape of a tensor that it quantizes: here that of a group normalization's input.
TEST(InferredShapes, LeadToTheConstantOfAReshape) {
  GraphBuilder builder;
  const ValueId weight = builder.Floats({6, 3, 3, 2}, std::vector<float>(108)), one = builder.Floats({6, 1, 1}, {});
  const ValueId conv = builder.Node("Conv", {builder.Input({-1, 3, 9, 8}), weight},
                                    {{"pads", std::vector<int64_t>{1, 0, 1, 0}},
                                     {"strides", std::vector<int64_t>{2, 1}},
                                     {"dilations", std::vector<int64_t>{1, 2}}});
  const ValueId sum = builder.Node("Add", {one, builder.Node("Relu", {conv})});
  const ValueId groups = builder.Node("Reshape", {sum, builder.Ints({0, 2, -1})});
  builder.Output(builder.Node("Reshape", {groups, builder.Node("Shape", {sum})}));
  Graph& graph = builder.graph();
  const Status status = FoldShapes(graph);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(Integers(graph, graph.nodes.back(), 1), (std::vector<int64_t>{-1, 6, 5, 6}));
  EXPECT_EQ(graph.value(groups).shape, (Shape{-1, 2, 90}));
}

TEST(InferredShapes, AreLeftOpenWhereTheyAreNotKnown) {
  const auto shape = [](const std::string& op, const Shape& x, const Shape& y, const std::vector<int64_t>& dims,
                        const GraphBuilder::Attributes& attributes = {}) {
    GraphBuilder builder;
    const ValueId other = dims.empty() ? builder.Floats(y, {}) : builder.Ints(dims);
    const ValueId out = builder.Node(op, {builder.Input(x), other}, attributes);
    builder.Output(out);
    EXPECT_TRUE(FoldShapes(builder.graph()).ok());
    return builder.graph().value(out).shape;
  };
  EXPECT_EQ(shape("MatMul", {-1, 7, 4}, {4, 5}, {}), (Shape{-1, 7, 5}));
  EXPECT_EQ(shape("Gemm", {-1, 4}, {5, 4}, {}, {{"transB", int64_t{1}}}), (Shape{-1, 5}));
  EXPECT_EQ(shape("Gemm", {4, -1}, {4, 5}, {}, {{"transA", int64_t{1}}}), (Shape{-1, 5}));
  EXPECT_EQ(shape("MatMul", {-1, 4}, {3, 4, 5}, {}), (Shape{3, -1, 5}));
  EXPECT_EQ(shape("Reshape", {-1, 7, 4}, {}, {-1, 28}), (Shape{-1, 28}));
  EXPECT_EQ(shape("Reshape", {-1, 7, 4}, {}, {-1, 4}), (Shape{-1, 4}));
  EXPECT_EQ(shape("Reshape", {-1, 7, 4}, {}, {3, -1}), std::nullopt);  // no multiple of 3 for every batch
  EXPECT_EQ(shape("Reshape", {2, 7, 4}, {}, {-1, 14}), (Shape{4, 14}));
  EXPECT_EQ(shape("Add", {-1, 7, 4}, {3, 1}, {}), std::nullopt);
  EXPECT_EQ(shape("Conv", {-1, 3, 5}, {6, 3, 7}, {}), std::nullopt);  // wider than its input
  EXPECT_EQ(shape("Conv", {-1, 3, 9}, {6, 3, 7}, {}, {{"dilations", std::vector<int64_t>{INT64_MIN}}}), std::nullopt);
}

TEST(ExpandOperatorsTest, SplitBecomesSlices) {
  GraphBuilder builder;
  const ValueId x = builder.Input({2, 7});
  builder.Node("Split", {x, builder.Ints({3, 4})}, {{"axis", int64_t{1}}});
  Graph& graph = builder.graph();
  graph.values.emplace_back();
  graph.nodes[0].outputs.push_back(static_cast<ValueId>(graph.values.size() - 1));
  ASSERT_TRUE(ExpandOperators(graph).ok());
  ASSERT_EQ(Operators(graph), (Names{"Slice", "Slice"}));
  EXPECT_EQ(Integers(graph, graph.nodes[0], 2), std::vector<int64_t>{3});
  EXPECT_EQ(Integers(graph, graph.nodes[1], 1), std::vector<int64_t>{3});
  EXPECT_EQ(Integers(graph, graph.nodes[1], 2), std::vector<int64_t>{7});
  EXPECT_EQ(Integers(graph, graph.nodes[1], 3), std::vector<int64_t>{1});
}

TEST(ExpandOperatorsTest, EqualPartsNeedALength) {
  const auto split = [](const Shape& shape) {
    GraphBuilder builder;
    builder.Node("Split", {builder.Input(shape)}, {{"axis", int64_t{-1}}});
    Graph graph = builder.graph();
    graph.values.emplace_back();
    graph.nodes[0].outputs.push_back(static_cast<ValueId>(graph.values.size() - 1));
    const Status status = ExpandOperators(graph);
    return status.ok() ? Result<Graph>(graph) : status;
  };
  const Result<Graph> graph = split({2, 7});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(Integers(*graph, graph->nodes[1], 1), std::vector<int64_t>{4});  // 4 and 3, as ONNX has it
  EXPECT_EQ(Integers(*graph, graph->nodes[1], 2), std::vector<int64_t>{7});
  ExpectUnsupported(split({2, -1}).status(), {"Split", "axis -1"});
}

TEST(ExpandOperatorsTest, ManyOperandsBecomePairs) {
  GraphBuilder builder;
  const ValueId a = builder.Input({2}), b = builder.Input({2}), c = builder.Input({2});
  const ValueId most = builder.Node("Max", {a, b, c}), sum = builder.Node("Sum", {most, c});
  builder.Output(builder.Node("Min", {sum}));
  Graph& graph = builder.graph();
  ASSERT_TRUE(ExpandOperators(graph).ok());
  ASSERT_EQ(Operators(graph), (Names{"Max", "Max", "Add", "Identity"}));
  EXPECT_EQ(graph.nodes[0].inputs, (std::vector<ValueId>{a, b}));
  EXPECT_EQ(graph.nodes[1].inputs, (std::vector<ValueId>{graph.nodes[0].outputs[0], c}));
  EXPECT_EQ(graph.nodes[1].outputs[0], most);
}

TEST(ExpandOperatorsTest, ComputedBoundsOfAClipBecomeMaxAndMin) {
  GraphBuilder builder;
  const ValueId x = builder.Input({2}), low = builder.Input({1}), one = builder.Floats({}, {1});
  const ValueId both = builder.Node("Clip", {x, low, one}), lower = builder.Node("Clip", {both, low});
  builder.Output(builder.Node("Clip", {lower, one, one}));
  Graph& graph = builder.graph();
  ASSERT_TRUE(ExpandOperators(graph).ok());
  ASSERT_EQ(Operators(graph), (Names{"Max", "Min", "Max", "Clip"}));
  EXPECT_EQ(graph.nodes[0].inputs, (std::vector<ValueId>{x, low}));
  EXPECT_EQ(graph.nodes[1].inputs, (std::vector<ValueId>{graph.nodes[0].outputs[0], one}));
  EXPECT_EQ(graph.nodes[1].outputs[0], both);
  EXPECT_EQ(graph.nodes[2].outputs[0], lower);
}

TEST(ExpandOperatorsTest, TopKBecomesANodeForEachOutputThatIsRead) {
  GraphBuilder builder;
  const ValueId x = builder.Input({4}), k = builder.Ints({2});
  const ValueId values = builder.Node("TopK", {x, k});
  Graph& graph = builder.graph();
  graph.values.emplace_back();
  const auto indices = static_cast<ValueId>(graph.values.size() - 1);
  graph.nodes[0].outputs.push_back(indices);
  Graph one = graph;
  builder.Output(values);
  builder.Output(indices);
  one.outputs = {values};
  ASSERT_TRUE(ExpandOperators(graph).ok());
  EXPECT_EQ(Operators(graph), (Names{"TopKIndices", "TopK"}));
  EXPECT_EQ(graph.nodes[0].outputs, std::vector<ValueId>{indices});
  ASSERT_TRUE(ExpandOperators(one).ok());
  EXPECT_EQ(Operators(one), Names{"TopK"});
}

TEST(ExpandOperatorsTest, AutoPadOfConvTransposeBecomesPads) {
  const auto pads = [](const char* mode, int64_t stride) -> Result<std::vector<int64_t>> {
    GraphBuilder builder;
    const ValueId weight = builder.Floats({1, 1, 3, 4}, std::vector<float>(12));
    builder.Node("ConvTranspose", {builder.Input({1, 1, 5, 5}), weight},
                 {{"auto_pad", std::string(mode)}, {"strides", std::vector<int64_t>{stride, stride}}});
    const Status status = ExpandOperators(builder.graph());
    if (!status.ok()) return status;
    return builder.graph().nodes[0].Ints("pads", {});
  };
  // Output = stride * input: 3 - 2 and 4 - 2 cells too many.
  EXPECT_EQ(*pads("SAME_UPPER", 2), (std::vector<int64_t>{0, 1, 1, 1}));
  EXPECT_EQ(*pads("SAME_LOWER", 2), (std::vector<int64_t>{1, 1, 0, 1}));
  EXPECT_EQ(*pads("VALID", 2), std::vector<int64_t>{});
  ExpectUnsupported(pads("SAME_UPPER", 5).status(), {"ConvTranspose", "SAME_UPPER", "stride 5"});
}

}  // namespace
}  // namespace lq
