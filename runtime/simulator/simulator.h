// Simulator: the exact simulator (exact_simulator.md) of a whole graph, node by node as the file has them, from the
// scalar references only. It shares no line with the planner or the kernels, and may allocate: it is what they are
// checked against.
#ifndef LANEQUANT_RUNTIME_SIMULATOR_SIMULATOR_H_
#define LANEQUANT_RUNTIME_SIMULATOR_SIMULATOR_H_

#include <memory>
#include <span>
#include <vector>

#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/graph.h"
#include "runtime/observer.h"

namespace lq {

struct SimulatorOptions {
  RoundingProfile profile = RoundingProfile::kAimetDiv;
  BiasMode bias = BiasMode::kFloat;
  bool record = false;  // fill ObservedTensor::t and near_tie
  // near_tie covers whatever floats the biases that the file has in codes may have been rounded from.
  bool any_float_bias = false;
};

class Simulator {
 public:
  // Quantizes the weights. Errors: an operator, attribute or encoding that it does not know, by node and name.
  static Result<Simulator> Prepare(std::shared_ptr<const Graph> graph, const SimulatorOptions& options);
  Simulator(Simulator&&) noexcept;
  Simulator& operator=(Simulator&&) noexcept;
  ~Simulator();

  // Runs on f32 inputs in the order of graph.inputs, any batch that the graph's dynamic dimension allows. Returns the
  // graph outputs as f32 values (exact_simulator.md 3). `observer` may be empty.
  struct Output {
    Shape shape;
    std::vector<float> values;
    std::vector<double> magnitude;  // if recorded: what errors of sums of floats grow with
  };
  Result<std::vector<Output>> Run(std::span<const ConstTensorView> inputs, const Observer& observer) const;

 private:
  struct Impl;
  explicit Simulator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_SIMULATOR_SIMULATOR_H_
