#include <gtest/gtest.h>

#include <limits>

#include "lanequant/model.h"
#include "runtime/passes/dequantize.h"
#include "runtime/passes/passes.h"
#include "tests/support/expect_error.h"
#include "tests/support/read_graph.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::FindValue;
using testing::FloatTensor;
using testing::IntAttribute;
using testing::NodeNames;
using testing::OnnxGraph;
using testing::OnnxNode;
using testing::OnnxValue;
using testing::Proto;
using testing::RawData;
using testing::TempFolder;
using testing::TensorHead;

constexpr int64_t kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt4 = 22;

Proto Ints(const std::string& name, const std::vector<int64_t>& dims, int64_t type, const std::vector<int8_t>& codes) {
  return TensorHead(name, dims, type).Bytes(9, RawData(codes));
}

// Scales s = 0.5 and t = 0.25, zero points z = 3 (u8) and o = 0 (s8).
OnnxGraph GraphOf(const std::vector<Proto>& nodes, std::vector<Proto> initializers = {}) {
  initializers.push_back(FloatTensor("s", {}, {0.5f}));
  initializers.push_back(FloatTensor("t", {1}, {0.25f}));
  initializers.push_back(Ints("z", {}, kUint8, {3}));
  initializers.push_back(Ints("o", {}, kInt8, {0}));
  return {nodes, initializers, {OnnxValue("x", {-1, 4})}, {OnnxValue("y", {-1, 4})}};
}

Proto Q(const std::string& in, const std::string& out, const std::string& scale = "s", const std::string& zero = "z",
        const std::vector<Proto>& attributes = {}) {
  return OnnxNode("QuantizeLinear", "q_" + out, {in, scale, zero}, {out}, attributes);
}
Proto Dq(const std::string& in, const std::string& out, const std::string& scale = "s", const std::string& zero = "z",
         const std::vector<Proto>& attributes = {}) {
  return OnnxNode("DequantizeLinear", "d_" + out, {in, scale, zero}, {out}, attributes);
}

Result<Model> Load(const OnnxGraph& graph) {
  const TempFolder folder;
  return Model::Load(folder.Write("m.onnx", graph.Model(21)), "");
}

Graph Loaded(const OnnxGraph& graph) {
  const Result<Model> model = Load(graph);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return model.ok() ? model->graph() : Graph();
}

PerTensor EncodingOf(const Graph& graph, const std::string& name) {
  const auto& encoding = FindValue(graph, name).encoding;
  const bool fits = encoding.has_value() && std::holds_alternative<PerTensor>(*encoding);
  EXPECT_TRUE(fits) << name;
  return fits ? std::get<PerTensor>(*encoding) : PerTensor{};
}

constexpr PerTensor kByS{{8, false}, 0.5f, -3};

TEST(FoldQuantizersTest, PairsBecomeEncodings) {
  const Graph graph = Loaded(
      GraphOf({Q("x", "xq"), Dq("xq", "xd"), OnnxNode("Relu", "r", {"xd"}, {"raw"}), Q("raw", "rq"), Dq("rq", "y")}));
  EXPECT_EQ(NodeNames(graph), std::vector<std::string>{"r"});
  EXPECT_EQ(EncodingOf(graph, "x"), kByS);
  EXPECT_EQ(EncodingOf(graph, "y"), kByS);  // the graph output keeps its name
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
  EXPECT_EQ(graph.values.size(), 2u);
}

TEST(FoldQuantizersTest, DedicatedPairsAreOne) {
  const Graph graph =
      Loaded(GraphOf({Q("x", "q1"), Q("x", "q2"), Dq("q1", "d1"), Dq("q2", "d2"), Dq("q2", "d3"),
                      OnnxNode("Add", "a", {"d1", "d2"}, {"b"}), OnnxNode("Add", "c", {"b", "d3"}, {"y"})}));
  EXPECT_EQ(NodeNames(graph), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(EncodingOf(graph, "x"), kByS);
}

TEST(FoldQuantizersTest, TensorsThatOthersReadKeepTheirNumbers) {
  const Graph raw =
      Loaded(GraphOf({Q("x", "xq"), Dq("xq", "xd"), Dq("xq", "xe"), OnnxNode("Add", "a", {"x", "xd"}, {"b"}),
                      OnnxNode("Add", "c", {"b", "xe"}, {"y"})}));
  EXPECT_FALSE(FindValue(raw, "x").encoding.has_value());
  EXPECT_EQ(EncodingOf(raw, "xd"), kByS);
  const Graph two = Loaded(GraphOf({Q("x", "xq"), Dq("xq", "xd"), Q("x", "xr", "t", "o"), Dq("xr", "xe", "t", "o"),
                                    OnnxNode("Add", "a", {"xd", "xe"}, {"y"})}));
  EXPECT_FALSE(FindValue(two, "x").encoding.has_value());
  EXPECT_EQ(EncodingOf(two, "xd"), kByS);
  EXPECT_EQ(EncodingOf(two, "xe"), (PerTensor{{8, true}, 0.25f, 0}));
}

TEST(FoldQuantizersTest, PairsInARow) {
  const Graph same =
      Loaded(GraphOf({Q("x", "a"), Dq("a", "b"), Q("b", "c"), Dq("c", "d"), OnnxNode("Relu", "r", {"d"}, {"y"})}));
  EXPECT_EQ(NodeNames(same), std::vector<std::string>{"r"});
  const Graph other = Loaded(GraphOf(
      {Q("x", "a"), Dq("a", "b"), Q("b", "c", "t", "o"), Dq("c", "d", "t", "o"), OnnxNode("Relu", "r", {"d"}, {"y"})}));
  EXPECT_EQ(NodeNames(other), (std::vector<std::string>{"d", "r"}));
  EXPECT_EQ(EncodingOf(other, "x"), kByS);
  EXPECT_EQ(EncodingOf(other, "d"), (PerTensor{{8, true}, 0.25f, 0}));
}

std::vector<float> FloatsOf(const Value& weight) {
  const Result<std::vector<float>> floats = DequantizedFloats(weight.name, *weight.encoding, *weight.constant);
  EXPECT_TRUE(floats.ok()) << floats.status().message();
  return floats.ok() ? *floats : std::vector<float>();
}

// x -> Gemm -> y with w given by `nodes` and `initializers`.
OnnxGraph GemmOf(const std::vector<Proto>& of_weight, std::vector<Proto> initializers) {
  std::vector<Proto> nodes{Q("x", "xq"), Dq("xq", "xd")};
  nodes.insert(nodes.end(), of_weight.begin(), of_weight.end());
  nodes.push_back(OnnxNode("Gemm", "g", {"xd", "w", "b"}, {"raw"}, {IntAttribute("transB", 1)}));
  nodes.push_back(Q("raw", "rq"));
  nodes.push_back(Dq("rq", "y"));
  initializers.push_back(TensorHead("bq", {2}, kInt32).Bytes(9, RawData<int32_t>({INT32_MIN, 16777217})));
  initializers.push_back(FloatTensor("bs", {2}, {0.25f, 0.1f}));
  nodes.push_back(OnnxNode("DequantizeLinear", "d_b", {"bq", "bs"}, {"b"}, {IntAttribute("axis", 0)}));
  return GraphOf(nodes, initializers);
}

TEST(FoldQuantizersTest, CodesOfWeightsAndBiases) {
  const Graph graph = Loaded(GemmOf({Dq("wq", "w", "ws", "wz", {IntAttribute("axis", 0)})},
                                    {Ints("wq", {2, 4}, kInt8, {-128, 127, 0, 1, 5, 6, 7, 8}),
                                     FloatTensor("ws", {2}, {0.5f, 0.1f}), Ints("wz", {2}, kInt8, {0, 5})}));
  const Value& w = FindValue(graph, "w");
  const auto& e = std::get<PerChannel>(*w.encoding);
  EXPECT_EQ(e.grid, (Grid{8, true}));
  EXPECT_EQ(e.offset, (std::vector<int32_t>{0, -5}));
  EXPECT_EQ(w.constant->dtype, DType::kS8);  // a byte each until they are packed
  EXPECT_EQ(FloatsOf(w), (std::vector<float>{-64, 63.5, 0, 0.5, 0, 0.1f, 0.2f, 3 * 0.1f}));
  const Value& b = FindValue(graph, "b");
  ASSERT_EQ(b.constant->dtype, DType::kF64);
  EXPECT_EQ(b.constant->f64, (std::vector<double>{-536870912, 16777217 * double{0.1f}}));
  const Model model{std::make_shared<const Graph>(graph)};
  EXPECT_TRUE(Session::Prepare(model, {}).ok());
}

TEST(FoldQuantizersTest, LpbqOfInt4Codes) {
  const std::vector<Proto> scales{Ints("wi", {2, 2}, kUint8, {16, 1, 2, 16}), FloatTensor("wc", {2}, {0.5f, 0.25f})};
  const Proto maker = OnnxNode("DequantizeLinear", "d_ws", {"wi", "wc"}, {"ws"}, {IntAttribute("axis", 0)});
  const std::vector<Proto> blocks{IntAttribute("axis", 1), IntAttribute("block_size", 2)};
  std::vector<Proto> initializers = scales;
  initializers.push_back(Ints("wq", {2, 4}, kInt4, {0x21, static_cast<int8_t>(0x87), 0x10, 0x32}));
  const Graph graph =
      Loaded(GemmOf({maker, OnnxNode("DequantizeLinear", "d_w", {"wq", "ws"}, {"w"}, blocks)}, initializers));
  const Value& w = FindValue(graph, "w");
  const auto& e = std::get<Lpbq>(*w.encoding);
  EXPECT_EQ(e.bitwidth, 4);
  EXPECT_EQ(e.decompressed_bitwidth, 8);
  EXPECT_EQ(e.channel_scale, (std::vector<float>{0.5f, 0.25f}));
  EXPECT_EQ(e.per_block_int_scale, (std::vector<uint32_t>{16, 1, 2, 16}));
  EXPECT_EQ(FloatsOf(w), (std::vector<float>{8, 16, 3.5f, -4, 0, 0.5f, 8, 12}));
}

TEST(FoldQuantizersTest, RefusesByName) {
  ExpectUnsupported(Load(GraphOf({Q("x", "a"), Dq("a", "y", "t")})).status(), {"q_a", "d_y", "differ"});
  ExpectUnsupported(Load(GraphOf({Q("x", "a"), OnnxNode("Relu", "r", {"a"}, {"y"})})).status(), {"q_a", "'r'"});
  ExpectUnsupported(Load(GraphOf({Dq("x", "y")})).status(), {"d_y", "'x'", "graph input"});
  ExpectUnsupported(Load(GraphOf({OnnxNode("Relu", "r", {"s"}, {"u"}), Q("x", "a", "u"), Dq("a", "y", "u")})).status(),
                    {"q_a", "'u'", "constants"});
  ExpectUnsupported(Load(GraphOf({Q("x", "a", "s", "z", {IntAttribute("precision", 1)}), Dq("a", "y")})).status(),
                    {"q_a", "'precision'"});
  ExpectInvalid(Load(GraphOf({Q("x", "a", "two"), Dq("a", "y", "two")}, {FloatTensor("two", {2}, {1, 2})})).status(),
                {"q_a", "1 zero points", "2 scales"});
  ExpectUnsupported(Load(GraphOf({Q("x", "a", "two", "zs", {IntAttribute("axis", 0)}),
                                  Dq("a", "y", "two", "zs", {IntAttribute("axis", 0)})},
                                 {FloatTensor("two", {2}, {1, 2}), Ints("zs", {2}, kUint8, {0, 0})}))
                        .status(),
                    {"'x'", "2 scales"});
  ExpectInvalid(Load(GraphOf({Q("x", "a", "no"), Dq("a", "y", "no")}, {FloatTensor("no", {}, {-1})})).status(),
                {"'x'", "scale 0 is -1"});
  const float inf = std::numeric_limits<float>::infinity();
  ExpectInvalid(Load(GraphOf({Q("x", "a", "far"), Dq("a", "y", "far")}, {FloatTensor("far", {}, {inf})})).status(),
                {"q_a", "infinite", "mask by a finite number"});
  ExpectInvalid(
      Load({{OnnxNode("Relu", "r", {"x"}, {"y"})}, {}, {OnnxValue("x", {4})}, {OnnxValue("y", {4})}}).status(),
      {"no QuantizeLinear", "encodings"});
  ExpectUnsupported(
      Load(GraphOf({OnnxNode("QuantizeLinear", "q_a", {"x", "s"}, {"a"}, {IntAttribute("output_dtype", 7)}),
                    OnnxNode("DequantizeLinear", "d_y", {"a", "s"}, {"y"})}))
          .status(),
      {"q_a", "s64"});
  const Proto wide = TensorHead("w64", {1, 4}, 7).Bytes(9, RawData<int64_t>({1, 2, 3, (int64_t{1} << 32) + 4}));
  ExpectInvalid(Load(GraphOf({Dq("w64", "w"), OnnxNode("Add", "a", {"x", "w"}, {"y"})}, {wide})).status(),
                {"d_w", "'w64'", "s64", "u8"});
  ExpectInvalid(Load(GraphOf({Q("x", "a"), OnnxNode("DequantizeLinear", "d_y", {"a", "s", "z"}, {"", "y"})})).status(),
                {"d_y", "2 outputs"});
}

TEST(FoldQuantizersTest, LeftOutZeroPoints) {
  const Graph graph = Loaded(GraphOf(
      {OnnxNode("QuantizeLinear", "q_a", {"x", "s"}, {"a"}), OnnxNode("DequantizeLinear", "d_b", {"a", "s"}, {"b"}),
       OnnxNode("QuantizeLinear", "q_c", {"b", "s"}, {"c"}, {IntAttribute("output_dtype", 3)}),
       OnnxNode("DequantizeLinear", "d_y", {"c", "s"}, {"y"})}));
  EXPECT_EQ(EncodingOf(graph, "x"), (PerTensor{{8, false}, 0.5f, 0}));
  EXPECT_EQ(EncodingOf(graph, "y"), (PerTensor{{8, true}, 0.5f, 0}));
}

// Codes of an embedding's table, gathered before they are dequantized.
TEST(FoldQuantizersTest, MovedCodesAreDequantizedFirst) {
  const std::vector<Proto> constants{Ints("table", {3, 2}, kUint8, {1, 2, 3, 4, 5, 6}), Ints("at", {2}, kInt8, {2, 0})};
  const Graph graph = Loaded(GraphOf({OnnxNode("Cast", "i", {"at"}, {"indices"}, {IntAttribute("to", 7)}),
                                      OnnxNode("Gather", "g", {"table", "indices"}, {"codes"}), Dq("codes", "rows"),
                                      OnnxNode("MatMul", "m", {"rows", "x"}, {"raw"}), Q("raw", "q"), Dq("q", "y")},
                                     constants));
  EXPECT_EQ(NodeNames(graph), std::vector<std::string>{"m"});
  EXPECT_EQ(FindValue(graph, "rows").constant->f32, (std::vector<float>{1, 1.5f, -1, -0.5f}));
  EXPECT_EQ(EncodingOf(graph, "rows"), kByS);
}

Proto Simulated(const std::string& in, const std::string& out, const std::string& scale, const std::string& offset,
                int64_t qmin, int64_t qmax, const std::vector<Proto>& more = {}) {
  std::vector<Proto> attributes{IntAttribute("qmin", qmin), IntAttribute("qmax", qmax)};
  attributes.insert(attributes.end(), more.begin(), more.end());
  return OnnxNode("quantize_dequantize", "a_" + out, {in, scale, offset}, {out}, attributes).Bytes(7, "aimet");
}

// The exporter of aimet_torch leaves such nodes where it writes what it simulates.
TEST(FoldQuantizersTest, TakesAimetsOwnNodes) {
  const std::vector<Proto> constants{FloatTensor("three", {}, {-3}),
                                     FloatTensor("none", {2, 1}, {0, 0}),
                                     FloatTensor("rows", {2, 1}, {0.5f, 0.25f}),
                                     FloatTensor("blocks", {2, 2}, {1, 2, 3, 4}),
                                     FloatTensor("zeros", {2, 2}, {0, 0, 0, 0}),
                                     FloatTensor("w", {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})};
  const auto weighted = [&](const Proto& quantizer) {
    return GraphOf({Simulated("x", "a", "s", "three", 0, 255), quantizer,
                    OnnxNode("Gemm", "g", {"a", "v"}, {"raw"}, {IntAttribute("transB", 1)}),
                    Simulated("raw", "y", "t", "three", -8, 7)},
                   constants);
  };
  const Graph rows = Loaded(weighted(Simulated("w", "v", "rows", "none", -128, 127)));
  EXPECT_EQ(NodeNames(rows), std::vector<std::string>{"g"});
  EXPECT_EQ(EncodingOf(rows, "x"), kByS);
  EXPECT_EQ(EncodingOf(rows, "y"), (PerTensor{{4, true}, 0.25f, -3}));
  const PerChannel channels{{8, true}, 0, {0.5f, 0.25f}, {0, 0}};
  EXPECT_EQ(FindValue(rows, "w").encoding, std::optional<Encoding>(channels));
  const Proto size = testing::IntsAttribute("block_size", {1, 2});
  const Graph blocks = Loaded(weighted(Simulated("w", "v", "blocks", "zeros", -8, 7, {size})));
  const PerBlock blocked{{4, true}, 0, 1, 2, {1, 2, 3, 4}, {0, 0, 0, 0}};
  EXPECT_EQ(FindValue(blocks, "w").encoding, std::optional<Encoding>(blocked));
  ExpectUnsupported(Load(weighted(Simulated("w", "v", "blocks", "zeros", -8, 7))).status(),
                    {"a_v", "blocks of (1, 1)"});
  ExpectUnsupported(Load(weighted(Simulated("w", "v", "rows", "none", -127, 127))).status(), {"a_v", "-127 to 127"});
  ExpectUnsupported(Load(weighted(Simulated("w", "v", "x", "none", 0, 3))).status(), {"a_v", "scale 'x'"});
}

}  // namespace
}  // namespace lq
