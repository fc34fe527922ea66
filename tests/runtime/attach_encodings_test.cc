#include <gtest/gtest.h>

#include <cmath>

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
using testing::OnnxGraph;
using testing::OnnxNode;
using testing::OnnxValue;
using testing::Proto;
using testing::ReadGraph;

EncodingEntry PerTensorEntry(const std::string& name, double offset, bool symmetric = false, int bitwidth = 8) {
  EncodingEntry entry;
  entry.name = name;
  entry.bitwidth = bitwidth;
  entry.is_symmetric = symmetric;
  entry.scale = {0.5f};
  entry.offset = {offset};
  return entry;
}

EncodingEntry PerChannelEntry(const std::string& name, size_t channels) {
  EncodingEntry entry = PerTensorEntry(name, -128, true);
  entry.type = EncodingType::kPerChannel;
  entry.scale.assign(channels, 0.25f);
  entry.offset.assign(channels, -128);
  return entry;
}

EncodingEntry LpbqEntry(const std::string& name, size_t channels, const std::vector<uint32_t>& scales) {
  EncodingEntry entry = PerChannelEntry(name, channels);
  entry.type = EncodingType::kLpbq;
  entry.compressed_bitwidth = 4;
  entry.block_size = 2;
  entry.per_block_int_scale = scales;
  return entry;
}

EncodingsFile FileOf(const std::vector<EncodingEntry>& params, const std::string& producer = "aimet-torch") {
  return {"1.0.0", producer, params};
}

// x -> y by one weighted node with weight `w` of this shape, and a bias.
Graph LayerGraph(const std::string& op, const std::vector<int64_t>& shape, const std::vector<Proto>& attributes = {}) {
  size_t count = 1;
  for (int64_t dim : shape) count *= static_cast<size_t>(dim);
  std::vector<std::string> inputs{"x", "w"};
  if (op != "MatMul") inputs.push_back("b");
  return ReadGraph(
      {{OnnxNode(op, "layer", inputs, {"y"}, attributes)},
       {FloatTensor("w", shape, std::vector<float>(count, 1)), FloatTensor("b", {6}, std::vector<float>(6, 1))},
       {OnnxValue("x", {-1, 4})},
       {OnnxValue("y", {-1, 6})}});
}

template <class T>
T Attached(Graph& graph, const EncodingsFile& file, const std::string& name) {
  const Status status = AttachEncodings(file, graph);
  EXPECT_TRUE(status.ok()) << status.message();
  const Value& value = FindValue(graph, name);
  const bool fits = value.encoding.has_value() && std::holds_alternative<T>(*value.encoding);
  EXPECT_TRUE(fits) << name;
  return fits ? std::get<T>(*value.encoding) : T{};
}

Status AttachTo(Graph graph, const EncodingEntry& entry) { return AttachEncodings(FileOf({entry}), graph); }

TEST(AttachEncodingsTest, MovesOffsetsToTheirGrid) {
  Graph graph = LayerGraph("MatMul", {4, 6});
  const PerTensor asymmetric = Attached<PerTensor>(graph, FileOf({PerTensorEntry("x", -73)}), "x");
  EXPECT_EQ(asymmetric, (PerTensor{{8, false}, 0.5f, -73}));
  Graph again = LayerGraph("MatMul", {4, 6});
  const PerTensor symmetric = Attached<PerTensor>(again, FileOf({PerTensorEntry("x", -8, true, 4)}), "x");
  EXPECT_EQ(symmetric, (PerTensor{{4, true}, 0.5f, 0}));
  EXPECT_EQ(again.encodings_producer, "aimet-torch");
}

TEST(AttachEncodingsTest, ChannelAxisFollowsTheConsumer) {
  Graph conv = LayerGraph("Conv", {6, 4, 1, 1});
  EXPECT_EQ(Attached<PerChannel>(conv, FileOf({PerChannelEntry("w", 6)}), "w").axis, 0u);
  Graph gemm = LayerGraph("Gemm", {4, 6});
  EXPECT_EQ(Attached<PerChannel>(gemm, FileOf({PerChannelEntry("w", 6)}), "w").axis, 1u);
  Graph transposed = LayerGraph("Gemm", {6, 4}, {IntAttribute("transB", 1)});
  EXPECT_EQ(Attached<PerChannel>(transposed, FileOf({PerChannelEntry("w", 6)}), "w").axis, 0u);
  Graph matmul = LayerGraph("MatMul", {4, 6});
  const PerChannel encoding = Attached<PerChannel>(matmul, FileOf({PerChannelEntry("w", 6)}), "w");
  EXPECT_EQ(encoding.axis, 1u);
  EXPECT_EQ(encoding.offset, std::vector<int32_t>(6, 0));
  EXPECT_EQ(encoding.grid, (Grid{8, true}));
  Graph batched = LayerGraph("MatMul", {3, 4, 6});
  EXPECT_EQ(Attached<PerChannel>(batched, FileOf({PerChannelEntry("w", 6)}), "w").axis, 2u);
  Graph turned = LayerGraph("MatMul", {6, 4});  // (6, 4), which a Transpose makes (4, 6)
  Node& layer = turned.nodes.back();
  turned.values.emplace_back().name = "turned";
  Node transpose;
  transpose.op = "Transpose";
  transpose.inputs = {layer.inputs[1]};
  transpose.outputs = {static_cast<ValueId>(turned.values.size() - 1)};
  transpose.attributes["perm"] = std::vector<int64_t>{1, 0};
  layer.inputs[1] = transpose.outputs[0];
  turned.nodes.insert(turned.nodes.begin(), transpose);
  EXPECT_EQ(Attached<PerChannel>(turned, FileOf({PerChannelEntry("w", 6)}), "w").axis, 0u);
  ExpectInvalid(AttachTo(LayerGraph("Conv", {6, 4, 1, 1}), PerChannelEntry("w", 4)),
                {"'w'", "4 scales", "(6, 4, 1, 1)", "6"});
}

TEST(AttachEncodingsTest, BlocksOfWeightsWithChannelsFirstKeepTheirOrder) {
  const std::vector<uint32_t> scales{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  Graph conv = LayerGraph("Conv", {6, 4, 1, 1});
  const Lpbq lpbq = Attached<Lpbq>(conv, FileOf({LpbqEntry("w", 6, scales)}), "w");
  EXPECT_EQ(lpbq.per_block_int_scale, scales);
  EXPECT_EQ(lpbq.channel_axis, 0u);
  EXPECT_EQ(lpbq.block_axis, 1u);
  EXPECT_EQ(lpbq.bitwidth, 4);
  EXPECT_EQ(lpbq.decompressed_bitwidth, 8);
  EXPECT_EQ(lpbq.block_size, 2);
}

// (K / block, N) = (2, 6) from aimet-torch, (N, K / block) = (6, 2) from aimet-onnx.
TEST(AttachEncodingsTest, BlocksOfMatMulFollowTheProducer) {
  const std::vector<uint32_t> by_channel{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::vector<uint32_t> by_block{1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12};
  for (const char* op : {"MatMul", "Gemm"}) {
    Graph torch = LayerGraph(op, {4, 6});
    const Lpbq from_torch = Attached<Lpbq>(torch, FileOf({LpbqEntry("w", 6, by_block)}), "w");
    EXPECT_EQ(from_torch.per_block_int_scale, by_channel);
    EXPECT_EQ(from_torch.channel_axis, 1u);
    EXPECT_EQ(from_torch.block_axis, 0u);
    Graph onnx = LayerGraph(op, {4, 6});
    const Lpbq from_onnx = Attached<Lpbq>(onnx, FileOf({LpbqEntry("w", 6, by_channel)}, "aimet-onnx"), "w");
    EXPECT_EQ(from_onnx.per_block_int_scale, by_channel);
  }
}

// The older sim.export of aimet-torch writes (N, K / block) = (6, 2): only so are the weights on their grids. Block b
// of channel c holds 7 and 3 of 1/4 * i[c][b]; times 1.001 they lie on neither grid.
TEST(AttachEncodingsTest, BlocksOfMatMulFromTorchFollowTheWeights) {
  const std::vector<uint32_t> by_channel{1, 2, 3, 16, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::vector<uint32_t> transposed{1, 7, 2, 8, 3, 9, 16, 10, 5, 11, 6, 12};
  for (const float factor : {1.0f, 1.001f}) {
    Graph graph = LayerGraph("MatMul", {4, 6});
    for (Value& value : graph.values) {
      if (value.name != "w") continue;
      for (size_t i = 0; i < 24; ++i) {
        const size_t k = i / 6, c = i % 6;
        value.constant->f32[i] = (k % 2 == 0 ? 1.75f : -0.75f) * static_cast<float>(by_channel[c * 2 + k / 2]) * factor;
      }
    }
    const Lpbq lpbq = Attached<Lpbq>(graph, FileOf({LpbqEntry("w", 6, by_channel)}), "w");
    EXPECT_EQ(lpbq.per_block_int_scale, factor == 1 ? by_channel : transposed);
  }
}

TEST(AttachEncodingsTest, BlocksOfAnUnknownProducerFollowTheWeights) {
  // Channel c, block b has scale 1/16 * i[c][b] and the weight 7 scales: only the right order holds it.
  const std::vector<uint32_t> by_channel{1, 16, 16, 1, 1, 16, 1, 16, 1, 16, 1, 1};
  std::vector<float> weights(24);
  std::vector<uint32_t> by_block(12);
  for (size_t c = 0; c < 6; ++c) {
    for (size_t k = 0; k < 4; ++k) weights[k * 6 + c] = 7.0f / 16 * static_cast<float>(by_channel[c * 2 + k / 2]);
    for (size_t b = 0; b < 2; ++b) by_block[b * 6 + c] = by_channel[c * 2 + b];
  }
  const auto graph = [&](const std::vector<float>& values) {
    return ReadGraph({{OnnxNode("MatMul", "layer", {"x", "w"}, {"y"})},
                      {FloatTensor("w", {4, 6}, values)},
                      {OnnxValue("x", {-1, 4})},
                      {OnnxValue("y", {-1, 6})}});
  };
  for (const auto& order : {by_channel, by_block}) {
    EncodingEntry entry = LpbqEntry("w", 6, order);
    entry.scale.assign(6, 1.0f / 16);
    Graph attached = graph(weights);
    EXPECT_EQ(Attached<Lpbq>(attached, FileOf({entry}, ""), "w").per_block_int_scale, by_channel);
    Graph fits_both = graph(std::vector<float>(24, 0));
    ExpectUnsupported(AttachEncodings(FileOf({entry}, ""), fits_both), {"'w'", "(4, 6)", "both", "12 block scales"});
    Graph fits_neither = graph(std::vector<float>(24, 1000));
    ExpectUnsupported(AttachEncodings(FileOf({entry}, "other"), fits_neither), {"'w'", "neither"});
  }
}

TEST(AttachEncodingsTest, FloatBlocksAreReorderedWithTheirOffsets) {
  EncodingEntry entry = LpbqEntry("w", 6, {});
  entry.type = EncodingType::kPerBlock;
  entry.is_symmetric = false;
  for (size_t i = 0; i < 12; ++i) {
    entry.scale.push_back(0);
    entry.offset.push_back(0);
  }
  entry.scale.assign({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  entry.offset.assign({-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12});
  Graph graph = LayerGraph("MatMul", {4, 6});
  const PerBlock encoding = Attached<PerBlock>(graph, FileOf({entry}), "w");
  EXPECT_EQ(encoding.scale, (std::vector<float>{1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12}));
  EXPECT_EQ(encoding.offset, (std::vector<int32_t>{-1, -7, -2, -8, -3, -9, -4, -10, -5, -11, -6, -12}));
}

TEST(AttachEncodingsTest, FollowsIdentities) {
  Graph graph =
      ReadGraph({{OnnxNode("Identity", "i", {"w"}, {"w_dup_0"}), OnnxNode("MatMul", "m", {"x", "w_dup_0"}, {"y"})},
                 {FloatTensor("w", {4, 6}, std::vector<float>(24, 1))},
                 {OnnxValue("x", {-1, 4})},
                 {OnnxValue("y", {-1, 6})}});
  EXPECT_EQ(Attached<PerChannel>(graph, FileOf({PerChannelEntry("w_dup_0", 6)}), "w_dup_0").axis, 1u);
  EXPECT_FALSE(FindValue(graph, "w").encoding.has_value());
  EXPECT_EQ(Attached<PerChannel>(graph, FileOf({PerChannelEntry("w", 6)}), "w").axis, 1u);
}

// AIMET lists the bias of a layer that is used twice under both names, with a scale for each use.
TEST(AttachEncodingsTest, RoundsABiasUnderEachOfItsNames) {
  Graph graph =
      ReadGraph({{OnnxNode("Identity", "i", {"b"}, {"b_dup_0"}), OnnxNode("Gemm", "g", {"x", "w", "b"}, {"z"}),
                  OnnxNode("Gemm", "h", {"z", "w", "b_dup_0"}, {"y"})},
                 {FloatTensor("w", {2, 2}, {1, 2, 3, 4}), FloatTensor("b", {2}, {0.7f, -1.6f})},
                 {OnnxValue("x", {-1, 2})},
                 {OnnxValue("y", {-1, 2})}});
  EncodingEntry own = PerTensorEntry("b", -0x1p31, true, 32), other = PerTensorEntry("b_dup_0", -0x1p31, true, 32);
  other.scale = {0.25f};
  ASSERT_TRUE(AttachEncodings(FileOf({own, other}), graph).ok());
  EXPECT_EQ(FindValue(graph, "b").constant->f64, (std::vector<double>{0.5, -1.5}));
  EXPECT_EQ(FindValue(graph, "b_dup_0").constant->f64, (std::vector<double>{0.75, -1.5}));
  ASSERT_TRUE(FoldAliases(graph).ok());
  EXPECT_EQ(testing::NodeNames(graph), (std::vector<std::string>{"g", "h"}));
  EXPECT_EQ(graph.value(graph.nodes[1].inputs[2]).name, "b_dup_0");
}

TEST(AttachEncodingsTest, NotesWhatFitsNoTensor) {
  Graph graph = LayerGraph("MatMul", {4, 6});
  ASSERT_TRUE(AttachEncodings(FileOf({PerTensorEntry("ghost", 0)}), graph).ok());
  ASSERT_EQ(graph.notes.size(), 1u);
  EXPECT_NE(graph.notes[0].find("'ghost'"), std::string::npos);
}

TEST(AttachEncodingsTest, RefusesWhatIsNotBuiltByTensorName) {
  const Graph graph = LayerGraph("Gemm", {4, 6});
  EncodingEntry half;
  half.name = "y";
  half.is_float = true;
  half.bitwidth = 16;
  ExpectUnsupported(AttachTo(graph, half), {"'y'", "float encoding of 16 bits", "integer"});  // RoundToHalves's
  EncodingEntry shifted = PerTensorEntry("w", -2, true, 2);
  shifted.zero_point_shift = 0.5;
  ExpectUnsupported(AttachTo(graph, shifted), {"'w'", "zero_point_shift 0.5", "2 bits"});
  ExpectUnsupported(AttachTo(graph, PerTensorEntry("y", 0, false, 17)), {"'y'", "bitwidth 17", "2 to 16"});
  ExpectUnsupported(AttachTo(graph, PerTensorEntry("y", 0, false, 1)), {"'y'", "activation of bitwidth 1", "2 to 16"});
  ExpectUnsupported(AttachTo(graph, PerTensorEntry("b", 0, true, 16)), {"'b'", "bias of 16 bits"});
  ExpectUnsupported(AttachTo(graph, PerTensorEntry("b", 0, true, 32)), {"'b'", "zero point 0 of 32 bits"});
  ExpectUnsupported(AttachTo(graph, PerChannelEntry("x", 4)), {"'x' is an activation with 4 scales", "PER_TENSOR"});
}

TEST(AttachEncodingsTest, RefusesNumbersThatDoNotFit) {
  const Graph matmul = LayerGraph("MatMul", {4, 6});
  ExpectUnsupported(AttachTo(matmul, PerTensorEntry("w", 0, false, 1)), {"'w'", "bitwidth 1", "2 to 16"});
  ExpectUnsupported(AttachTo(matmul, PerTensorEntry("w", 0, false, 17)), {"'w'", "bitwidth 17", "2 to 16"});
  ExpectInvalid(AttachTo(matmul, PerTensorEntry("x", -1.5)), {"'x'", "offset 0 is -1.5"});
  ExpectInvalid(AttachTo(matmul, PerTensorEntry("x", std::nan(""))), {"'x'", "offset 0 is nan"});
  ExpectInvalid(AttachTo(matmul, PerTensorEntry("x", 1e18)), {"'x'", "offset 0 is 1e+18"});
  ExpectInvalid(AttachTo(matmul, PerTensorEntry("x", 1 << 25)), {"'x'", "33554432", "2^24"});
  for (float scale : {0.0f, -1.0f, std::nanf(""), __builtin_inff()}) {
    EncodingEntry entry = PerTensorEntry("x", 0);
    entry.scale = {scale};
    ExpectInvalid(AttachTo(matmul, entry), {"'x'", "scale 0 is"});
  }
  EncodingEntry three = PerTensorEntry("x", 0);
  three.scale.assign(3, 1);
  three.offset.assign(3, 0);
  ExpectInvalid(AttachTo(matmul, three), {"'x'", "3 scales"});
}

TEST(AttachEncodingsTest, RefusesBlocksThatDoNotFit) {
  const Graph matmul = LayerGraph("MatMul", {4, 6});
  EncodingEntry entry = LpbqEntry("w", 6, std::vector<uint32_t>(12, 1));
  entry.block_size = 3;
  ExpectInvalid(AttachTo(matmul, entry), {"'w'", "block size 3", "(4, 6)", "4"});
  ExpectInvalid(AttachTo(matmul, LpbqEntry("w", 6, std::vector<uint32_t>(11, 1))), {"'w'", "11 block scales", "12"});
  ExpectInvalid(AttachTo(matmul, LpbqEntry("w", 5, std::vector<uint32_t>(12, 1))), {"'w'", "5 channel scales", "6"});
  ExpectInvalid(AttachTo(matmul, LpbqEntry("w", 6, std::vector<uint32_t>(12, 17))),
                {"'w'", "integer scale 0 is 17", "1..16"});
  ExpectInvalid(AttachTo(matmul, LpbqEntry("w", 6, std::vector<uint32_t>(12, 0))),
                {"'w'", "integer scale 0 is 0", "1..16"});
  EncodingEntry offset = LpbqEntry("w", 6, std::vector<uint32_t>(12, 1));
  offset.offset[3] = -120;
  ExpectUnsupported(AttachTo(matmul, offset), {"'w'", "offset 3 is -120", "-128"});
  EncodingEntry wide = LpbqEntry("w", 6, std::vector<uint32_t>(12, 1));
  wide.compressed_bitwidth = 9;
  ExpectInvalid(AttachTo(matmul, wide), {"'w'", "9 compressed bits"});
  ExpectUnsupported(AttachTo(LayerGraph("MatMul", {1, 4, 6}), LpbqEntry("w", 6, std::vector<uint32_t>(12, 1))),
                    {"'w'", "3 dimensions"});
}

TEST(AttachEncodingsTest, RefusesConstantsWithoutARole) {
  Graph add = ReadGraph({{OnnxNode("Add", "add", {"x", "c"}, {"y"})},
                         {FloatTensor("c", {2, 2}, {1, 2, 3, 4}), testing::TensorHead("i", {1}, 7).Int(7, 1)},
                         {OnnxValue("x", {2, 2})},
                         {OnnxValue("y", {2, 2})}});
  ExpectUnsupported(AttachTo(add, PerChannelEntry("c", 2)), {"'c'", "per channel", "per tensor"});
  ExpectInvalid(AttachTo(add, PerTensorEntry("i", 0)), {"'i'", "integers of shape (1)"});
  EXPECT_TRUE(AttachTo(add, PerTensorEntry("c", 0)).ok());
  EXPECT_EQ(Attached<PerTensor>(add, FileOf({PerChannelEntry("c", 1)}), "c"), (PerTensor{{8, true}, 0.25f, 0}));
}

TEST(AttachEncodingsTest, RefusesReadersThatDisagree) {
  Graph graph = ReadGraph({{OnnxNode("Gemm", "one", {"x", "w"}, {"a"}),
                            OnnxNode("Gemm", "two", {"a", "w"}, {"y"}, {IntAttribute("transB", 1)})},
                           {FloatTensor("w", {4, 4}, std::vector<float>(16, 1))},
                           {OnnxValue("x", {-1, 4})},
                           {OnnxValue("y", {-1, 4})}});
  ExpectUnsupported(AttachTo(graph, PerChannelEntry("w", 4)), {"'w'", "axis 1", "axis 0", "'two'"});
}

}  // namespace
}  // namespace lq
