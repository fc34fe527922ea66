// Random networks: planner and kernels against the exact simulator, which walks the graph as it stands.
#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "runtime/session_impl.h"
#include "runtime/simulator/simulator.h"
#include "tests/support/executors.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::SessionRun;

// Returns how many encoded tensors were compared; sets `refused` where the planner does not run the graph.
size_t CompareOnce(testing::Random& random, bool keep, bool& refused) {
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
  const testing::Simulated expected = testing::Simulate(graph, {input}, {options.profile, options.bias, false});
  EXPECT_TRUE(expected.status.ok()) << expected.status.message();
  if (!expected.status.ok()) return 0;
  testing::ThreadExecutor threads(2);
  Executor& executor = random.Chance(0.1) ? static_cast<Executor&>(threads) : SerialExecutor();
  const ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values))};
  const SessionRun run = testing::RunSession(*session, {&view, 1}, executor);
  EXPECT_TRUE(run.status.ok()) << run.status.message();
  for (const auto& [id, tensor] : run.observed) {
    const auto found = expected.observed.find(id);
    if (found == expected.observed.end()) continue;  // an Identity or a pool that keeps its input's codes
    EXPECT_EQ(tensor.codes, found->second.codes) << graph->value(id).name;
  }
  EXPECT_EQ(run.outputs[0], expected.outputs[0].values);
  return run.observed.size();
}

TEST(SessionRandom, EqualsSimulator) {
  size_t refused = 0, tensors = 0;
  const size_t cases = testing::Cases(150);
  for (size_t i = 0; i < cases; ++i) {
    SCOPED_TRACE("graph " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    testing::Random random(100000 + i);
    bool no = false;
    tensors += CompareOnce(random, i % 2 == 0, no);
    refused += no;
    if (HasFailure()) return;
  }
  std::cout << cases - refused << " graphs, " << tensors << " tensors compared, " << refused << " refused\n";
  EXPECT_LT(refused, cases / 5);
  EXPECT_GT(tensors, 4 * (cases - refused));
}

}  // namespace
}  // namespace lq
