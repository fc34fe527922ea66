// TranslateBlocks, FoldBlockFormats, TranslateDynamicQuantizers: codes, scales and zero points by hand, and networks
// that ONNX Runtime and Quark wrote.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lanequant/model.h"
#include "runtime/io/encodings_reader.h"
#include "runtime/passes/passes.h"
#include "tests/support/attach_folded.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::Arrays;
using testing::ExpectUnsupported;
using testing::GraphBuilder;

// A session on random inputs: its outputs are those of the simulator within the rounding of sums of a few hundred
// floats, and one of its layers has weights of these `bits`.
void ExpectSimulatorsValues(const std::shared_ptr<const Graph>& graph, testing::Random& random, const char* bits) {
  const Result<Session> session = Session::Prepare(Model(graph));
  ASSERT_TRUE(session.ok()) << session.status().message();
  const std::vector<StepInfo>& steps = session->steps();
  EXPECT_TRUE(std::any_of(steps.begin(), steps.end(), [=](const StepInfo& step) {
    return step.layer.weights.find(bits) != std::string::npos;
  })) << bits;
  testing::InputTensor input{session->inputs()[0].shape, {}};
  for (int64_t i = 0; i < input.shape.NumElements(); ++i) input.values.push_back(random.Float(-1, 1));
  const testing::Simulated expected = testing::Simulate(graph, std::vector<testing::InputTensor>{input});
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  const ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span(input.values))};
  const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, SerialExecutor());
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  for (size_t i = 0; i < run.outputs[0].size(); ++i) {
    EXPECT_NEAR(run.outputs[0][i], expected.outputs[0].values[i], 2e-5 * (1 + std::abs(run.outputs[0][i]))) << i;
  }
}

// Y = X (1, k) times a weight of one column.
class NBits : public ::testing::Test {
 protected:
  void Add(std::vector<int64_t> bytes, std::vector<float> scales, std::vector<int64_t> zero_points, int64_t k,
           int64_t bits) {
    std::vector<ValueId> inputs{builder_.Input({1, k}), builder_.Ints(std::move(bytes)),
                                builder_.Floats({static_cast<int64_t>(scales.size())}, scales)};
    if (!zero_points.empty()) inputs.push_back(builder_.Ints(std::move(zero_points)));
    builder_.Output(builder_.Node("MatMulNBits", inputs,
                                  {{"K", k}, {"N", int64_t{1}}, {"bits", bits}, {"block_size", int64_t{16}}}));
    builder_.graph().nodes[0].domain = "com.microsoft";
  }
  const Constant& Weight() {
    const Graph& graph = builder_.graph();
    return *graph.value(graph.nodes[0].inputs[0]).constant;
  }

  GraphBuilder builder_;
};

TEST_F(NBits, BytesHoldTheLowBitsFirst) {
  std::vector<int64_t> bytes(16, 0x88);
  bytes[0] = 0xf1;                          // 1, 15
  bytes[8] = 0x97;                          // of the second block: 7, 9
  Add(bytes, {0.5f, 2.0f}, {0x58}, 32, 4);  // zero points 8 and 5
  ASSERT_TRUE(TranslateBlocks(builder_.graph()).ok());
  const Graph& graph = builder_.graph();
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[0].Int("block_size", 0), 16);
  EXPECT_EQ(graph.nodes[0].Int("axis", 9), 0);
  const Constant& weight = Weight();
  EXPECT_EQ(weight.shape, (Shape{32, 1}));
  EXPECT_EQ(weight.file_type, DType::kU4);
  EXPECT_EQ(weight.s64[0], 1);
  EXPECT_EQ(weight.s64[1], 15);
  EXPECT_EQ(weight.s64[2], 8);
  EXPECT_EQ(weight.s64[16], 7);
  EXPECT_EQ(weight.s64[17], 9);
  EXPECT_EQ(graph.value(graph.nodes[0].inputs.at(2)).constant->s64, (std::vector<int64_t>{8, 5}));
  EXPECT_EQ(graph.nodes[1].op, "MatMul");
}

TEST_F(NBits, ZeroPointsInTheMiddleMakeSignedCodes) {
  Add(std::vector<int64_t>(8, 0xf0), {0.25f}, {}, 16, 4);
  ASSERT_TRUE(TranslateBlocks(builder_.graph()).ok());
  EXPECT_EQ(Weight().file_type, DType::kS4);
  EXPECT_EQ(Weight().s64[0], -8);
  EXPECT_EQ(Weight().s64[1], 7);
  EXPECT_EQ(builder_.graph().nodes[0].inputs.size(), 2u);
}

TEST_F(NBits, NegativeScalesMirrorTheGrid) {
  std::vector<int64_t> bytes(8, 0x80);  // 0, 8, 0, 8, ..: with the zero point 8 that goes without saying -8 and 0
  Add(bytes, {-0.25f}, {}, 16, 4);
  ASSERT_TRUE(TranslateBlocks(builder_.graph()).ok());
  const Graph& graph = builder_.graph();
  const Constant& weight = Weight();
  EXPECT_EQ(weight.file_type, DType::kU4);
  EXPECT_EQ(weight.s64[0], 15);  // 8 above its zero point
  EXPECT_EQ(weight.s64[1], 7);
  EXPECT_EQ(graph.value(graph.nodes[0].inputs.at(2)).constant->s64, std::vector<int64_t>{7});
  EXPECT_EQ(graph.value(graph.nodes[0].inputs[1]).constant->f32, std::vector<float>{0.25f});
}

// MatMulNBits on the kernels, against the simulator: 2, 4 and 8 bits, scales of either sign, zero points packed or not.
TEST(NBitsSession, RunsOnTheBitsOfTheFile) {
  testing::Random random(7);
  for (const int64_t bits : {2, 4, 8}) {
    for (const auto& [block, missing] : {std::pair<int64_t, int64_t>{16, 0}, {32, 0}, {256, 0}, {16, 12}, {32, 8}}) {
      for (const bool has_zeros : {false, true}) {
        SCOPED_TRACE(fmt::format("{} bits, blocks of {}, {} missing in the last one, zero points {}", bits, block,
                                 missing, has_zeros));
        constexpr int64_t kN = 5;
        const int64_t count = block == 256 ? 1 : 3, k = count * block - missing;
        const auto bytes = [&](int64_t size) {
          std::vector<int64_t> values(static_cast<size_t>(size));
          for (int64_t& value : values) value = random.Int(0, 255);
          return values;
        };
        std::vector<float> scales(static_cast<size_t>(kN * count));
        for (float& scale : scales) scale = random.Float(0.1f, 0.2f) * (random.Chance(0.5) ? 1.0f : -1.0f);
        GraphBuilder builder;
        std::vector<ValueId> inputs{builder.Input({3, k}), builder.Ints(bytes(kN * count * block * bits / 8)),
                                    builder.Floats({kN * count}, scales)};
        if (has_zeros) inputs.push_back(builder.Ints(bytes(kN * ((count * bits + 7) / 8))));
        builder.Output(
            builder.Node("MatMulNBits", inputs, {{"K", k}, {"N", kN}, {"bits", bits}, {"block_size", block}}));
        Graph& graph = builder.graph();
        graph.nodes[0].domain = "com.microsoft";
        ASSERT_TRUE(TranslateBlocks(graph).ok());
        ASSERT_NO_FATAL_FAILURE(testing::AttachFolded(graph));
        ExpectSimulatorsValues(builder.Share(), random, bits <= 4 ? "4-bit" : "8-bit");
      }
    }
  }
}

TEST_F(NBits, AShorterLastBlockMakesFloats) {
  std::vector<int64_t> bytes(32, 130);
  bytes[16] = 131;
  Add(bytes, {0.5f, 2.0f}, {}, 18, 8);
  ASSERT_TRUE(TranslateBlocks(builder_.graph()).ok());
  const Graph& graph = builder_.graph();
  ASSERT_EQ(graph.nodes.size(), 1u);
  const Constant& weight = *graph.value(graph.nodes[0].inputs[1]).constant;
  EXPECT_EQ(weight.shape, (Shape{18, 1}));
  EXPECT_EQ(weight.f32[0], 2 * 0.5f);
  EXPECT_EQ(weight.f32[16], 3 * 2.0f);
  EXPECT_EQ(weight.f32[17], 2 * 2.0f);
}

TEST_F(NBits, RefusesWhatDoesNotFit) {
  Add(std::vector<int64_t>(7), {1.0f}, {}, 16, 4);
  Graph graph = builder_.graph();
  ExpectUnsupported(TranslateBlocks(graph), {"MatMulNBits", "8 bytes"});
  graph = builder_.graph();
  graph.nodes[0].attributes["bits"] = int64_t{3};
  ExpectUnsupported(TranslateBlocks(graph), {"3 bits", "2, 4 or 8"});
}

const Arrays& Golden() {
  static const Arrays arrays = [] {
    Result<Arrays> read = testing::ReadArrays(testing::GoldenPath("qdq/blocks.npz"));
    EXPECT_TRUE(read.ok()) << read.status().message();
    return read.ok() ? *std::move(read) : Arrays();
  }();
  return arrays;
}

Result<Model> LoadGolden(const std::string& name) {
  const NamedArray& file = Golden().at(name + "|model");
  const testing::TempFolder folder;
  return Model::Load(
      folder.Write("m.onnx", std::string(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size())), "");
}

// How many outputs of the simulator are farther than `tolerance` from those of the tool.
size_t CountFar(const std::string& name, float tolerance) {
  SCOPED_TRACE(name);
  const Result<Model> model = LoadGolden(name);
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return 1;
  const std::shared_ptr<const Graph> graph(&model->graph(), [](const Graph*) {});
  const ConstTensorView input = Golden().at(name + "|input").view();
  const testing::Simulated got = testing::Simulate(graph, std::span<const ConstTensorView>(&input, 1), {});
  EXPECT_TRUE(got.status.ok()) << got.status.message();
  if (!got.status.ok()) return 1;
  const NamedArray& want = Golden().at(name + "|output");
  EXPECT_EQ(got.outputs[0].shape, want.shape);
  size_t far = 0;
  for (size_t i = 0; i < got.outputs[0].values.size(); ++i) {
    far += !(std::abs(got.outputs[0].values[i] - want.view().data<float>()[i]) <= tolerance);
  }
  return far;
}

// ONNX Runtime sums in float32.
TEST(BlocksGolden, HaveTheOutputsOfOnnxRuntime) {
  for (const char* name : {"onnxruntime/transformer/nbits4_qop_sym_b32", "onnxruntime/transformer/nbits4_qop_asym_b16",
                           "onnxruntime/transformer/nbits2_qop_asym_b16", "onnxruntime/transformer/nbits4_qdq_sym_b32",
                           "quark/transformer/MATMUL_NBITS"}) {
    EXPECT_EQ(CountFar(name, 2e-5f), 0u) << name;
  }
}

// A sum that float32 rounds moves the next tensor's range, and with it some codes by one.
TEST(DynamicGolden, HaveTheOutputsOfOnnxRuntime) {
  for (const char* name : {"onnxruntime/mlp/dynamic_s8", "onnxruntime/mlp/dynamic_u8_perchannel",
                           "onnxruntime/cnn/dynamic_s8", "onnxruntime/cnn/dynamic_u8_perchannel"}) {
    EXPECT_EQ(CountFar(name, 2e-5f), 0u) << name;
  }
}

TEST(Dynamic, RefusesOtherReadersOfTheCodes) {
  GraphBuilder builder;
  const ValueId codes = builder.Node("DynamicQuantizeLinear", {builder.Input({2, 4})});
  Graph& graph = builder.graph();
  for (int i = 0; i < 2; ++i) {
    graph.values.emplace_back();
    graph.nodes[0].outputs.push_back(static_cast<ValueId>(graph.values.size() - 1));
  }
  builder.Node("Relu", {codes});
  ExpectUnsupported(TranslateDynamicQuantizers(graph).status(), {"Relu", "MatMulInteger"});
}

// Bit for bit: the last quantizer takes away what float32 sums add.
TEST(BlockFormatsGolden, HaveTheOutputsOfQuark) {
  for (const char* name : {"quark/mlp/BFP16", "quark/mlp/MX6", "quark/mlp/MXINT8", "quark/mlp/MXFP4E2M1",
                           "quark/mlp/MXFP8E5M2", "quark/cnn/BFP16_QCONFIG"}) {
    EXPECT_EQ(CountFar(name, 0), 0u) << name;
  }
}

// The same on kernels: these have weights on grids of up to 8 bits.
TEST(BlockFormatsGolden, KernelsHaveTheOutputsOfQuark) {
  for (const char* name : {"quark/mlp/BFP16", "quark/mlp/MX6", "quark/mlp/MXINT8", "quark/mlp/MXFP4E2M1"}) {
    SCOPED_TRACE(name);
    const Result<Model> model = LoadGolden(name);
    ASSERT_TRUE(model.ok()) << model.status().message();
    const Result<Session> session = Session::Prepare(*model);
    ASSERT_TRUE(session.ok()) << session.status().message();
    const ConstTensorView input = Golden().at(std::string(name) + "|input").view();
    const testing::SessionRun run = testing::RunSession(*session, {&input, 1}, SerialExecutor());
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    const float* want = Golden().at(std::string(name) + "|output").view().data<float>();
    for (size_t i = 0; i < run.outputs[0].size(); ++i) EXPECT_EQ(run.outputs[0][i], want[i]) << i;
  }
}

// Any axis and rank, against the simulator bit for bit: rounded values are no sums.
TEST(BlockFormats, ActivationsOnKernels) {
  testing::Random random(3);
  for (const auto& [shape, axis] :
       {std::pair{Shape{3, 40}, 1}, {Shape{2, 5, 7}, 1}, {Shape{2, 3, 4, 9}, -1}, {Shape{6}, 1}}) {
    for (const char* op : {"BFPQuantizeDequantize", "MXQuantizeDequantize", "RoundToFloat16", "RoundToBfloat16"}) {
      SCOPED_TRACE(fmt::format("{} of {}", op, shape.ToString()));
      GraphBuilder builder;
      const ValueId x = builder.Input(shape);
      const bool is_blocks = op[0] != 'R';
      builder.Output(builder.Node("Relu", {builder.Node(op, {x},
                                                        is_blocks ? GraphBuilder::Attributes{{"axis", int64_t{axis}}}
                                                                  : GraphBuilder::Attributes{})}));
      testing::InputTensor input{shape, {}};
      for (int64_t i = 0; i < shape.NumElements(); ++i) {
        input.values.push_back(random.Float(-1, 1) * (random.Chance(0.2) ? 1e-6f : 1.0f));
      }
      const Result<Session> session = Session::Prepare(Model(builder.Share()));
      ASSERT_TRUE(session.ok()) << session.status().message();
      const testing::Simulated expected = testing::Simulate(builder.Share(), std::vector<testing::InputTensor>{input});
      ASSERT_TRUE(expected.status.ok()) << expected.status.message();
      const ConstTensorView view{DType::kF32, shape, std::as_bytes(std::span(input.values))};
      const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, SerialExecutor());
      ASSERT_TRUE(run.status.ok()) << run.status.message();
      EXPECT_EQ(run.outputs[0], expected.outputs[0].values);
    }
  }
}

TEST(BlockFormats, RefusesWhatNoOperatorHas) {
  const auto fold = [](GraphBuilder::Attributes attributes) {
    GraphBuilder builder;
    builder.Node("BFPQuantizeDequantize", {builder.Input({2, 4})}, std::move(attributes));
    builder.graph().nodes[0].domain = "com.amd.quark";
    return FoldBlockFormats(builder.graph()).status();
  };
  EXPECT_TRUE(fold({}).ok());
  ExpectUnsupported(fold({{"bfp_method", std::string("other")}}), {"BFPQuantizeDequantize", "'other'"});
  ExpectUnsupported(fold({{"rounding_mode", int64_t{3}}}), {"rounding_mode 3"});
  ExpectUnsupported(fold({{"bit_width", int64_t{9}}}), {"bit_width 9"});
}

}  // namespace
}  // namespace lq
