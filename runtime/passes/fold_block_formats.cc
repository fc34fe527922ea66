// Quark's fused quantizers of block formats. See passes.h.
#include <fmt/format.h>

#include <map>
#include <utility>

#include "runtime/passes/block_format_node.h"
#include "runtime/passes/block_grid.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// A weight on its blocks' grids, in place; returns their axis.
Result<size_t> Round(const Graph& graph, const Node& node, const BlockFormat& format, Constant& constant) {
  LQ_ASSIGN_OR_RETURN(const size_t axis, BlockAxis(graph, node, constant.shape.rank()));
  const Shape shape = constant.shape.rank() == 0 ? Shape{1} : constant.shape;
  const TensorView view{DType::kF32, shape, std::as_writable_bytes(std::span(constant.f32))};
  LQ_RETURN_IF_ERROR(QuantizeDequantizeBlocks(view, format, static_cast<int64_t>(axis), view));
  return axis;
}

// A rounded constant, and the axis that its blocks run along.
struct Rounded {
  ValueId value;
  size_t axis;
  int64_t block_size;
};

// Weights whose blocks run along the sum get the encoding that they have by their values: kernels take them as codes.
void EncodeWeights(const std::vector<Rounded>& constants, Graph& graph) {
  std::map<ValueId, const Rounded*> weights;
  for (const Rounded& constant : constants) weights[constant.value] = &constant;
  for (const Node& node : graph.nodes) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const auto found = weights.find(node.inputs[i]);
      const size_t sum_axis = node.op == "Gemm" && node.Int("transB", 0) != 0 ? 1 : 0;
      const bool multiplies = i == 1 && (node.op == "MatMul" || node.op == "Gemm");
      if (found != weights.end() && (!multiplies || found->second->axis != sum_axis)) weights.erase(found);
    }
  }
  for (const auto& [value, constant] : weights) {
    graph.value(value).encoding = BlockGridOf(*graph.value(value).constant, constant->axis, constant->block_size);
  }
}

}  // namespace

Result<bool> FoldBlockFormats(Graph& graph) {
  bool found = false;
  std::vector<Node> nodes;
  std::vector<Rounded> constants;
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
    LQ_ASSIGN_OR_RETURN(const BlockFormat format, ReadBlockFormat(graph, node));
    const std::optional<Constant>& source = graph.value(node.inputs[0]).constant;
    if (!source.has_value()) {
      node.domain.clear();
      nodes.push_back(std::move(node));
      continue;
    }
    if (source->dtype != DType::kF32) {
      return InvalidArgument(fmt::format("{}: its input is {}, not f32", graph.Describe(node), NameOf(source->dtype)));
    }
    Constant rounded = *source;
    LQ_ASSIGN_OR_RETURN(const size_t axis, Round(graph, node, format, rounded));
    graph.value(node.outputs[0]).constant = std::move(rounded);
    constants.push_back({node.outputs[0], axis, format.block_size});
  }
  graph.nodes = std::move(nodes);
  EncodeWeights(constants, graph);
  return found;
}

}  // namespace lq
