// Tensors that AIMET quantizes in several ways. Its exporter names one again for each further quantizer: `X_dup_0` is
// an Identity of `X`, and both have encodings. In the simulation every one of them rounds X itself. See passes.h.
#include <algorithm>
#include <string_view>
#include <vector>

#include "runtime/passes/insert_behind.h"
#include "runtime/passes/passes.h"

namespace lq {
namespace {

bool IsNameOfCopy(std::string_view name, std::string_view source) {
  constexpr std::string_view kInfix = "_dup_";
  if (name.substr(0, source.size()) != source) return false;
  name.remove_prefix(source.size());
  if (name.substr(0, kInfix.size()) != kInfix || name.size() == kInfix.size()) return false;
  return name.find_first_not_of("0123456789", kInfix.size()) == std::string_view::npos;
}

bool IsCopy(const Graph& graph, const Node& node) {
  if (node.op != "Identity" || !node.domain.empty()) return false;
  // What a network gives was rounded: a further quantizer of it rounds that, under the same kind of name.
  if (std::count(graph.outputs.begin(), graph.outputs.end(), node.inputs[0]) != 0) return false;
  const Value& source = graph.value(node.inputs[0]);
  const Value& copy = graph.value(node.outputs[0]);
  return source.encoding.has_value() && copy.encoding.has_value() && *source.encoding != *copy.encoding &&
         IsNameOfCopy(copy.name, source.name);
}

}  // namespace

void SplitCopies(Graph& graph) {
  Inserter inserter(graph);
  std::vector<bool> is_copy(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) is_copy[i] = IsCopy(graph, graph.nodes[i]);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!is_copy[i]) continue;
    const ValueId source = graph.nodes[i].inputs[0], copy = graph.nodes[i].outputs[0];
    if (graph.value(source).constant.has_value()) {
      graph.value(copy).constant = graph.value(source).constant;  // FoldAliases takes the node away
    } else {
      inserter.Add(source, "Identity");
    }
  }
  inserter.Finish(is_copy);
}

}  // namespace lq
