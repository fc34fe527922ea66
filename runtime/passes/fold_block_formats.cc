// Quark's fused quantizers of block formats. See passes.h.
#include <fmt/format.h>

#include <utility>

#include "runtime/passes/block_format_node.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// A weight on its blocks' grids, in place.
Status Round(const Graph& graph, const Node& node, Constant& constant) {
  LQ_ASSIGN_OR_RETURN(const BlockFormat format, ReadBlockFormat(graph, node));
  LQ_ASSIGN_OR_RETURN(const size_t axis, BlockAxis(graph, node, constant.shape.rank()));
  const Shape shape = constant.shape.rank() == 0 ? Shape{1} : constant.shape;
  const TensorView view{DType::kF32, shape, std::as_writable_bytes(std::span(constant.f32))};
  return QuantizeDequantizeBlocks(view, format, static_cast<int64_t>(axis), view);
}

}  // namespace

Result<bool> FoldBlockFormats(Graph& graph) {
  bool found = false;
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    if (!IsBlockFormat(node)) {
      nodes.push_back(std::move(node));
      continue;
    }
    found = true;
    if (node.inputs.size() != 1 || node.inputs[0] == kAbsent || node.outputs.size() != 1 ||
        node.outputs[0] == kAbsent) {
      return InvalidArgument(fmt::format("{}: {} inputs and {} outputs; it has 1 and 1", graph.Describe(node),
                                         node.inputs.size(), node.outputs.size()));
    }
    const std::optional<Constant>& source = graph.value(node.inputs[0]).constant;
    if (!source.has_value()) {
      LQ_RETURN_IF_ERROR(ReadBlockFormat(graph, node).status());
      node.domain.clear();
      nodes.push_back(std::move(node));
      continue;
    }
    if (source->dtype != DType::kF32) {
      return InvalidArgument(fmt::format("{}: its input is {}, not f32", graph.Describe(node), NameOf(source->dtype)));
    }
    Constant rounded = *source;
    LQ_RETURN_IF_ERROR(Round(graph, node, rounded));
    graph.value(node.outputs[0]).constant = std::move(rounded);
  }
  graph.nodes = std::move(nodes);
  return found;
}

}  // namespace lq
