// Which axes of a constant are channels and blocks. Files of version 1.0.0 do not say: it follows from what reads it.
#ifndef LANEQUANT_RUNTIME_PASSES_WEIGHT_AXES_H_
#define LANEQUANT_RUNTIME_PASSES_WEIGHT_AXES_H_

#include <cstddef>
#include <optional>
#include <string>

#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/passes/constant_uses.h"

namespace lq {

struct WeightAxes {
  size_t channel;
  std::optional<size_t> block;  // absent for tensors of rank 1
  friend bool operator==(const WeightAxes&, const WeightAxes&) = default;
};

struct ConstantRole {
  std::optional<WeightAxes> axes;  // absent: no layer has it as weight, and it is not of rank 1
  bool is_bias = false;            // of a Conv or Gemm
};

// Conv: 0 and 1; Gemm: transB ? 0 and 1 : 1 and 0; MatMul: last and second to last; of rank 1: channel axis 0. Axes are
// those of the constant, also where the layer reads it through a Transpose.
// Errors: readers that disagree, axes that the tensor does not have.
Result<ConstantRole> FindConstantRole(const Graph& graph, const ConstantUses& uses, ValueId id, const Shape& shape);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_WEIGHT_AXES_H_
