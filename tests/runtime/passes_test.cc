// FoldConstants, RemoveDeadNodes, SortNodes, FoldAliases, SplitCopies, RoundToHalves, WidenImages, and chains that must
// not recurse. The other passes have files of their own.
#include "runtime/passes/passes.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/read_graph.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::FindValue;
using testing::FloatTensor;
using testing::HasValue;
using testing::NodeNames;
using testing::OnnxGraph;
using testing::OnnxNode;
using testing::OnnxValue;
using testing::Proto;
using testing::ReadGraph;

using Names = std::vector<std::string>;

// A graph x -> y of these nodes.
Graph GraphOf(const std::vector<Proto>& nodes, const std::vector<Proto>& initializers = {}) {
  return ReadGraph({nodes, initializers, {OnnxValue("x", {-1, 4})}, {OnnxValue("y", {-1, 4})}});
}

Proto ConstantNode(const Proto& attribute) { return OnnxNode("Constant", "constant", {}, {"c"}, {attribute}); }

Constant FoldedConstant(const Proto& attribute) {
  Graph graph = GraphOf({ConstantNode(attribute), OnnxNode("Add", "add", {"x", "c"}, {"y"})});
  const Status status = FoldConstants(graph);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(NodeNames(graph), Names{"add"});
  return FindValue(graph, "c").constant.value_or(Constant{});
}

TEST(FoldConstantsTest, FoldsEveryAttribute) {
  const Constant tensor = FoldedConstant(testing::TensorAttribute("value", FloatTensor("", {2, 1}, {3, 4})));
  EXPECT_EQ(tensor.shape, (Shape{2, 1}));
  EXPECT_EQ(tensor.f32, (std::vector<float>{3, 4}));
  const Constant one_float = FoldedConstant(testing::FloatAttribute("value_float", 1.5f));
  EXPECT_EQ(one_float.shape.rank(), 0u);
  EXPECT_EQ(one_float.f32, std::vector<float>{1.5f});
  const Constant one_int = FoldedConstant(testing::IntAttribute("value_int", -7));
  EXPECT_EQ(one_int.dtype, DType::kS64);
  EXPECT_EQ(one_int.s64, std::vector<int64_t>{-7});
  const Constant ints = FoldedConstant(testing::IntsAttribute("value_ints", {1, 2, 3}));
  EXPECT_EQ(ints.shape, Shape{3});
  EXPECT_EQ(ints.s64, (std::vector<int64_t>{1, 2, 3}));
  const Constant floats = FoldedConstant(Proto().Bytes(1, "value_floats").Int(20, 6).Float(7, 1).Float(7, 2));
  EXPECT_EQ(floats.shape, Shape{2});
  EXPECT_EQ(floats.f32, (std::vector<float>{1, 2}));
}

TEST(FoldConstantsTest, RefusesWhatIsNoTensor) {
  const auto fold = [](const Proto& node) {
    Graph graph = GraphOf({node, OnnxNode("Add", "add", {"x", "c"}, {"y"})});
    return FoldConstants(graph);
  };
  ExpectUnsupported(fold(ConstantNode(testing::StringAttribute("value_string", "s"))),
                    {"Constant 'constant' of tensor 'c'", "value_string", "value_float"});
  ExpectUnsupported(fold(ConstantNode(testing::IntAttribute("value_float", 1))), {"'value_float'"});
  ExpectInvalid(fold(OnnxNode("Constant", "constant", {}, {"c"})), {"0 attributes"});
  ExpectInvalid(fold(OnnxNode("Constant", "constant", {"x"}, {"c"}, {testing::IntAttribute("value_int", 1)})),
                {"1 inputs"});
}

TEST(FoldConstantsTest, RefusesTwoConstantsOfOneName) {
  Graph graph =
      GraphOf({ConstantNode(testing::IntAttribute("value_int", 1)), OnnxNode("Add", "add", {"x", "c"}, {"y"})},
              {FloatTensor("c", {1}, {1})});
  ExpectInvalid(FoldConstants(graph), {"'c'", "another constant"});
}

TEST(RemoveDeadNodesTest, KeepsWhatReachesAnOutput) {
  Graph graph = GraphOf({OnnxNode("Identity", "dead1", {"w"}, {"a"}), OnnxNode("Relu", "live1", {"x"}, {"b"}),
                         OnnxNode("Identity", "dead2", {"a"}, {"d"}), OnnxNode("Add", "live2", {"b", "v"}, {"y"})},
                        {FloatTensor("w", {1}, {1}), FloatTensor("v", {1}, {2})});
  ASSERT_TRUE(RemoveDeadNodes(graph).ok());
  EXPECT_EQ(NodeNames(graph), (Names{"live1", "live2"}));
  EXPECT_FALSE(HasValue(graph, "w"));
  EXPECT_FALSE(HasValue(graph, "a"));
  EXPECT_FALSE(HasValue(graph, "d"));
  ASSERT_EQ(graph.values.size(), 4u);  // x, b, v, y
  EXPECT_EQ(graph.value(graph.nodes[1].inputs[1]).name, "v");
  EXPECT_EQ(graph.value(graph.nodes[1].inputs[1]).constant->f32, std::vector<float>{2});
  EXPECT_EQ(graph.value(graph.inputs[0]).name, "x");
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
}

TEST(RemoveDeadNodesTest, EndsOnCyclesAndKeepsUnusedInputs) {
  Graph graph = ReadGraph({{OnnxNode("Add", "a", {"q", "x"}, {"p"}), OnnxNode("Add", "b", {"p", ""}, {"q"}),
                            OnnxNode("Relu", "c", {"q"}, {"y"})},
                           {},
                           {OnnxValue("x", {1}), OnnxValue("unused", {1})},
                           {OnnxValue("y", {1})}});
  ASSERT_TRUE(RemoveDeadNodes(graph).ok());
  EXPECT_EQ(graph.nodes.size(), 3u);
  EXPECT_EQ(graph.nodes[1].inputs[1], kAbsent);
  EXPECT_EQ(graph.value(graph.inputs[1]).name, "unused");
}

TEST(RemoveDeadNodesTest, LeavesGoldenModelWithItsLayers) {
  auto graph = ReadOnnx(testing::GoldenPath("digits_cnn/w4a8_lpbq/model.onnx"));
  ASSERT_TRUE(graph.ok());
  ASSERT_TRUE(FoldConstants(*graph).ok());
  ASSERT_TRUE(RemoveDeadNodes(*graph).ok());
  EXPECT_EQ(graph->nodes.size(), 18u);  // 29 - 9 dead Identity - 2 Constant
  EXPECT_FALSE(HasValue(*graph, "pointwise.conv.param_quantizers.weight.offset"));
}

TEST(SortNodesTest, SortsAndKeepsTheOrderOfSortedGraphs) {
  Graph graph = GraphOf({OnnxNode("Relu", "3", {"b"}, {"y"}), OnnxNode("Relu", "1", {"x"}, {"a"}),
                         OnnxNode("Add", "2", {"a", "x"}, {"b"})});
  ASSERT_TRUE(SortNodes(graph).ok());
  EXPECT_EQ(NodeNames(graph), (Names{"1", "2", "3"}));
  // b and c could be swapped; they are not.
  Graph sorted = GraphOf({OnnxNode("Relu", "a", {"x"}, {"p"}), OnnxNode("Relu", "c", {"p"}, {"q"}),
                          OnnxNode("Relu", "b", {"p"}, {"r"}), OnnxNode("Add", "d", {"q", "r"}, {"y"})});
  ASSERT_TRUE(SortNodes(sorted).ok());
  EXPECT_EQ(NodeNames(sorted), (Names{"a", "c", "b", "d"}));
}

TEST(SortNodesTest, SortsAChainOf100000BackwardsWithoutRecursion) {
  Graph graph;
  constexpr ValueId kLength = 100000;
  for (ValueId i = 0; i <= kLength; ++i) graph.values.push_back({"v" + std::to_string(i), {}, {}, {}, {}});
  for (ValueId i = kLength; i-- > 0;) graph.nodes.push_back({std::to_string(i), "Relu", "", {i}, {i + 1}, {}});
  graph.inputs = {0};
  graph.outputs = {kLength};
  ASSERT_TRUE(RemoveDeadNodes(graph).ok());
  ASSERT_TRUE(SortNodes(graph).ok());
  for (size_t i = 0; i < kLength; ++i) ASSERT_EQ(graph.nodes[i].name, std::to_string(i));
}

TEST(TranslateQOperatorsTest, FollowsAChainOf100000MovementsWithoutRecursion) {
  testing::GraphBuilder builder;
  ValueId codes = builder.Ints({1, 2});
  builder.graph().value(codes).constant->file_type = DType::kU8;
  constexpr size_t kLength = 100000;
  for (size_t i = 0; i < kLength; ++i) codes = builder.Node("Identity", {codes});
  builder.Output(builder.Node("DequantizeLinear", {codes, builder.Floats({}, {0.5f})}));
  Graph& graph = builder.graph();
  ASSERT_TRUE(TranslateQOperators(graph).ok());
  ASSERT_EQ(graph.nodes.size(), 2 * kLength + 1);
  EXPECT_EQ(graph.nodes[kLength].op, "DequantizeLinear");
  EXPECT_EQ(graph.nodes.back().outputs[0], graph.outputs[0]);
}

TEST(SortNodesTest, NamesACycle) {
  Graph graph = GraphOf({OnnxNode("Relu", "before", {"x"}, {"a"}), OnnxNode("Add", "first", {"a", "q"}, {"p"}),
                         OnnxNode("Relu", "second", {"p"}, {"q"}), OnnxNode("Relu", "behind", {"q"}, {"y"})});
  ExpectInvalid(SortNodes(graph), {"Add 'first' of tensor 'p'", "cycle", "3 of 4 nodes"});
  Graph itself = GraphOf({OnnxNode("Relu", "self", {"y"}, {"y"})});
  ExpectInvalid(SortNodes(itself), {"Relu 'self'", "1 of 1 nodes"});
}

TEST(SortNodesTest, NamesMissingAndDoubleProducers) {
  Graph missing = GraphOf({OnnxNode("Add", "add", {"x", "ghost"}, {"y"})});
  ExpectInvalid(SortNodes(missing), {"Add 'add'", "'ghost'"});
  Graph no_output = GraphOf({OnnxNode("Relu", "relu", {"x"}, {"z"})});
  ExpectInvalid(SortNodes(no_output), {"graph output 'y'"});
  Graph twice = GraphOf({OnnxNode("Relu", "one", {"x"}, {"y"}), OnnxNode("Relu", "two", {"x"}, {"y"})});
  ExpectInvalid(SortNodes(twice), {"'y'", "'one'", "'two'"});
  Graph over_input = GraphOf({OnnxNode("Relu", "one", {"x"}, {"x"}), OnnxNode("Relu", "two", {"x"}, {"y"})});
  ExpectInvalid(SortNodes(over_input), {"'x'", "graph input or constant", "'one'"});
  Graph over_constant = GraphOf({OnnxNode("Relu", "one", {"x"}, {"c"}), OnnxNode("Add", "two", {"x", "c"}, {"y"})},
                                {FloatTensor("c", {1}, {1})});
  ExpectInvalid(SortNodes(over_constant), {"'c'", "graph input or constant", "'one'"});
  Graph constant_input = GraphOf({OnnxNode("Constant", "k", {}, {"x"}, {testing::FloatAttribute("value_float", 1)}),
                                  OnnxNode("Relu", "r", {"x"}, {"y"})});
  ASSERT_TRUE(FoldConstants(constant_input).ok());
  ExpectInvalid(SortNodes(constant_input), {"graph input 'x'", "Constant"});
}

// y = (x W) V with W = V by two names.
class Aliases : public ::testing::Test {
 protected:
  void SetUp() override {
    const ValueId x = builder_.Input({1, 2});
    weight_ = builder_.Floats({2, 2}, {0.4f, 1.2f, -0.7f, 2.6f});
    alias_ = builder_.Node("Identity", {weight_});
    const ValueId other = builder_.Node("Identity", {alias_});
    builder_.Output(builder_.Node("MatMul", {builder_.Node("MatMul", {x, weight_}), other}));
  }
  Graph Folded() {
    Graph graph = builder_.graph();
    const Status status = FoldAliases(graph);
    EXPECT_TRUE(status.ok()) << status.message();
    return graph;
  }
  std::optional<Encoding>& EncodingOf(ValueId id) { return builder_.graph().value(id).encoding; }

  testing::GraphBuilder builder_;
  ValueId weight_, alias_;
};

TEST_F(Aliases, AreTheConstant) {
  EncodingOf(weight_) = PerChannel{{8, true}, 1, {1, 1}, {0, 0}};
  EncodingOf(alias_) = EncodingOf(weight_);
  const Graph graph = Folded();
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[1].inputs[1], weight_);
  EXPECT_FALSE(graph.value(alias_).constant.has_value());
}

TEST_F(Aliases, WithAnotherEncodingAreConstantsOfTheirOwn) {
  EncodingOf(alias_) = PerTensor{{8, true}, 0.5f, 0};
  const Graph graph = Folded();
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[0].inputs[1], weight_);
  EXPECT_EQ(graph.nodes[1].inputs[1], alias_);
  EXPECT_EQ(graph.value(alias_).constant->f32, graph.value(weight_).constant->f32);
}

TEST_F(Aliases, QuantizeWhatWasQuantized) {
  EncodingOf(weight_) = PerTensor{{8, true}, 1.0f, 0};
  EncodingOf(alias_) = PerTensor{{8, true}, 0.3f, 0};
  EXPECT_EQ(Folded().value(alias_).constant->f32, (std::vector<float>{0, 1, -1, 3}));
  EncodingOf(weight_) = PerChannel{{8, true}, 1, {1, 0.5f}, {0, 0}};
  EXPECT_EQ(Folded().value(alias_).constant->f32, (std::vector<float>{0, 1, -1, 2.5f}));
  EncodingOf(weight_) = PerBlock{{8, true}, 1, 0, 2, {1, 1}, {0, 0}};
  ExpectUnsupported(FoldAliases(builder_.graph()), {"constant1", "per block"});
}

TEST_F(Aliases, MayBeOutputs) {
  builder_.Output(alias_);
  const Graph graph = Folded();
  ASSERT_EQ(graph.nodes.size(), 3u);
  EXPECT_EQ(graph.nodes[0].outputs[0], alias_);
}

// Relu(x) is read in 8 bits by one MatMul and, by AIMET's other name of it, in 4 bits by the next.
class Copies : public ::testing::Test {
 protected:
  void SetUp() override {
    source_ = builder_.Node("Relu", {builder_.Input({1, 2})}, {}, PerTensor{{8, false}, 0.25f, 0});
    copy_ = builder_.Node("Identity", {source_}, {}, PerTensor{{4, false}, 0.5f, 0});
    const ValueId w = builder_.Floats({2, 2}, {1, 2, 3, 4});
    builder_.Output(builder_.Node("MatMul", {source_, w}));
    builder_.Output(builder_.Node("MatMul", {copy_, w}));
    Name(source_, "t");
    Name(copy_, "t_dup_0");
  }
  void Name(ValueId id, const std::string& name) { builder_.graph().value(id).name = name; }

  testing::GraphBuilder builder_;
  ValueId source_, copy_;
};

TEST_F(Copies, RoundTheTensorItself) {
  Graph& graph = builder_.graph();
  SplitCopies(graph);
  ASSERT_EQ(graph.nodes.size(), 5u);
  EXPECT_EQ(graph.nodes[1].op, "Identity");
  const ValueId rounded = graph.nodes[1].outputs[0];
  EXPECT_EQ(graph.nodes[1].inputs[0], source_);
  EXPECT_EQ(graph.nodes[2].inputs[0], source_);
  EXPECT_EQ(graph.nodes[3].inputs[0], rounded);
  EXPECT_EQ(graph.nodes[4].inputs[0], copy_);
  EXPECT_EQ(graph.value(rounded).name, "t");
  EXPECT_EQ(graph.value(rounded).encoding, Encoding(PerTensor{{8, false}, 0.25f, 0}));
  EXPECT_FALSE(graph.value(source_).encoding.has_value());
}

TEST_F(Copies, OfAnInputLeaveItItsName) {
  Graph& graph = builder_.graph();
  graph.nodes.erase(graph.nodes.begin());
  graph.inputs = {source_};
  SplitCopies(graph);
  ASSERT_EQ(graph.nodes.size(), 4u);
  EXPECT_EQ(graph.value(source_).name, "t");
  EXPECT_EQ(graph.nodes[2].inputs[0], graph.nodes[0].outputs[0]);
  EXPECT_EQ(graph.value(graph.nodes[0].outputs[0]).name, "t rounded");
}

TEST_F(Copies, OfAGraphOutputRoundWhatItGives) {
  builder_.Output(source_);
  SplitCopies(builder_.graph());
  EXPECT_EQ(builder_.graph().nodes.size(), 4u);
  EXPECT_EQ(builder_.graph().nodes[1].inputs[0], source_);
}

TEST_F(Copies, OfAConstantAreConstants) {
  Graph& graph = builder_.graph();
  graph.nodes.erase(graph.nodes.begin());
  graph.value(source_).constant = Constant{DType::kF32, Shape{1, 2}, {0.1f, 0.7f}, {}};
  SplitCopies(graph);
  ASSERT_TRUE(FoldAliases(graph).ok());
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.value(copy_).constant->f32, (std::vector<float>{0.1f, 0.7f}));
}

TEST_F(Copies, AreThoseOfThatNameAndAnotherEncoding) {
  for (const char* name : {"t_dup_", "t_dup_x", "s_dup_0", "t_alias", "t"}) {
    Name(copy_, name);
    SplitCopies(builder_.graph());
    EXPECT_EQ(builder_.graph().nodes.size(), 4u) << name;
  }
  Name(copy_, "t_dup_12");
  builder_.graph().value(copy_).encoding = builder_.graph().value(source_).encoding;
  SplitCopies(builder_.graph());
  EXPECT_EQ(builder_.graph().nodes.size(), 4u);
}

TEST(RoundToHalvesTest, RoundsConstantsAndPutsNodesBehindActivations) {
  testing::GraphBuilder builder;
  const ValueId x = builder.Input({1, 2}), w = builder.Floats({2, 1}, {1 + 0x1p-12f, 1e6f});
  const ValueId y = builder.Node("MatMul", {x, w});
  builder.Output(y);
  Graph& graph = builder.graph();
  const auto entry = [&](ValueId id, int bits) {
    EncodingEntry half;
    half.name = graph.value(id).name;
    half.bitwidth = bits;
    half.is_float = true;
    return half;
  };
  const std::string name = graph.value(y).name;
  EncodingsFile file{"1.0.0", "aimet-torch", {entry(x, 32), entry(w, 16), entry(y, 16), entry(y, 8)}};
  RoundToHalves(file, graph);
  ASSERT_EQ(file.entries.size(), 1u);  // AttachEncodings refuses it
  EXPECT_EQ(file.entries[0].bitwidth, 8);
  EXPECT_EQ(graph.value(w).constant->f32, (std::vector<float>{1, 65504}));
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[1].op, "RoundToFloat16");
  EXPECT_EQ(graph.outputs[0], graph.nodes[1].outputs[0]);
  EXPECT_EQ(graph.value(graph.outputs[0]).name, name);
}

// The BatchNormalization can fuse with the layer only if nothing lies between them.
TEST(WidenImagesTest, NormalizesTheImage) {
  testing::GraphBuilder builder;
  const ValueId weight = builder.Floats({2, 1, 3}, std::vector<float>(6, 1));
  const ValueId two = builder.Floats({2}, {1, 2});
  const ValueId conv = builder.Node("Conv", {builder.Input({-1, 1, 9}), weight});
  const ValueId y = builder.Node("BatchNormalization", {conv, two, two, two, two});
  builder.Output(y);
  const auto operators = [](Graph graph) {
    EXPECT_TRUE(WidenImages(graph).ok());
    EXPECT_EQ(graph.nodes.back().outputs, graph.outputs);
    return testing::Operators(graph);
  };
  EXPECT_EQ(operators(builder.graph()), (Names{"Unsqueeze", "Conv", "BatchNormalization", "Squeeze"}));
  builder.graph().value(conv).encoding = PerTensor{};
  EXPECT_EQ(operators(builder.graph()), (Names{"Unsqueeze", "Conv", "Squeeze", "BatchNormalization"}));
}

}  // namespace
}  // namespace lq
