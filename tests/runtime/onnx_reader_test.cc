#include "runtime/io/onnx_reader.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/expect_error.h"
#include "tests/support/onnx_writer.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::FloatTensor;
using testing::GoldenPath;
using testing::OnnxGraph;
using testing::OnnxNode;
using testing::OnnxValue;
using testing::Proto;
using testing::RawData;
using testing::TempFolder;
using testing::TensorHead;

const Value* Find(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values) {
    if (value.name == name) return &value;
  }
  return nullptr;
}

size_t CountOps(const Graph& graph, const std::string& op) {
  return static_cast<size_t>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return node.op == op; }));
}

Result<Graph> ReadBytes(const std::string& bytes) {
  const TempFolder folder;
  return ReadOnnx(folder.Write("m.onnx", bytes));
}

// y = x + c, with `initializer` for c.
Result<Graph> ReadConstant(const Proto& initializer) {
  return ReadBytes(OnnxGraph{
      {OnnxNode("Add", "add", {"x", "c"}, {"y"})}, {initializer}, {OnnxValue("x", {-1, 4})}, {OnnxValue("y", {-1, 4})}}
                       .Model());
}

void ExpectFloats(const Proto& initializer, const std::vector<float>& expected) {
  const auto graph = ReadConstant(initializer);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const Constant& constant = *Find(*graph, "c")->constant;
  EXPECT_EQ(constant.dtype, DType::kF32);
  EXPECT_EQ(constant.f32, expected);
  EXPECT_TRUE(constant.s64.empty());
}

void ExpectInts(const Proto& initializer, const std::vector<int64_t>& expected) {
  const auto graph = ReadConstant(initializer);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const Constant& constant = *Find(*graph, "c")->constant;
  EXPECT_EQ(constant.dtype, DType::kS64);
  EXPECT_EQ(constant.s64, expected);
  EXPECT_TRUE(constant.f32.empty());
}

// Counts and values as the onnx package for Python shows them.
TEST(OnnxReaderTest, ReadsTorchExport) {
  const auto graph = ReadOnnx(GoldenPath("digits_cnn/w8a8/model.onnx"));
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->opset, 17);
  EXPECT_EQ(graph->nodes.size(), 32u);
  EXPECT_EQ(CountOps(*graph, "Conv"), 7u);
  EXPECT_EQ(CountOps(*graph, "Identity"), 12u);
  EXPECT_EQ(CountOps(*graph, "Constant"), 2u);
  ASSERT_EQ(graph->inputs.size(), 1u);
  EXPECT_EQ(graph->value(graph->inputs[0]).name, "input");
  EXPECT_EQ(graph->value(graph->inputs[0]).shape, (Shape{-1, 1, 8, 8}));
  ASSERT_EQ(graph->outputs.size(), 1u);
  EXPECT_EQ(graph->value(graph->outputs[0]).shape, (Shape{-1, 10}));
  const Value* fc = Find(*graph, "fc.weight");
  ASSERT_NE(fc, nullptr);
  ASSERT_TRUE(fc->constant.has_value());
  EXPECT_EQ(fc->constant->shape, (Shape{10, 128}));
  EXPECT_EQ(fc->constant->f32[0], 0x1.d5eebep-4f);
  EXPECT_EQ(fc->constant->f32[1279], -0x1.40fdaep-4f);
}

TEST(OnnxReaderTest, ReadsNodesAndAttributes) {
  const auto graph = ReadOnnx(GoldenPath("digits_cnn/w8a8/model.onnx"));
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const auto conv2 = std::find_if(graph->nodes.begin(), graph->nodes.end(),
                                  [](const Node& node) { return node.name == "/conv2/conv/Conv"; });
  ASSERT_NE(conv2, graph->nodes.end());
  ASSERT_EQ(conv2->inputs.size(), 3u);
  EXPECT_EQ(graph->value(conv2->inputs[1]).name, "conv2.conv.weight");
  EXPECT_EQ(graph->Describe(*conv2), "Conv '/conv2/conv/Conv' of tensor '/conv2/conv/Conv_output_0'");
  EXPECT_EQ(conv2->Ints("strides", {}), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(conv2->Ints("pads", {}), (std::vector<int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(conv2->Int("group", 0), 1);
  EXPECT_EQ(conv2->Int("strides", -5), -5);  // of another type
  EXPECT_EQ(conv2->Int("none", -5), -5);
  const Node& gemm = graph->nodes.back();
  EXPECT_EQ(gemm.op, "Gemm");
  EXPECT_EQ(gemm.Float("alpha", 0), 1.0f);
  EXPECT_EQ(gemm.String("alpha", "no"), "no");
}

TEST(OnnxReaderTest, ReadsFloatTypes) {
  const std::vector<float> values{1, -2.5f, 0x1p-24f, 65504};
  ExpectFloats(FloatTensor("c", {4}, values), values);
  Proto typed = TensorHead("c", {4}, 1);
  for (float value : values) typed.Float(4, value);
  ExpectFloats(typed, values);
  ExpectFloats(TensorHead("c", {4}, 1).Bytes(4, RawData(values)), values);  // packed
  ExpectFloats(TensorHead("c", {2}, 11).Bytes(9, RawData<double>({0.5, -3})), {0.5f, -3});
  ExpectFloats(TensorHead("c", {2}, 11).Bytes(10, RawData<double>({0.5, -3})), {0.5f, -3});
  // Binary16: 1, -2.5, the least subnormal, the largest number, infinity.
  ExpectFloats(TensorHead("c", {5}, 10).Bytes(9, RawData<uint16_t>({0x3c00, 0xc100, 0x0001, 0x7bff, 0x7c00})),
               {1, -2.5f, 0x1p-24f, 65504, __builtin_inff()});
  ExpectFloats(TensorHead("c", {2}, 10).Int(5, 0x3c00).Int(5, 0x8000), {1, -0.0f});
  ExpectFloats(TensorHead("c", {2}, 16).Bytes(9, RawData<uint16_t>({0x3f80, 0xc020})), {1, -2.5f});
}

TEST(OnnxReaderTest, ReadsIntegerTypes) {
  ExpectInts(TensorHead("c", {2}, 2).Bytes(9, RawData<uint8_t>({0, 255})), {0, 255});
  ExpectInts(TensorHead("c", {2}, 3).Bytes(9, RawData<int8_t>({-128, 127})), {-128, 127});
  ExpectInts(TensorHead("c", {1}, 4).Bytes(9, RawData<uint16_t>({65535})), {65535});
  ExpectInts(TensorHead("c", {1}, 5).Bytes(9, RawData<int16_t>({-32768})), {-32768});
  ExpectInts(TensorHead("c", {1}, 6).Bytes(9, RawData<int32_t>({INT32_MIN})), {INT32_MIN});
  ExpectInts(TensorHead("c", {1}, 7).Bytes(9, RawData<int64_t>({INT64_MIN})), {INT64_MIN});
  ExpectInts(TensorHead("c", {1}, 12).Bytes(9, RawData<uint32_t>({UINT32_MAX})), {UINT32_MAX});
  ExpectInts(TensorHead("c", {2}, 9).Bytes(9, RawData<uint8_t>({1, 0})), {1, 0});
  ExpectInts(TensorHead("c", {2}, 3).Int(5, -128).Int(5, 5), {-128, 5});
  ExpectInts(TensorHead("c", {2}, 7).Int(7, -1).Int(7, 9), {-1, 9});
  ExpectInts(TensorHead("c", {1}, 12).Int(11, UINT32_MAX), {UINT32_MAX});
}

// The first element in the low bits of the first byte; the last byte is filled up. Typed: a byte in each number.
TEST(OnnxReaderTest, ReadsPackedIntegers) {
  ExpectInts(TensorHead("c", {3}, 22).Bytes(9, RawData<uint8_t>({0x8f, 0xf7})), {-1, -8, 7});
  ExpectInts(TensorHead("c", {3}, 21).Bytes(9, RawData<uint8_t>({0x8f, 0x07})), {15, 8, 7});
  ExpectInts(TensorHead("c", {5}, 26).Bytes(9, RawData<uint8_t>({0b10'01'11'00, 0b01})), {0, -1, 1, -2, 1});
  ExpectInts(TensorHead("c", {5}, 25).Bytes(9, RawData<uint8_t>({0b10'01'11'00, 0b01})), {0, 3, 1, 2, 1});
  ExpectInts(TensorHead("c", {3}, 22).Int(5, 0x8f).Int(5, 7), {-1, -8, 7});
  ExpectInts(TensorHead("c", {2}, 22).Int(5, -113), {-1, -8});
  ExpectInvalid(ReadConstant(TensorHead("c", {3}, 22).Bytes(9, RawData<uint8_t>({1}))).status(),
                {"'c'", "1 bytes", "(3)", "2"});
  ExpectInvalid(ReadConstant(TensorHead("c", {3}, 22).Int(5, 1)).status(), {"'c'", "1 elements", "(3)", "2"});
  ExpectInvalid(ReadConstant(TensorHead("c", {2}, 22).Int(5, 256)).status(), {"'c'", "256"});
}

TEST(OnnxReaderTest, ReadsScalarsAndEmptyTensors) {
  ExpectFloats(FloatTensor("c", {}, {3}), {3});
  ExpectFloats(FloatTensor("c", {0, 5}, {}), {});
  ExpectFloats(TensorHead("c", {0}, 1), {});
}

TEST(OnnxReaderTest, RefusesOtherTypes) {
  for (int64_t type : {0, 8, 13, 14, 17, 20, 23, 24, 27, 99, -1}) {
    const std::string number = "data type " + std::to_string(type);
    ExpectUnsupported(ReadConstant(TensorHead("c", {1}, type)).status(), {"'c'", number.c_str(), "float (1)"});
  }
  ExpectUnsupported(ReadConstant(TensorHead("c", {1}, 11).Bytes(9, RawData<double>({0.1}))).status(),
                    {"'c'", "0.10000000000000001", "float32"});
  ExpectUnsupported(ReadConstant(TensorHead("c", {1}, 1).Bytes(3, "")).status(), {"'c'", "segments"});
}

TEST(OnnxReaderTest, InitializerThatIsAlsoAnInputIsAConstant) {
  const auto graph = ReadBytes(OnnxGraph{
      {OnnxNode("Add", "add", {"x", "c"}, {"y"})},
      {FloatTensor("c", {1}, {2})},
      {OnnxValue("x", {2}), OnnxValue("c", {1})},
      {OnnxValue("y", {2})}}.Model());
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->inputs.size(), 1u);
}

TEST(OnnxReaderTest, SkipsUnknownFieldsAndLeftOutInputs) {
  const Proto node = OnnxNode("Clip", "clip", {"x", "", "c"}, {"y"}).Bytes(77, "future").Int(78, 5);
  const OnnxGraph graph{{node}, {FloatTensor("c", {}, {6})}, {OnnxValue("x", {2})}, {OnnxValue("y", {2})}};
  const auto read = ReadBytes(Proto().Bytes(100, "future").Float(101, 1).bytes() + graph.Model());
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->nodes[0].inputs.size(), 3u);
  EXPECT_EQ(read->nodes[0].inputs[1], kAbsent);
  EXPECT_EQ(read->nodes[0].name, "clip");
}

TEST(OnnxReaderTest, ReadsExternalData) {
  const TempFolder folder;
  folder.Write("sub/weights.bin", "0123" + RawData<float>({1, 2, 3}));
  const Proto tensor = testing::ExternalTensor(
      "c", {3}, {{"location", "sub/weights.bin"}, {"offset", "4"}, {"length", "12"}, {"checksum", "?"}});
  const OnnxGraph graph{
      {OnnxNode("Add", "", {"x", "c"}, {"y"})}, {tensor}, {OnnxValue("x", {3})}, {OnnxValue("y", {3})}};
  const auto read = ReadOnnx(folder.Write("m.onnx", graph.Model()));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(Find(*read, "c")->constant->f32, (std::vector<float>{1, 2, 3}));
}

TEST(OnnxReaderTest, RefusesInputsThatAreNoFloatTensors) {
  const auto read = [](const Proto& input) {
    return ReadBytes(OnnxGraph{{OnnxNode("Relu", "", {"x"}, {"y"})}, {}, {input}, {OnnxValue("y", {1})}}.Model())
        .status();
  };
  ExpectUnsupported(read(OnnxValue("x", {1}, 10)), {"graph input 'x'", "data type 10", "float (1)"});
  ExpectUnsupported(read(Proto().Bytes(1, "x")), {"graph input 'x'", "not a tensor"});
  ExpectInvalid(read(Proto()), {"without a name"});
}

// Raw data stays in the file until its tensor is made: each tensor gets its own, wherever its message has it, beyond
// the 64 KB that are read at once too.
TEST(OnnxReaderTest, RawDataBelongsToItsInitializer) {
  std::vector<float> large(100'000);
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<float>(i);
  const Proto first = Proto().Bytes(9, RawData<float>({1, 2})).Int(1, 2).Int(2, 1).Bytes(8, "first");
  const Proto typed = TensorHead("typed", {1}, 1).Float(4, 3);
  const Proto twice = FloatTensor("twice", {2}, {4, 5, 6}).Bytes(9, RawData<float>({7, 8}));  // the last one counts
  const auto graph = ReadBytes(OnnxGraph{
      {},
      {first, typed, FloatTensor("large", {100'000}, large), FloatTensor("none", {0}, {}), twice},
      {OnnxValue("x", {1})},
      {OnnxValue("x", {1})}}.Model());
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(Find(*graph, "first")->constant->f32, (std::vector<float>{1, 2}));
  EXPECT_EQ(Find(*graph, "typed")->constant->f32, (std::vector<float>{3}));
  EXPECT_EQ(Find(*graph, "large")->constant->f32, large);
  EXPECT_TRUE(Find(*graph, "none")->constant->f32.empty());
  EXPECT_EQ(Find(*graph, "twice")->constant->f32, (std::vector<float>{7, 8}));
}

// A QDQ graph of aimet_onnx says so in its properties: whose rounding its simulation has.
TEST(OnnxReaderTest, TakesTheProducerOfAQdqGraph) {
  const std::string model =
      OnnxGraph{{OnnxNode("Neg", "n", {"x"}, {"y"})}, {}, {OnnxValue("x", {-1, 4})}, {OnnxValue("y", {-1, 4})}}.Model();
  const auto with = [&model](const std::string& key, const std::string& value) {
    const Result<Graph> graph = ReadBytes(model + Proto().Bytes(14, Proto().Bytes(1, key).Bytes(2, value)).bytes());
    EXPECT_TRUE(graph.ok()) << graph.status().message();
    return graph.ok() ? graph->encodings_producer : "";
  };
  EXPECT_EQ(with("producer", "aimet-onnx 2.42.0"), "aimet-onnx");
  EXPECT_EQ(with("producer", "aimet-torch 2.42.0"), "");
  EXPECT_EQ(with("author", "aimet-onnx"), "");
}

}  // namespace
}  // namespace lq
