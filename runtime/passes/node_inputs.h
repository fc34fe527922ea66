// Inputs of a node that may be left out.
#ifndef LANEQUANT_RUNTIME_PASSES_NODE_INPUTS_H_
#define LANEQUANT_RUNTIME_PASSES_NODE_INPUTS_H_

#include <cstddef>

#include "runtime/graph.h"

namespace lq {

inline bool HasInput(const Node& node, size_t i) { return i < node.inputs.size() && node.inputs[i] != kAbsent; }

// Null where input i is left out or computed.
inline const Constant* ConstantInput(const Graph& graph, const Node& node, size_t i) {
  if (!HasInput(node, i)) return nullptr;
  const std::optional<Constant>& constant = graph.value(node.inputs[i]).constant;
  return constant.has_value() ? &*constant : nullptr;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_NODE_INPUTS_H_
