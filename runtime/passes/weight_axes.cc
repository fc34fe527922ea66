#include "runtime/passes/weight_axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

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

// Reads the constant as its input number `input`, its axes in this order (empty: as they are).
struct Reader {
  const Node* node;
  size_t input;
  std::vector<int64_t> order = {};
};

// In place of a Transpose (exports without constant folding turn the weights of linear layers) what reads its result.
std::vector<Reader> ReadersOf(const Graph& graph, const ConstantUses& uses, ValueId id, size_t rank) {
  std::vector<Reader> readers;
  for (const Use& use : uses.UsesOf(id)) {
    const Node& node = graph.nodes[use.node];
    std::vector<int64_t> reversed(rank);
    for (size_t d = 0; d < rank; ++d) reversed[d] = static_cast<int64_t>(rank - 1 - d);
    const std::vector<int64_t> order = node.Ints("perm", reversed);
    const bool turns = node.op == "Transpose" && node.domain.empty() && node.outputs.size() == 1 &&
                       node.outputs[0] != kAbsent && order.size() == rank &&
                       std::all_of(order.begin(), order.end(),
                                   [&](int64_t axis) { return axis >= 0 && axis < static_cast<int64_t>(rank); });
    if (!turns) readers.push_back({&node, use.input});
    if (!turns) continue;
    for (const Use& behind : uses.UsesOf(node.outputs[0])) {
      readers.push_back({&graph.nodes[behind.node], behind.input, order});
    }
  }
  return readers;
}

}  // namespace

Result<ConstantRole> FindConstantRole(const Graph& graph, const ConstantUses& uses, ValueId id, const Shape& shape) {
  const std::string& name = graph.value(id).name;
  ConstantRole role;
  for (const Reader& reader : ReadersOf(graph, uses, id, shape.rank())) {
    const Node& node = *reader.node;
    std::optional<WeightAxes> axes = AxesIn(node, shape.rank());
    if (reader.input == 2 && axes.has_value()) role.is_bias = true;
    if (reader.input != 1 || !axes.has_value()) continue;
    if (axes->channel >= shape.rank() || *axes->block >= shape.rank()) {
      return InvalidArgument(fmt::format("tensor '{}': {} dimensions, {}, are too few for a weight of {}", name,
                                         shape.rank(), shape.ToString(), graph.Describe(node)));
    }
    if (!reader.order.empty()) {
      axes =
          WeightAxes{static_cast<size_t>(reader.order[axes->channel]), static_cast<size_t>(reader.order[*axes->block])};
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
