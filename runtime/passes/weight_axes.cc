#include "runtime/passes/weight_axes.h"

#include <fmt/format.h>

namespace lq {
namespace {

// The axes of a weight of `rank` dimensions in this node; nothing if the node has no weights.
std::optional<WeightAxes> AxesIn(const Node& node, size_t rank) {
  if (!node.domain.empty()) return std::nullopt;
  if (node.op == "Conv") return WeightAxes{0, 1};
  if (node.op == "ConvTranspose") return WeightAxes{1, 0};
  if (node.op == "Gemm") return node.Int("transB", 0) != 0 ? WeightAxes{0, 1} : WeightAxes{1, 0};
  if (node.op == "MatMul" && rank >= 2) return WeightAxes{rank - 1, rank - 2};
  return std::nullopt;
}

}  // namespace

Result<ConstantRole> FindConstantRole(const Graph& graph, const ConstantUses& uses, ValueId id, const Shape& shape) {
  const std::string& name = graph.value(id).name;
  ConstantRole role;
  for (const Use& use : uses.UsesOf(id)) {
    const Node& node = graph.nodes[use.node];
    const std::optional<WeightAxes> axes = AxesIn(node, shape.rank());
    if (use.input == 2 && axes.has_value()) role.is_bias = true;
    if (use.input != 1 || !axes.has_value()) continue;
    if (axes->channel >= shape.rank() || *axes->block >= shape.rank()) {
      return InvalidArgument(fmt::format("tensor '{}': {} dimensions, {}, are too few for a weight of {}", name,
                                         shape.rank(), shape.ToString(), graph.Describe(node)));
    }
    if (role.axes.has_value() && *role.axes != *axes) {
      return Unsupported(fmt::format("tensor '{}': its channels are axis {} for one reader, axis {} for {}", name,
                                     role.axes->channel, axes->channel, graph.Describe(node)));
    }
    role.axes = axes;
  }
  // An embedding: its rows are channels.
  for (const Use& use : uses.UsesOf(id)) {
    const Node& node = graph.nodes[use.node];
    const bool gathers = node.op == "Gather" && use.input == 0 && shape.rank() == 2 && node.Int("axis", 0) == 0;
    if (!role.axes.has_value() && gathers) role.axes = WeightAxes{0, 1};
  }
  if (!role.axes.has_value() && shape.rank() == 1) role.axes = WeightAxes{0, std::nullopt};
  return role;
}

}  // namespace lq
