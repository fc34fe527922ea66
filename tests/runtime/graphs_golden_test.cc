// Small networks of AIMET and ONNX Runtime (tests/golden/graphs) for operators that the larger ones do not have: the
// simulator against the tool, the kernels against the simulator, bit by bit.
#include <gtest/gtest.h>

#include <string>

#include "lanequant/model.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::Arrays;

const Arrays& Golden() {
  static const Arrays arrays = [] {
    Result<Arrays> read = testing::ReadArrays(testing::GoldenPath("graphs/graphs.npz"));
    EXPECT_TRUE(read.ok()) << read.status().message();
    return read.ok() ? *std::move(read) : Arrays();
  }();
  return arrays;
}

std::string Text(const NamedArray& array) {
  return {reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size()};
}

class GraphsGolden : public ::testing::TestWithParam<const char*> {
 protected:
  Result<Model> Load() const {
    const testing::TempFolder folder;
    const auto encodings = Golden().find(Key("|encodings"));
    return Model::Load(folder.Write("m.onnx", Text(Golden().at(Key("|model")))),
                       encodings == Golden().end() ? "" : folder.Write("m.encodings", Text(encodings->second)));
  }
  std::vector<ConstTensorView> Inputs() const {
    std::vector<ConstTensorView> views;
    for (size_t i = 0; Golden().count(Key("|input" + std::to_string(i))) != 0; ++i) {
      views.push_back(Golden().at(Key("|input" + std::to_string(i))).view());
    }
    return views;
  }
  static std::string Key(const std::string& what) { return GetParam() + what; }
};

TEST_P(GraphsGolden, SimulatorEqualsToolAndKernelsEqualSimulator) {
  const Result<Model> model = Load();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::shared_ptr<const Graph> graph(&model->graph(), [](const Graph*) {});
  const std::vector<ConstTensorView> inputs = Inputs();
  const testing::Simulated expected = testing::Simulate(graph, std::span<const ConstTensorView>(inputs), {});
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  for (size_t i = 0; i < expected.outputs.size(); ++i) {
    const std::string name = graph->value(graph->outputs[i]).name;
    if (name == "top") continue;  // PyTorch orders equal logits as it likes; the kernels are compared below
    const NamedArray& tool = Golden().at(Key("|output|" + name));
    ASSERT_EQ(expected.outputs[i].shape, tool.shape) << name;
    const double* values = tool.view().data<double>();
    for (size_t e = 0; e < expected.outputs[i].values.size(); ++e) {
      EXPECT_EQ(expected.outputs[i].values[e], static_cast<float>(values[e])) << name << " element " << e;
    }
  }
  for (const TargetInfo& target : CompiledTargets()) {
    SessionOptions options;
    options.max_isa = target.name;
    const Result<Session> session = Session::Prepare(*model, options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    const testing::SessionRun run = testing::RunSession(*session, inputs, SerialExecutor());
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    for (size_t i = 0; i < run.outputs.size(); ++i)
      EXPECT_EQ(run.outputs[i], expected.outputs[i].values) << target.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, GraphsGolden,
                         ::testing::Values("conv3d", "decoder", "codes", "lstm", "gru", "attention", "gathered",
                                           "pooled", "copies", "older", "cached", "bert", "llama", "vit", "swin",
                                           "cubic", "output_shape", "transposed_gemm", "einsum", "unfolded", "power",
                                           "twice"));

}  // namespace
}  // namespace lq
