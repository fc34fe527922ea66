// Random chains of functions, arithmetic, rows, reductions and data movement, with encodings between some of them:
// planner and kernels against the exact simulator.
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <string>

#include "runtime/passes/passes.h"
#include "runtime/session_impl.h"
#include "runtime/simulator/simulator.h"
#include "tests/support/executors.h"
#include "tests/support/operator_chain.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::OperatorChain;
using testing::Random;

bool SameBits(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

struct Counts {
  size_t refused = 0, tensors = 0;
};

void CompareOnce(Random& random, Counts& counts) {
  OperatorChain chain(random);
  Graph drawn = *chain.Draw(random.Size(1, 6)).Share();
  const Status expanded = ExpandOperators(drawn);
  ASSERT_TRUE(expanded.ok()) << expanded.message();
  const auto graph = std::make_shared<const Graph>(std::move(drawn));
  testing::InputTensor input{chain.input_shape(), {}};
  for (int64_t i = 0; i < input.shape.NumElements(); ++i) input.values.push_back(random.Float(-3, 4));
  SessionOptions options;
  options.keep_encoded_tensors = random.Chance(0.5);
  const std::vector<TargetInfo> targets = CompiledTargets();
  options.max_isa = targets[random.Size(0, targets.size() - 1)].name;
  options.profile = static_cast<RoundingProfile>(random.Int(0, 2));
  const Result<Session> session = Session::Prepare(Model(graph), options);
  if (!session.ok()) {
    EXPECT_EQ(session.status().code(), StatusCode::kUnsupported) << session.status().message();
    ++counts.refused;
    return;
  }
  const testing::Simulated expected = testing::Simulate(graph, {input}, {options.profile, options.bias, false});
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  testing::ThreadExecutor threads(2);
  Executor& executor = random.Chance(0.1) ? static_cast<Executor&>(threads) : SerialExecutor();
  const ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values))};
  const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, executor);
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  for (const auto& [id, tensor] : run.observed) {
    const auto found = expected.observed.find(id);
    if (found == expected.observed.end()) continue;  // it keeps its input's codes
    EXPECT_EQ(tensor.codes, found->second.codes) << graph->value(id).name;
    ++counts.tensors;
  }
  ASSERT_EQ(run.outputs[0].size(), expected.outputs[0].values.size());
  for (size_t i = 0; i < run.outputs[0].size(); ++i) {
    EXPECT_TRUE(SameBits(run.outputs[0][i], expected.outputs[0].values[i]))
        << graph->Describe(graph->nodes.back()) << " element " << i << ": " << run.outputs[0][i] << ", not "
        << expected.outputs[0].values[i];
  }
}

TEST(OperatorsRandom, EqualSimulator) {
  Counts counts;
  const size_t cases = testing::Cases(400);
  for (size_t i = 0; i < cases; ++i) {
    SCOPED_TRACE("graph " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    Random random(300000 + i);
    CompareOnce(random, counts);
    if (HasFailure()) return;
  }
  std::cout << cases - counts.refused << " graphs, " << counts.tensors << " tensors compared, " << counts.refused
            << " refused\n";
  EXPECT_LT(counts.refused, cases / 10);
  EXPECT_GT(counts.tensors, cases);
}

}  // namespace
}  // namespace lq
