// QDQ networks that AIMET, ONNX Runtime and Quark wrote (tests/golden/qdq): kernels against the exact simulator, and
// the simulator against the codes that ONNX Runtime computed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "lanequant/model.h"
#include "runtime/output_arrays.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/read_graph.h"
#include "tests/support/run_session.h"

namespace lq {
namespace {

using testing::Arrays;
using testing::Bundle;
using testing::FindValue;
using testing::GoldenPath;
using testing::TempFolder;

const Arrays& Golden() {
  static const Arrays arrays = [] {
    Arrays all;
    for (const char* file : {"qdq/qdq.npz", "qdq/operators.npz", "qdq/qoperators.npz", "qdq/exports.npz"}) {
      Result<Arrays> read = testing::ReadArrays(GoldenPath(file));
      EXPECT_TRUE(read.ok()) << read.status().message();
      if (read.ok()) all.merge(*read);
    }
    return all;
  }();
  return arrays;
}

std::string TextOf(const NamedArray& file) {
  return std::string(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
}

// With its encodings, where it has a file of them.
Result<Model> LoadGolden(const std::string& name) {
  const TempFolder folder;
  const auto encodings = Golden().find(name + "|encodings");
  return Model::Load(
      folder.Write("m.onnx", TextOf(Golden().at(name + "|model"))),
      encodings != Golden().end() ? folder.Write("m.encodings", TextOf(encodings->second)) : std::string());
}

// The codes of the array as real numbers, which is what Compare takes.
NamedArray ToReals(const NamedArray& codes, const PerTensor& e) {
  NamedArray out{codes.name, DType::kF64, codes.shape, {}};
  std::vector<double> reals(static_cast<size_t>(codes.shape.NumElements()));
  for (size_t i = 0; i < reals.size(); ++i) {
    const int code = codes.dtype == DType::kS8 ? codes.view().data<int8_t>()[i] : codes.view().data<uint8_t>()[i];
    reals[i] = static_cast<double>(code + e.offset) * static_cast<double>(e.scale);
  }
  const auto bytes = std::as_bytes(std::span(reals));
  out.bytes.assign(bytes.begin(), bytes.end());
  return out;
}

// What ONNX Runtime, graph optimizations off, or AIMET computed in the network; by the names of our tensors.
Arrays LayersOf(const std::string& name, const Graph& graph) {
  Arrays layers;
  const std::string prefix = name + "|layer|";
  for (const auto& [key, array] : Golden()) {
    if (key.rfind(prefix, 0) != 0) continue;
    const Value& value = FindValue(graph, key.substr(prefix.size()));
    EXPECT_TRUE(value.encoding.has_value()) << key;
    if (!value.encoding.has_value()) continue;
    layers.emplace(value.name, array.dtype == DType::kF32 ? array  // of AIMET, dequantized
                                                          : ToReals(array, std::get<PerTensor>(*value.encoding)));
  }
  return layers;
}

// Every code of every encoded activation, with and without fusion.
void ExpectKernelsEqualSimulator(const Model& model, const NamedArray& input) {
  const std::shared_ptr<const Graph> shared(&model.graph(), [](const Graph*) {});
  const auto simulator = Simulator::Prepare(shared, {});
  ASSERT_TRUE(simulator.ok()) << simulator.status().message();
  const ConstTensorView view = input.view();
  std::map<ValueId, ObservedTensor> observed;
  const auto outputs = simulator->Run({&view, 1}, [&](ObservedTensor& t) { observed.emplace(t.id, t); });
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  for (const bool keep : {true, false}) {
    SessionOptions options;
    options.keep_encoded_tensors = keep;
    const Result<Session> session = Session::Prepare(model, options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, SerialExecutor());
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    if (keep) {
      EXPECT_EQ(run.observed.size(), observed.size());
    }
    for (const auto& [id, tensor] : run.observed) {
      EXPECT_EQ(tensor.codes, observed.at(id).codes) << model.graph().value(id).name;
    }
    for (size_t i = 0; i < run.outputs.size(); ++i) EXPECT_EQ(run.outputs[i], (*outputs)[i].values);
  }
}

struct Case {
  const char* name;
  size_t codes;      // compared
  size_t differing;  // one tie, which float32 sums break
  // QLinearAdd of 1 + erf, where every other code is a tie: the test QLinearAdd below explains each of them.
  size_t beyond_float32 = 0;
};

class QdqGolden : public ::testing::TestWithParam<Case> {};

TEST_P(QdqGolden, HasTheCodesOfItsTool) {
  const std::string name = GetParam().name;
  const Result<Model> model = LoadGolden(name);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const NamedArray& input = Golden().at(name + "|input");
  ExpectKernelsEqualSimulator(*model, input);
  const Arrays layers = LayersOf(name, model->graph());
  const Bundle bundle{"", *model, {{"input", input}}};
  SimulatorOptions options;
  options.record = true;
  const auto compared = testing::Compare(bundle, layers, testing::Feed::kIsolated, options);
  ASSERT_TRUE(compared.status.ok()) << compared.status.message();
  EXPECT_EQ(compared.codes, GetParam().codes);
  EXPECT_EQ(compared.differing, GetParam().differing) << compared.where;
  EXPECT_EQ(compared.unexplained, GetParam().beyond_float32);
  EXPECT_TRUE(compared.not_seen.empty()) << compared.not_seen[0];
}

std::string Name(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.name;
  for (char& c : name) c = c == '/' ? '_' : c;
  return name;
}

constexpr Case kCases[] = {{"onnxruntime/cnn/qdq_u8s8_perchannel", 11540, 0},
                           {"onnxruntime/cnn/qdq_s8s8_symmetric", 20756, 0},
                           {"onnxruntime/cnn/qdq_u8u8", 11540, 0},
                           {"onnxruntime/cnn/qdq_u8s4", 11540, 1},
                           {"onnxruntime/cnn/qdq_u8s8_weight_qdq_pair", 11540, 0},
                           {"onnxruntime/cnn/qdq_u8s8_float_bias", 11540, 0},
                           {"quark/cnn/A8W8_perchannel", 11540, 0},
                           {"quark/cnn/VINT8", 20756, 0},
                           {"quark/cnn/XINT8", 11540, 0},
                           {"onnxruntime/mlp/qdq_u8s8", 532, 0},
                           {"onnxruntime/mlp/qdq_s8s8_symmetric", 660, 0},
                           {"quark/mlp/XINT8", 532, 0},
                           {"onnxruntime/transformer/qdq_u8s8", 20436, 0},
                           {"onnxruntime/transformer/qdq_s8s8_perchannel", 20436, 0},
                           {"quark/transformer/A8W8", 21460, 0},
                           {"quark/transformer/XINT8", 21460, 0},
                           {"onnxruntime/cnn/qop_u8s8_perchannel", 10452, 0},
                           {"onnxruntime/cnn/qop_s8s8", 10452, 0},
                           {"onnxruntime/cnn/qop_u8u8", 10452, 0},
                           {"onnxruntime/mlp/qop_u8s8_perchannel", 532, 0},
                           {"onnxruntime/mlp/qop_u8u8", 532, 0},
                           {"onnxruntime/transformer/qop_u8s8", 16340, 240, 107},
                           {"onnxruntime/transformer/qop_s8s8", 16340, 148},
                           {"onnxruntime/reused_weight", 1570, 0},
                           {"onnxruntime/rotary", 19656, 0},
                           {"onnxruntime/pads", 5448, 0},
                           {"aimet/audio_w8a16", 9237, 10},
                           {"aimet/group_norm_w8a8", 4227, 0}};
INSTANTIATE_TEST_SUITE_P(Tools, QdqGolden, ::testing::ValuesIn(kCases), Name);

// The codes of an operand: of an activation as recorded, of a constant as the file has them.
std::vector<int32_t> OperandCodes(const Value& value, const Arrays& layers) {
  const auto& e = std::get<PerTensor>(*value.encoding);
  if (const auto found = layers.find(value.name); found != layers.end()) return testing::CodesOf(found->second, e);
  std::vector<int32_t> codes;
  if (!value.constant.has_value()) return codes;
  for (float x : value.constant->f32) codes.push_back(static_cast<int32_t>(std::lround(x / e.scale)) - e.offset);
  return codes;
}

// exact_simulator.md 4 and ONNX's function body: operands become float32, are added and quantized. ONNX Runtime instead
// multiplies codes by float32 quotients of scales, with the zero points in one addend and fused multiply-adds. So it
// has ties where we have float32 sums beside them, and the other way round: 389 codes of 1 + erf in two networks
// differ. Its definition gives all of its codes, ours all that QuantizeLinear, Add and DequantizeLinear have.
int32_t OrtSum(int32_t a, const PerTensor& ea, int32_t b, const PerTensor& eb, const PerTensor& ey) {
  const float scale_a = ea.scale / ey.scale, scale_b = eb.scale / ey.scale;
  const auto zero = [](const PerTensor& e) { return static_cast<float>(-e.offset); };
  const float addend = zero(ey) - std::fma(scale_b, zero(eb), scale_a * zero(ea));
  const float sum = std::fma(static_cast<float>(b), scale_b, std::fma(static_cast<float>(a), scale_a, addend));
  const auto low = static_cast<float>(ey.grid.qmin()), high = static_cast<float>(ey.grid.qmax());
  return static_cast<int32_t>(std::nearbyint(std::clamp(sum, low, high)));
}

TEST(QLinearAdd, EveryCodeOfOnnxRuntimeFollowsFromItsArithmetic) {
  for (const std::string name : {"onnxruntime/transformer/qop_u8s8", "onnxruntime/transformer/qop_s8s8"}) {
    const Result<Model> model = LoadGolden(name);
    ASSERT_TRUE(model.ok()) << model.status().message();
    const Graph& graph = model->graph();
    const Arrays layers = LayersOf(name, graph);
    size_t compared = 0;
    for (const Node& node : graph.nodes) {
      if (node.op != "Add") continue;
      const Value &a = graph.value(node.inputs[0]), &b = graph.value(node.inputs[1]), &y = graph.value(node.outputs[0]);
      const std::vector<int32_t> a_codes = OperandCodes(a, layers), b_codes = OperandCodes(b, layers),
                                 want = OperandCodes(y, layers);
      ASSERT_FALSE(a_codes.empty() || b_codes.empty() || want.empty()) << node.name;
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_EQ(OrtSum(a_codes[i % a_codes.size()], std::get<PerTensor>(*a.encoding), b_codes[i % b_codes.size()],
                         std::get<PerTensor>(*b.encoding), std::get<PerTensor>(*y.encoding)),
                  want[i])
            << node.name << " " << i;
      }
      compared += want.size();
    }
    EXPECT_EQ(compared, 6656u) << name;  // of 11 nodes
  }
}

// AIMET's QDQ exports of the networks beside this folder. Their biases have int32 codes.
class QdqAimet : public ::testing::TestWithParam<const char*> {};

TEST_P(QdqAimet, HasTheCodesOfOnnxRuntime) {
  const std::string name = GetParam();
  const Result<Model> model = LoadGolden(name);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto data = testing::ReadArrays(GoldenPath(name + "/data.npz"));
  ASSERT_TRUE(data.ok()) << data.status().message();
  const NamedArray& input = data->at("input");
  ExpectKernelsEqualSimulator(*model, input);
  const ConstTensorView view = input.view();
  const Result<Session> session = Session::Prepare(*model, {});
  ASSERT_TRUE(session.ok()) << session.status().message();
  const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, SerialExecutor());
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  const auto& e = std::get<PerTensor>(*FindValue(model->graph(), "output").encoding);
  const std::vector<int32_t> want = testing::CodesOf(data->at("output_ort"), e);
  ASSERT_EQ(run.outputs[0].size(), want.size());
  // ONNX Runtime sums in float32: in the deepest of these networks, over all 360 images, that moves two codes by one.
  size_t differing = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const int64_t difference = std::lround(run.outputs[0][i] / e.scale) - e.offset - want[i];
    EXPECT_LE(std::abs(difference), 1);
    differing += difference != 0;
  }
  EXPECT_LE(differing, name == "digits_cnn/w4a8_lpbq" ? 2u : 0u) << "of " << want.size();
}

// AIMET writes the codes of symmetric activations as unsigned ones.
std::string Canonical(const Encoding& encoding) {
  const auto* e = std::get_if<PerTensor>(&encoding);
  return Describe(e != nullptr ? Encoding(ToUnsigned(*e)) : encoding);
}

// The same numbers as in the encodings file of the same export.
TEST_P(QdqAimet, HasTheEncodingsOfTheFile) {
  const std::string name = GetParam();
  const Result<Model> model = LoadGolden(name);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto bundle = testing::LoadBundle(GoldenPath(name));
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  size_t encodings = 0, biases = 0, expected = 0;
  for (const Value& value : bundle->model.graph().values) expected += value.encoding.has_value();
  for (const Value& value : model->graph().values) {
    biases += value.constant.has_value() && value.constant->dtype == DType::kF64;
    if (!value.encoding.has_value()) continue;
    ++encodings;
    EXPECT_EQ(Canonical(*value.encoding), Canonical(*FindValue(bundle->model.graph(), value.name).encoding));
  }
  EXPECT_EQ(encodings, expected);
  EXPECT_EQ(biases, name[0] == 'm' ? 3u : 8u);
}

INSTANTIATE_TEST_SUITE_P(Exports, QdqAimet,
                         ::testing::Values("digits_cnn/w8a8", "digits_cnn/w4a8_lpbq", "mlp/w8a8", "mlp/w4a8_lpbq"),
                         [](const ::testing::TestParamInfo<const char*>& exported) {
                           std::string name = exported.param;
                           for (char& c : name) c = c == '/' ? '_' : c;
                           return name;
                         });

TEST(QdqLpbq, RunsInFourBits) {
  const Result<Model> model = LoadGolden("digits_cnn/w4a8_lpbq");
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Result<Session> session = Session::Prepare(*model, {});
  ASSERT_TRUE(session.ok()) << session.status().message();
  std::map<std::string, std::string> weights;
  for (const StepInfo& step : session->steps()) weights[step.name] = step.layer.weights;
  EXPECT_EQ(weights["/conv2/conv/Conv"], "4-bit LPBQ, block 16");
  EXPECT_EQ(weights["/pointwise/conv/Conv"], "4-bit LPBQ, block 32");
  EXPECT_EQ(weights["/fc/Gemm"], "4-bit LPBQ, block 64");
}

// The codes of AIMET's binary64 simulation with the biases of this export.
TEST(QdqAimetLayers, EveryLayer) {
  const Result<Model> model = LoadGolden("digits_cnn/w8a8");
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto data = testing::ReadArrays(GoldenPath("digits_cnn/w8a8/data.npz"));
  const auto layers = testing::ReadArrays(GoldenPath("digits_cnn/w8a8/layers_fp64_int32_bias.npz"));
  ASSERT_TRUE(data.ok() && layers.ok());
  const auto compared = testing::Compare({"", *model, *data}, *layers, testing::Feed::kCumulative, {});
  ASSERT_TRUE(compared.status.ok()) << compared.status.message();
  EXPECT_EQ(compared.codes, 49960u);
  EXPECT_EQ(compared.differing, 0u) << compared.where;
  EXPECT_TRUE(compared.not_seen.empty()) << compared.not_seen[0];
}

}  // namespace
}  // namespace lq
