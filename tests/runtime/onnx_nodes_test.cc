// ONNX's own node tests in float32: the simulator against their outputs, the kernels against the simulator, bit by bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <set>
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
    Result<Arrays> read = testing::ReadArrays(testing::GoldenPath("onnx_nodes/nodes.npz"));
    EXPECT_TRUE(read.ok()) << read.status().message();
    return read.ok() ? *std::move(read) : Arrays();
  }();
  return arrays;
}

std::set<std::string> CaseNames() {
  std::set<std::string> names;
  for (const auto& [key, array] : Golden()) names.insert(key.substr(0, key.find('|')));
  return names;
}

Result<Model> Load(const std::string& name) {
  const NamedArray& file = Golden().at(name + "|model");
  const testing::TempFolder folder;
  const std::string encodings = R"({"version": "1.0.0", "activation_encodings": [], "param_encodings": []})";
  return Model::Load(
      folder.Write("m.onnx", std::string(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size())),
      folder.Write("m.encodings", encodings));
}

std::vector<ConstTensorView> InputsOf(const std::string& name) {
  std::vector<ConstTensorView> views;
  for (size_t i = 0;; ++i) {
    const auto found = Golden().find(name + "|input" + std::to_string(i));
    if (found == Golden().end()) return views;
    views.push_back(found->second.view());
  }
}

// ONNX computes in float32, sums included.
void ExpectClose(const Simulator::Output& got, const NamedArray& want) {
  ASSERT_EQ(got.shape, want.shape);
  const float* values = want.view().data<float>();
  for (size_t i = 0; i < got.values.size(); ++i) {
    if (std::isnan(values[i]) && std::isnan(got.values[i])) continue;
    if (values[i] == got.values[i]) continue;  // infinities
    EXPECT_LE(std::abs(got.values[i] - values[i]), 1e-5f * std::max(1.0f, std::abs(values[i]))) << "element " << i;
  }
}

// Bit by bit; any NaN equals any NaN. False if the planner refuses the node.
bool KernelsAgree(const Model& model, const std::vector<ConstTensorView>& inputs, const Simulator::Output& want) {
  for (const TargetInfo& target : CompiledTargets()) {
    SessionOptions options;
    options.max_isa = target.name;
    const Result<Session> session = Session::Prepare(model, options);
    if (!session.ok()) {
      EXPECT_EQ(session.status().code(), StatusCode::kUnsupported) << session.status().message();
      return false;
    }
    const testing::SessionRun run = testing::RunSession(*session, inputs, SerialExecutor());
    EXPECT_TRUE(run.status.ok()) << run.status.message();
    if (!run.status.ok()) return true;
    EXPECT_EQ(run.outputs[0].size(), want.values.size());
    for (size_t i = 0; i < std::min(want.values.size(), run.outputs[0].size()); ++i) {
      const float a = run.outputs[0][i], b = want.values[i];
      EXPECT_TRUE((std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b)))
          << target.name << " element " << i << ": " << a << ", not " << b;
    }
  }
  return true;
}

TEST(OnnxNodes, GiveOnnxsOutputsOnSimulatorAndKernels) {
  size_t simulated = 0, on_kernels = 0;
  for (const std::string& name : CaseNames()) {
    SCOPED_TRACE(name);
    const Result<Model> model = Load(name);
    const std::vector<ConstTensorView> inputs = InputsOf(name);
    Status refusal = model.status();
    if (model.ok()) {
      const std::shared_ptr<const Graph> graph(&model->graph(), [](const Graph*) {});
      const testing::Simulated got = testing::Simulate(graph, std::span<const ConstTensorView>(inputs), {});
      refusal = got.status;
      if (got.status.ok()) {
        ++simulated;
        ExpectClose(got.outputs[0], Golden().at(name + "|output"));
        on_kernels += KernelsAgree(*model, inputs, got.outputs[0]);
      }
    }
    if (refusal.ok()) continue;
    EXPECT_EQ(refusal.code(), StatusCode::kUnsupported) << refusal.message();
    std::cout << name << ": refused: " << refusal.message().substr(0, 200) << "\n";
  }
  std::cout << simulated << " of " << CaseNames().size() << " nodes on the simulator, " << on_kernels
            << " on the kernels\n";
  EXPECT_EQ(simulated, 416u);
  EXPECT_EQ(on_kernels, 414u);
}

}  // namespace
}  // namespace lq
