// Values and nodes that passes add to a graph.
#ifndef LANEQUANT_RUNTIME_PASSES_NEW_VALUES_H_
#define LANEQUANT_RUNTIME_PASSES_NEW_VALUES_H_

#include <string>
#include <utility>
#include <vector>

#include "runtime/graph.h"

namespace lq {

// References to values of the graph do not survive these.
inline ValueId AddValue(Graph& graph, std::string name) {
  graph.values.emplace_back();
  graph.values.back().name = std::move(name);
  return static_cast<ValueId>(graph.values.size() - 1);
}

inline ValueId AddConstant(Graph& graph, std::string name, Constant constant) {
  const ValueId id = AddValue(graph, std::move(name));
  graph.value(id).constant = std::move(constant);
  return id;
}

inline ValueId AddIntegers(Graph& graph, std::string name, std::vector<int64_t> values) {
  Constant constant{DType::kS64, Shape{static_cast<int64_t>(values.size())}, {}, std::move(values)};
  return AddConstant(graph, std::move(name), std::move(constant));
}

inline Node MakeNode(std::string op, std::string name, std::vector<ValueId> inputs, ValueId output) {
  Node node;
  node.op = std::move(op);
  node.name = std::move(name);
  node.inputs = std::move(inputs);
  node.outputs = {output};
  return node;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_NEW_VALUES_H_
