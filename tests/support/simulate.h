// Runs a small graph on the simulator and keeps all that it shows.
#ifndef LANEQUANT_TESTS_SUPPORT_SIMULATE_H_
#define LANEQUANT_TESTS_SUPPORT_SIMULATE_H_

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/simulator/simulator.h"
#include "tests/support/graph_builder.h"

namespace lq::testing {

struct InputTensor {
  Shape shape;
  std::vector<float> values;
};

struct Simulated {
  Status status;
  std::vector<Simulator::Output> outputs;
  std::map<ValueId, ObservedTensor> observed;
  std::vector<ValueId> order;  // in which the observer saw them
};

inline Simulated Simulate(const std::shared_ptr<const Graph>& graph, std::span<const ConstTensorView> views,
                          const SimulatorOptions& options) {
  Simulated result;
  Result<Simulator> simulator = Simulator::Prepare(graph, options);
  if (!simulator.ok()) return {simulator.status(), {}, {}, {}};
  Result<std::vector<Simulator::Output>> outputs = simulator->Run(views, [&](ObservedTensor& tensor) {
    result.order.push_back(tensor.id);
    result.observed.emplace(tensor.id, tensor);
  });
  result.status = outputs.status();
  if (outputs.ok()) result.outputs = *std::move(outputs);
  return result;
}

inline Simulated Simulate(const std::shared_ptr<const Graph>& graph, const ConstTensorView& view,
                          const SimulatorOptions& options) {
  return Simulate(graph, std::span(&view, 1), options);
}

inline Simulated Simulate(const std::shared_ptr<const Graph>& graph, const std::vector<InputTensor>& inputs,
                          const SimulatorOptions& options = {}) {
  std::vector<ConstTensorView> views;
  for (const InputTensor& input : inputs) {
    views.emplace_back(DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values)));
  }
  return Simulate(graph, std::span<const ConstTensorView>(views), options);
}

inline Simulated Simulate(const GraphBuilder& builder, const std::vector<InputTensor>& inputs,
                          const SimulatorOptions& options = {}) {
  return Simulate(builder.Share(), inputs, options);
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_SIMULATE_H_
