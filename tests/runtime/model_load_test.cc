// Model::Load and ReadLayerOutputs on real exports; the numbers are those of the files.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "lanequant/model.h"
#include "runtime/io/layer_outputs.h"
#include "tests/support/expect_error.h"
#include "tests/support/read_graph.h"

namespace lq {
namespace {

using testing::FindValue;
using testing::GoldenPath;
using testing::OnnxNode;
using testing::OnnxValue;
using testing::TempFolder;

Result<Model> LoadGolden(const std::string& name) {
  return Model::Load(GoldenPath(name + "/model.onnx"), GoldenPath(name + "/model.encodings"));
}

TEST(ModelLoadTest, LoadsEveryGoldenModel) {
  struct Case {
    const char* name;
    size_t nodes, encodings;
  };
  for (const Case& c : {Case{"digits_cnn/w8a8", 18, 23},
                        {"digits_cnn/w8a8_bn", 25, 23},
                        {"digits_cnn/w4a8_lpbq", 18, 23},
                        {"mlp/w8a8", 5, 7},
                        {"mlp/w4a8_lpbq", 5, 7}}) {
    const auto model = LoadGolden(c.name);
    ASSERT_TRUE(model.ok()) << model.status().message();
    const Graph& graph = model->graph();
    EXPECT_EQ(graph.nodes.size(), c.nodes) << c.name;
    EXPECT_EQ(graph.encodings_producer, "aimet-torch");
    EXPECT_TRUE(graph.notes.empty()) << graph.notes[0];
    size_t encodings = 0;
    for (const Value& value : graph.values) encodings += value.encoding.has_value();
    EXPECT_EQ(encodings, c.encodings) << c.name;
  }
}

TEST(ModelLoadTest, AttachesTheFilesNumbers) {
  const auto model = LoadGolden("digits_cnn/w4a8_lpbq");
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Graph& graph = model->graph();
  EXPECT_EQ(std::get<PerTensor>(*FindValue(graph, "/res3/conv/Conv_output_0").encoding),
            (PerTensor{{8, false}, static_cast<float>(0.046071916818618774), -111}));
  const auto& conv1 = std::get<PerChannel>(*FindValue(graph, "conv1.conv.weight").encoding);
  EXPECT_EQ(conv1.axis, 0u);
  EXPECT_EQ(conv1.grid, (Grid{8, true}));
  EXPECT_EQ(conv1.offset, std::vector<int32_t>(32, 0));
  EXPECT_EQ(conv1.scale[1], static_cast<float>(0.02329603023827076));
  const auto& fc = std::get<Lpbq>(*FindValue(graph, "fc.weight").encoding);
  EXPECT_EQ(fc.bitwidth, 4);
  EXPECT_EQ(fc.decompressed_bitwidth, 8);
  EXPECT_EQ(fc.channel_axis, 0u);
  EXPECT_EQ(fc.block_axis, 1u);
  EXPECT_EQ(fc.block_size, 64);
  EXPECT_EQ(fc.channel_scale[0], static_cast<float>(0.0018323268741369247));
  EXPECT_EQ(fc.per_block_int_scale.size(), 20u);
  EXPECT_EQ(fc.per_block_int_scale[1], 15u);
  EXPECT_FALSE(FindValue(graph, "fc.bias").encoding.has_value());
  EXPECT_FALSE(FindValue(graph, "/conv1/conv/Conv_output_0").encoding.has_value());
}

// aimet-torch writes weights that lie on their grid: with the right axes and block order w / scale is an integer, but
// for the float32 rounding of the product that made w.
TEST(ModelLoadTest, LpbqScalesFitTheWeights) {
  const auto model = LoadGolden("mlp/w4a8_lpbq");
  ASSERT_TRUE(model.ok()) << model.status().message();
  for (const char* name : {"fc1.weight", "fc2.weight", "fc3.weight"}) {
    const Value& value = FindValue(model->graph(), name);
    const auto& lpbq = std::get<Lpbq>(*value.encoding);
    const size_t n = static_cast<size_t>(value.constant->shape[0]), k = static_cast<size_t>(value.constant->shape[1]);
    const size_t block = static_cast<size_t>(lpbq.block_size);
    for (size_t i = 0; i < n * k; ++i) {
      const size_t at = i / k * (k / block) + i % k / block;
      const double q = value.constant->f32[i] / (double{lpbq.channel_scale[i / k]} * lpbq.per_block_int_scale[at]);
      ASSERT_NEAR(q, std::nearbyint(q), 1e-5) << name << " element " << i;
      ASSERT_LE(std::abs(q), 8.001);
    }
  }
}

TEST(ModelLoadTest, NamesTheFileThatIsWrong) {
  const TempFolder folder;
  const std::string onnx = GoldenPath("mlp/w8a8/model.onnx"), encodings = GoldenPath("mlp/w8a8/model.encodings");
  testing::ExpectError(Model::Load(folder / "none.onnx", encodings).status(), StatusCode::kNotFound, {"none.onnx"});
  testing::ExpectError(Model::Load(onnx, folder / "none.json").status(), StatusCode::kNotFound, {"none.json"});
  const testing::OnnxGraph graph{
      {OnnxNode("Hardmax", "s", {"x"}, {"y"})}, {}, {OnnxValue("x", {1})}, {OnnxValue("y", {1})}};
  testing::ExpectUnsupported(Model::Load(folder.Write("soft.onnx", graph.Model()), encodings).status(),
                             {"soft.onnx: Hardmax 's'"});
  // The encodings of another network.
  const std::string other =
      folder.Write("other.json", R"({"version":"1.0.0","param_encodings":[{"name":"fc1.weight","dtype":"INT",)"
                                 R"("enc_type":"PER_CHANNEL","bw":8,"is_sym":true,"scale":[1],"offset":[-128]}]})");
  testing::ExpectInvalid(Model::Load(onnx, other).status(), {"other.json", "'fc1.weight'", "1 scales", "256"});
}

TEST(LayerOutputsTest, ReadsTheFolderOfAimet) {
  const auto model = LoadGolden("digits_cnn/w4a8_lpbq");
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto read = ReadLayerOutputs(GoldenPath("digits_cnn/w4a8_lpbq/layer_outputs_onnx_names"), model->graph());
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->inputs.size(), 1u);
  EXPECT_EQ(read->inputs[0].name, "input");
  EXPECT_EQ(read->inputs[0].shape, (Shape{2, 1, 8, 8}));
  EXPECT_EQ(read->outputs.size(), 18u);
  EXPECT_TRUE(read->unmatched.empty());
  // The quantized ones are those of layers.npz, whose first two runs are the same images.
  const auto layers = ReadNpz(GoldenPath("digits_cnn/w4a8_lpbq/layers.npz"));
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  size_t compared = 0;
  for (const NamedArray& array : read->outputs) {
    for (const NamedArray& layer : *layers) {
      if (layer.name != array.name) continue;
      ++compared;
      EXPECT_EQ(array.shape.NumElements() * 2, layer.shape.NumElements()) << array.name;
      EXPECT_EQ(0, std::memcmp(array.bytes.data(), layer.bytes.data(), array.bytes.size())) << array.name;
    }
  }
  EXPECT_EQ(compared, 11u);  // all of layers.npz but the quantized input
  EXPECT_EQ(read->outputs.back().name == "output" ? read->outputs.back().shape : (Shape{2, 10}), (Shape{2, 10}));
}

class LayerOutputsOfTest : public ::testing::Test {
 protected:
  void SetUp() override {
    graph_ = testing::ReadGraph({{OnnxNode("Relu", "r", {"x/0"}, {"a.b"}), OnnxNode("Relu", "s", {"a.b"}, {"a/b"}),
                                  OnnxNode("Relu", "t", {"a/b"}, {"..y::1"})},
                                 {},
                                 {OnnxValue("x/0", {1, 2})},
                                 {OnnxValue("..y::1", {-1, 2})}});
    folder_.Write("inputs/input_0.raw", testing::RawData<float>({1, 2}));
    folder_.Write("inputs/input_1.raw", testing::RawData<float>({3, 4}));
    folder_.Write("outputs/layer_outputs_0/_y_1.raw", testing::RawData<float>({5, 6}));
    folder_.Write("outputs/layer_outputs_1/_y_1.raw", testing::RawData<float>({7, 8}));
  }
  Graph graph_;
  TempFolder folder_;
};

TEST_F(LayerOutputsOfTest, StacksRunsAndListsWhatFitsNoTensor) {
  for (const char* name : {"a_b", "ghost"}) {  // a.b and a/b share a file name
    folder_.Write(std::string("outputs/layer_outputs_0/") + name + ".raw", "1234");
  }
  const auto read = ReadLayerOutputs(folder_.path(), graph_);
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->outputs.size(), 1u);
  EXPECT_EQ(read->outputs[0].name, "..y::1");
  EXPECT_EQ(read->outputs[0].shape, (Shape{2, 2}));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(read->outputs[0].bytes.data()), 16),
            testing::RawData<float>({5, 6, 7, 8}));
  EXPECT_EQ(read->unmatched, (std::vector<std::string>{"a_b", "ghost"}));
}

TEST_F(LayerOutputsOfTest, RefusesRunsThatDiffer) {
  folder_.Write("outputs/layer_outputs_1/_y_1.raw", testing::RawData<float>({7}));
  testing::ExpectInvalid(ReadLayerOutputs(folder_.path(), graph_).status(),
                         {"layer_outputs_1/_y_1.raw", "4 bytes", "8"});
  folder_.Write("outputs/layer_outputs_0/_y_1.raw", "12345");
  testing::ExpectInvalid(ReadLayerOutputs(folder_.path(), graph_).status(), {"layer_outputs_0/_y_1.raw", "5 bytes"});
  std::filesystem::remove(folder_ / "outputs/layer_outputs_1/_y_1.raw");
  folder_.Write("outputs/layer_outputs_0/_y_1.raw", "1234");
  testing::ExpectError(ReadLayerOutputs(folder_.path(), graph_).status(), StatusCode::kNotFound,
                       {"layer_outputs_1/_y_1.raw"});
}

TEST_F(LayerOutputsOfTest, RefusesFoldersOfAnotherKind) {
  testing::ExpectError(ReadLayerOutputs(folder_ / "inputs", graph_).status(), StatusCode::kNotFound, {"input_0.raw"});
  std::filesystem::remove_all(folder_ / "outputs");
  testing::ExpectError(ReadLayerOutputs(folder_.path(), graph_).status(), StatusCode::kNotFound, {"layer_outputs_0"});
}

}  // namespace
}  // namespace lq
