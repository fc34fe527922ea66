// The kernels on AIMET's exports: every code of every activation equals the exact simulator's, on every target, for any
// number of threads, with and without fusion.
#include <gtest/gtest.h>

#include <string>

#include "kernels/contracts.h"
#include "runtime/simulator/simulator.h"
#include "tests/support/executors.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/run_session.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::Bundle;
using testing::SessionRun;

constexpr size_t kRows = 37;  // neither a multiple of a strip nor of a task

struct SimulatorRun {
  std::map<ValueId, ObservedTensor> observed;
  std::vector<Simulator::Output> outputs;
};

SimulatorRun Simulate(const Bundle& bundle, const ConstTensorView& input, const PrepareOptions& options) {
  SimulatorRun run;
  const auto graph = std::make_shared<Graph>(bundle.model.graph());
  const Result<Simulator> simulator = Simulator::Prepare(graph, {options.profile, options.bias, false});
  EXPECT_TRUE(simulator.ok()) << simulator.status().message();
  auto outputs = simulator->Run({&input, 1}, [&](ObservedTensor& t) { run.observed.emplace(t.id, t); });
  EXPECT_TRUE(outputs.ok()) << outputs.status().message();
  run.outputs = *std::move(outputs);
  return run;
}

// Returns the number of codes compared.
size_t Compare(const SimulatorRun& expected, const SessionRun& run) {
  size_t codes = 0;
  for (const auto& [id, tensor] : run.observed) {
    const auto it = expected.observed.find(id);
    if (it == expected.observed.end()) {
      ADD_FAILURE() << "the simulator does not know tensor " << id;
      continue;
    }
    EXPECT_EQ(tensor.shape, it->second.shape);
    EXPECT_EQ(tensor.codes, it->second.codes) << "tensor " << id;
    codes += tensor.codes.size();
  }
  EXPECT_EQ(run.outputs.size(), expected.outputs.size());
  for (size_t i = 0; i < run.outputs.size(); ++i) EXPECT_EQ(run.outputs[i], expected.outputs[i].values);
  return codes;
}

class SessionGolden : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Result<Bundle> bundle = testing::LoadBundle(testing::GoldenPath(GetParam()));
    ASSERT_TRUE(bundle.ok()) << bundle.status().message();
    bundle_ = std::make_unique<Bundle>(*std::move(bundle));
  }

  // The first kRows inputs.
  ConstTensorView Input() const {
    const NamedArray& input = bundle_->data.at("input");
    Shape shape = input.shape;
    const size_t row = input.bytes.size() / static_cast<size_t>(shape[0]);
    shape[0] = kRows;
    return {DType::kF32, shape, std::span(input.bytes).first(kRows * row)};
  }

  // Keeps all encoded tensors or as few as possible; compares with the simulator.
  void Check(const SessionOptions& options, Executor& executor, const SimulatorRun& expected) const {
    const Result<Session> session = Session::Prepare(bundle_->model, options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    const ConstTensorView input = Input();
    const SessionRun run = testing::RunSession(*session, {&input, 1}, executor);
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    EXPECT_GT(Compare(expected, run), 0u);
    if (options.keep_encoded_tensors) {
      EXPECT_EQ(run.observed.size(), expected.observed.size());
    }
  }

  std::unique_ptr<Bundle> bundle_;
};

TEST_P(SessionGolden, EqualsSimulatorOnEveryTarget) {
  const SimulatorRun expected = Simulate(*bundle_, Input(), {});
  testing::ThreadExecutor two(2), seven(7);
  for (const TargetInfo& target : CompiledTargets()) {
    SCOPED_TRACE(target.name);
    for (const bool keep : {false, true}) {
      SessionOptions options;
      options.max_isa = target.name;
      options.keep_encoded_tensors = keep;
      for (Executor* executor : {&SerialExecutor(), static_cast<Executor*>(&two), static_cast<Executor*>(&seven)}) {
        Check(options, *executor, expected);
      }
    }
  }
}

TEST_P(SessionGolden, EqualsSimulatorInEveryProfileAndBiasMode) {
  for (const auto profile :
       {RoundingProfile::kAimetDiv, RoundingProfile::kAimetFakequant, RoundingProfile::kAimetOnnx}) {
    for (const BiasMode bias : {BiasMode::kFloat, BiasMode::kInt32}) {
      SessionOptions options;
      options.profile = profile;
      options.bias = bias;
      options.keep_encoded_tensors = true;
      Check(options, SerialExecutor(), Simulate(*bundle_, Input(), options));
    }
  }
}

std::string Name(const ::testing::TestParamInfo<const char*>& path) {
  std::string name = path.param;
  for (char& c : name) c = c == '/' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Bundles, SessionGolden,
                         ::testing::Values("digits_cnn/w8a8", "digits_cnn/w8a8_bn", "digits_cnn/w4a8_lpbq", "mlp/w8a8",
                                           "mlp/w4a8_lpbq", "digits_cnn/w8a16", "digits_cnn/w4a16_lpbq",
                                           "mlp/w4a16_lpbq"),
                         Name);

// What each layer of the LPBQ network is expected to run as.
TEST(SessionGoldenPlan, KeepsLpbqWeightsInFourBits) {
  const Result<Bundle> bundle = testing::LoadBundle(testing::GoldenPath("digits_cnn/w4a8_lpbq"));
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  const Result<Session> session = Session::Prepare(bundle->model, {});
  ASSERT_TRUE(session.ok()) << session.status().message();
  std::map<std::string, std::string> weights, ops;
  for (const StepInfo& step : session->steps()) {
    weights[step.name] = step.layer.weights;
    ops[step.name] = step.op;
  }
  EXPECT_EQ(weights["/conv1/conv/Conv"], "int8");
  EXPECT_EQ(weights["/conv2/conv/Conv"], "4-bit LPBQ, block 16");
  EXPECT_EQ(weights["/pointwise/conv/Conv"], "4-bit LPBQ, block 32");
  EXPECT_EQ(weights["/fc/Gemm"], "4-bit LPBQ, block 64");
  EXPECT_EQ(weights["/depthwise/conv/Conv"], kernels::DepthwiseU8S8Variants().empty() ? "int16" : "int8");
  EXPECT_EQ(ops["/conv1/conv/Conv"], "Conv+Relu");
  EXPECT_EQ(ops["/add/Add"], "Add+Relu");
  EXPECT_EQ(ops["/depthwise/conv/Conv"], "Conv");  // its Clip has an encoding of its own
}

TEST(SessionGoldenPlan, RunsSixteenBitActivationsOnTheirKernels) {
  const Result<Bundle> bundle = testing::LoadBundle(testing::GoldenPath("digits_cnn/w4a16_lpbq"));
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  const Result<Session> session = Session::Prepare(bundle->model, {});
  ASSERT_TRUE(session.ok()) << session.status().message();
  std::map<std::string, std::string> variants;
  for (const StepInfo& step : session->steps()) {
    variants[step.name] = step.layer.variant.substr(0, step.layer.variant.find('/'));
  }
  EXPECT_EQ(variants["/conv1/conv/Conv"], "matmul_u16s8");
  EXPECT_EQ(variants["/conv2/conv/Conv"], "matmul_u16s4");
  EXPECT_EQ(variants["/fc/Gemm"], "matmul_u16s4");
}

}  // namespace
}  // namespace lq
