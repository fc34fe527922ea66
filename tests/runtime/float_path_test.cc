// Layers whose inputs have no codes, or whose weights have no scale for each channel: within the bound that
// float_linear.h states, of the simulator, which adds up in binary64; the same bits everywhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/reference/reference.h"
#include "lanequant/model.h"
#include "tests/support/any_machine.h"
#include "tests/support/float_layer.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::FloatLayer;
using testing::Random;
using Form = FloatLayer::Form;

bool SumsFloats(const StepInfo& step) { return step.layer.sums_floats; }

std::vector<float> RunLayer(const FloatLayer& layer, const SessionOptions& options, Executor& executor) {
  const Result<Session> session = Session::Prepare(Model(layer.MakeGraph(Form::kAsItIs)), options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  if (!session.ok()) return {};
  const auto found = std::find_if(session->steps().begin(), session->steps().end(), SumsFloats);
  EXPECT_NE(found, session->steps().end());
  if (found != session->steps().end()) {
    const std::string& why = found->layer.weights;
    EXPECT_TRUE(why.find("has no encoding") != std::string::npos || why.find("vary along") != std::string::npos) << why;
  }
  const ConstTensorView in{DType::kF32, layer.input_shape(),
                           std::as_bytes(std::span<const float>(layer.InputOf(Form::kAsItIs)))};
  const testing::SessionRun run = testing::RunSession(*session, {&in, 1}, executor);
  EXPECT_TRUE(run.status.ok()) << run.status.message();
  return run.status.ok() ? run.outputs[0] : std::vector<float>();
}

std::vector<float> SimulateLayer(const FloatLayer& layer, Form form) {
  const testing::Simulated run =
      testing::Simulate(layer.MakeGraph(form), {testing::InputTensor{layer.input_shape(), layer.InputOf(form)}}, {});
  EXPECT_TRUE(run.status.ok()) << run.status.message();
  return run.status.ok() ? run.outputs[0].values : std::vector<float>();
}

// A real number as the layer hands it over: monotonic, so that bounds stay bounds.
float HandedOver(double y, const std::optional<PerTensor>& e) {
  if (!e) return static_cast<float>(y);
  const int64_t code = reference::QuantizeReal(y, e->grid, e->scale, e->offset, RoundingProfile::kAimetDiv).code;
  return static_cast<float>(static_cast<double>(code + e->offset) * double{e->scale});
}

TEST(FloatPath, StaysWithinItsBoundWithTheSameBitsEverywhere) {
  Random random(98);
  testing::AnyMachine machine;
  for (size_t i = 0; i < testing::Cases(400); ++i) {
    const FloatLayer layer(random);
    SCOPED_TRACE("case " + std::to_string(i) + " seed " + std::to_string(testing::Seed()) + ": " + layer.Describe());
    SessionOptions options;
    const std::vector<float> got = RunLayer(layer, options, SerialExecutor());
    options.max_isa = machine.Target(random);
    ASSERT_EQ(RunLayer(layer, options, machine.Workers(random)), got) << options.max_isa;
    const std::vector<float> expected = SimulateLayer(layer, Form::kWithoutOutputEncoding);
    const std::vector<float> magnitudes = SimulateLayer(layer, Form::kMagnitudes);
    ASSERT_EQ(got.size(), expected.size());
    for (size_t j = 0; j < got.size(); ++j) {
      const double y = expected[j], bound = layer.Bound(magnitudes[j]);
      ASSERT_GE(got[j], HandedOver(y - bound, layer.output())) << "output " << j << " of " << y;
      ASSERT_LE(got[j], HandedOver(y + bound, layer.output())) << "output " << j << " of " << y;
    }
  }
}

// Whole networks of AIMET and ONNX Runtime that have such layers (tests/golden/float_layers).
class FloatNetworks : public ::testing::TestWithParam<const char*> {};

TEST_P(FloatNetworks, RunAsTheToolDoes) {
  const auto arrays = testing::ReadArrays(testing::GoldenPath("float_layers/networks.npz"));
  ASSERT_TRUE(arrays.ok()) << arrays.status().message();
  const auto at = [&](const std::string& what) { return arrays->find(GetParam() + what); };
  const auto text = [](const NamedArray& array) {
    return std::string(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  };
  const testing::TempFolder folder;
  const auto encodings = at("|encodings");
  const Result<Model> model =
      Model::Load(folder.Write("m.onnx", text(at("|model")->second)),
                  encodings == arrays->end() ? "" : folder.Write("m.encodings", text(encodings->second)));
  ASSERT_TRUE(model.ok()) << model.status().message();
  const ConstTensorView in = at("|input")->second.view();
  std::vector<std::vector<float>> first;
  for (const TargetInfo& target : CompiledTargets()) {
    SessionOptions options;
    options.max_isa = target.name;
    const Result<Session> session = Session::Prepare(*model, options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    EXPECT_TRUE(std::any_of(session->steps().begin(), session->steps().end(), SumsFloats));
    const testing::SessionRun run = testing::RunSession(*session, {&in, 1}, SerialExecutor());
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    if (first.empty()) first = run.outputs;
    EXPECT_EQ(run.outputs, first) << target.name;
  }
  for (size_t i = 0; i < first.size(); ++i) {
    const NamedArray& tool = at("|output" + std::to_string(i))->second;
    ASSERT_EQ(first[i].size(), static_cast<size_t>(tool.shape.NumElements()));
    for (size_t e = 0; e < first[i].size(); ++e) {
      EXPECT_NEAR(first[i][e], tool.view().data<float>()[e], 1e-6) << "output " << i << " element " << e;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FloatNetworks, ::testing::Values("clip", "product", "blocks", "transpose"));

}  // namespace
}  // namespace lq
