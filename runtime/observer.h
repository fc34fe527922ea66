// Observed tensors: what the simulator and the session show of a run, in the same terms, so that they can be compared.
#ifndef LANEQUANT_RUNTIME_OBSERVER_H_
#define LANEQUANT_RUNTIME_OBSERVER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/tensor.h"
#include "runtime/graph.h"

namespace lq {

// One encoded activation in ONNX's shape and order.
struct ObservedTensor {
  ValueId id = kAbsent;
  Shape shape;
  PerTensor encoding;          // 1.0.0 grids: unsigned, or signed where is_sym says so
  std::vector<int32_t> codes;  // on the encoding's own grid
  // Filled by a simulator that records: the value in code units before rounding, and how far from a tie (in codes) a
  // float32 simulator may be off (exact_simulator.md 8). Behind data movement those of the tensor that was moved,
  // unless an observer emptied them.
  std::vector<double> t, near_tie;
};

// Called after each encoded activation is computed (graph inputs too), in execution order. It may overwrite `codes`:
// the run goes on with them (isolated comparison), and then has to empty `t` and `near_tie`, which are of other codes.
using Observer = std::function<void(ObservedTensor&)>;

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_OBSERVER_H_
