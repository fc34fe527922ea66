// Shapes with dynamic lengths as constants, where an operator has a way to say them.
#ifndef LANEQUANT_RUNTIME_PASSES_DYNAMIC_OPERAND_H_
#define LANEQUANT_RUNTIME_PASSES_DYNAMIC_OPERAND_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/graph.h"
#include "runtime/passes/dims.h"

namespace lq {

inline bool IsDynamic(const Dim& dim) { return !dim.is_number(); }

struct DynamicNumbers {
  std::optional<Dims> x;  // the shape of the operator's first input, if it is known
  Dims target;            // what input `i` of the node must be
  Dims axes;              // of a Slice, if it has them
};

// The integers that input `i` of a Reshape (0 copies a length, -1 follows from the others), Expand (1 keeps it), Resize
// (-1 keeps it, which is not ONNX's) or Slice (the end of everything) takes instead. Nothing where there are none.
std::optional<std::vector<int64_t>> DynamicOperand(const Graph& graph, const Node& node, size_t i,
                                                   DynamicNumbers numbers);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_DYNAMIC_OPERAND_H_
