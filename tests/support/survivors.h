// Damaged models that Model::Load takes nevertheless: they must prepare and run, or be refused, like any other.
#ifndef LANEQUANT_TESTS_SUPPORT_SURVIVORS_H_
#define LANEQUANT_TESTS_SUPPORT_SURVIVORS_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "lanequant/model.h"
#include "runtime/graph.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq::testing {

class Survivors {
 public:
  // Runs one image on the kernels and on the simulator, which must agree in every code that both show.
  void Try(const Model& model) {
    const Result<Session> session = Session::Prepare(model);
    ASSERT_EQ(session.ok(), session.status().message().empty());
    if (!session.ok() || TooLarge(*session)) return;
    Shape shape = session->inputs()[0].shape;
    if (shape.rank() > 0) shape[0] = std::max<int64_t>(shape[0], 1);
    std::vector<float> values(static_cast<size_t>(shape.NumElements()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 16;
    const ConstTensorView input{DType::kF32, shape, std::as_bytes(std::span(values))};
    const SessionRun run = RunSession(*session, {&input, 1}, SerialExecutor());
    const Simulated simulated = Simulate(std::make_shared<const Graph>(model.graph()), input, {});
    ASSERT_EQ(run.status.ok(), simulated.status.ok()) << run.status.message() << simulated.status.message();
    if (!run.status.ok()) return;
    ++ran_;
    if (SumsFloats(*session)) return;  // within a bound only: float_path_test.cc
    for (const auto& [id, tensor] : run.observed) {
      const auto expected = simulated.observed.find(id);
      ASSERT_NE(expected, simulated.observed.end()) << model.graph().value(id).name;
      ASSERT_EQ(tensor.codes, expected->second.codes) << model.graph().value(id).name;
    }
    for (size_t i = 0; i < run.outputs.size(); ++i) ExpectEqual(run.outputs[i], simulated.outputs[i].values);
  }

  size_t ran() const { return ran_; }

 private:
  static constexpr int64_t kMostElements = 1 << 20;

  // A flipped bit makes a dimension of 2^30: legal, but a test has neither the memory nor the time.
  static bool TooLarge(const Session& session) {
    const auto large = [](const auto& info) { return info.shape.NumElements() > kMostElements; };
    return std::any_of(session.inputs().begin(), session.inputs().end(), large) ||
           std::any_of(session.steps().begin(), session.steps().end(), large);
  }

  static bool SumsFloats(const Session& session) {
    return std::any_of(session.steps().begin(), session.steps().end(),
                       [](const StepInfo& step) { return step.layer.sums_floats; });
  }

  static void ExpectEqual(const std::vector<float>& a, const std::vector<float>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) ASSERT_TRUE(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) << i;
  }

  size_t ran_ = 0;
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_SURVIVORS_H_
