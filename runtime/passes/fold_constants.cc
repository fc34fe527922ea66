#include <fmt/format.h>

#include <utility>

#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// The one attribute of a Constant node -> what it stands for.
struct ToConstant {
  Constant operator()(int64_t value) const { return {DType::kS64, {}, {}, {value}}; }
  Constant operator()(float value) const { return {DType::kF32, {}, {value}, {}}; }
  Constant operator()(std::vector<int64_t>& values) const {
    return {DType::kS64, {static_cast<int64_t>(values.size())}, {}, std::move(values)};
  }
  Constant operator()(std::vector<float>& values) const {
    return {DType::kF32, {static_cast<int64_t>(values.size())}, std::move(values), {}};
  }
  Constant operator()(Constant& constant) const { return std::move(constant); }
  Constant operator()(std::string&) const { return {}; }  // KindOf refuses it
};

// The attribute name that goes with the type it has; "" for a string.
const char* KindOf(const Attribute& attribute) {
  constexpr const char* kNames[] = {"value_int", "value_float", "", "value_ints", "value_floats", "value"};
  return kNames[attribute.index()];
}

Result<Constant> Evaluate(const Graph& graph, Node& node) {
  if (node.outputs.size() != 1 || node.outputs[0] == kAbsent || !node.inputs.empty() || node.attributes.size() != 1) {
    return InvalidArgument(fmt::format("{}: has {} inputs, {} outputs and {} attributes; a constant has 0, 1 and 1",
                                       graph.Describe(node), node.inputs.size(), node.outputs.size(),
                                       node.attributes.size()));
  }
  auto& [name, attribute] = *node.attributes.begin();
  if (name != KindOf(attribute)) {
    return Unsupported(
        fmt::format("{}: attribute '{}'; supported: value (tensor), value_float, value_floats, "
                    "value_int, value_ints",
                    graph.Describe(node), name));
  }
  return std::visit(ToConstant{}, attribute);
}

}  // namespace

Status FoldConstants(Graph& graph) {
  std::vector<Node> others;
  others.reserve(graph.nodes.size());
  for (Node& node : graph.nodes) {
    if (node.op != "Constant" || !node.domain.empty()) {
      others.push_back(std::move(node));
      continue;
    }
    LQ_ASSIGN_OR_RETURN(Constant constant, Evaluate(graph, node));
    Value& value = graph.value(node.outputs[0]);
    if (value.constant.has_value()) {
      return InvalidArgument(fmt::format("{}: the tensor has another constant already", graph.Describe(node)));
    }
    value.constant = std::move(constant);
  }
  graph.nodes = std::move(others);
  return OkStatus();
}

}  // namespace lq
