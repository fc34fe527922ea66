// Random networks: planner and kernels against the exact simulator, which walks the graph as it stands.
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <map>
#include <string>

#include "runtime/compare/code_difference.h"
#include "runtime/session_inspector.h"
#include "runtime/simulator/simulator.h"
#include "tests/support/executors.h"
#include "tests/support/random_graph.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

// What a run shows, each tensor computed from the simulator's own codes.
struct Comparison {
  const testing::Simulated& expected;
  std::map<ValueId, double> errors;  // of layers that sum floats; the others equal the simulator
  size_t tensors = 0;

  double ErrorOf(ValueId id) const { return errors.count(id) != 0 ? errors.at(id) : 0; }
  void Compare(ObservedTensor& tensor) {
    ++tensors;
    const auto found = expected.observed.find(tensor.id);
    if (found == expected.observed.end()) return;  // an Identity or a pool that keeps its input's codes
    const double error = ErrorOf(tensor.id);
    if (error == 0) {
      EXPECT_EQ(tensor.codes, found->second.codes);
    }
    EXPECT_EQ(CountBeyond(found->second, tensor.codes, error), 0u) << "error " << error;
    tensor.codes = found->second.codes;
  }
  void CompareOutput(ValueId id, const std::vector<float>& got) const {
    const Simulator::Output& output = expected.outputs[0];
    ASSERT_EQ(got.size(), output.values.size());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_LE(std::abs(double{got[i]} - double{output.values[i]}), ErrorOf(id) * output.magnitude[i]) << i;
    }
  }
};

// Returns how many encoded tensors were compared; sets `refused` where the planner does not run the graph. Counts those
// that stand behind sums of floats.
size_t CompareOnce(testing::Random& random, bool keep, bool& refused, size_t& floats) {
  testing::RandomGraph source(random);
  const testing::GraphBuilder builder = source.Draw(random.Int(1, 3), random.Size(1, 6));
  const std::shared_ptr<const Graph> graph = builder.Share();
  testing::InputTensor input{source.input_shape(), {}};
  for (int64_t i = 0; i < source.input_shape().NumElements(); ++i) input.values.push_back(random.Float(-3, 5));

  SessionOptions options;
  options.keep_encoded_tensors = keep;
  const std::vector<TargetInfo> targets = CompiledTargets();
  options.max_isa = targets[random.Size(0, targets.size() - 1)].name;
  options.profile = static_cast<RoundingProfile>(random.Int(0, 2));
  options.bias = random.Chance(0.5) ? BiasMode::kFloat : BiasMode::kInt32;
  const Result<Session> session = Session::Prepare(Model(graph), options);
  refused = !session.ok();
  if (refused) {
    EXPECT_EQ(session.status().code(), StatusCode::kUnsupported) << session.status().message();
    return 0;
  }
  const testing::Simulated expected = testing::Simulate(graph, {input}, {options.profile, options.bias, true});
  EXPECT_TRUE(expected.status.ok()) << expected.status.message();
  if (!expected.status.ok()) return 0;
  testing::ThreadExecutor threads(2);
  Executor& executor = random.Chance(0.1) ? static_cast<Executor&>(threads) : SerialExecutor();
  Comparison comparison{expected, SessionInspector::FloatErrors(*session)};
  floats += comparison.errors.size();
  const ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values))};
  Result<Workspace> workspace = session->NewWorkspace(input.shape[0], executor.workers());
  EXPECT_TRUE(workspace.ok()) << workspace.status().message();
  if (!workspace.ok()) return 0;
  std::vector<float> out(static_cast<size_t>(workspace->output_shapes()[0].NumElements()));
  const TensorView out_view{DType::kF32, workspace->output_shapes()[0], std::as_writable_bytes(std::span(out))};
  const Status status = SessionInspector::Run(*session, {&view, 1}, {&out_view, 1}, *workspace, executor,
                                              [&](ObservedTensor& tensor) { comparison.Compare(tensor); });
  EXPECT_TRUE(status.ok()) << status.message();
  comparison.CompareOutput(graph->outputs[0], out);
  return comparison.tensors;
}

TEST(SessionRandom, EqualsSimulator) {
  size_t refused = 0, tensors = 0, floats = 0;
  const size_t cases = testing::Cases(150);
  for (size_t i = 0; i < cases; ++i) {
    SCOPED_TRACE("graph " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    testing::Random random(100000 + i);
    bool no = false;
    tensors += CompareOnce(random, i % 2 == 0, no, floats);
    refused += no;
    if (HasFailure()) return;
  }
  std::cout << cases - refused << " graphs, " << tensors << " tensors compared, " << floats << " of sums of floats, "
            << refused << " refused\n";
  EXPECT_LT(refused, cases / 5);
  EXPECT_GT(tensors, 4 * (cases - refused));
  EXPECT_GT(floats, cases / 4);
}

}  // namespace
}  // namespace lq
