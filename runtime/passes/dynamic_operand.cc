#include "runtime/passes/dynamic_operand.h"

#include <algorithm>
#include <utility>

#include "runtime/axis.h"
#include "runtime/passes/infer_shape.h"

namespace lq {
namespace {

using Operand = std::optional<std::vector<int64_t>>;

// One dimension follows from the others; more of them must be copied from the input's own.
Operand ReshapeTo(const Graph& graph, const Node& node, DynamicNumbers numbers) {
  const std::optional<Dims>& x = numbers.x;
  Dims& target = numbers.target;
  const bool allow_zero = node.Int("allowzero", 0) != 0;
  const bool may_copy = !allow_zero || std::count(target.begin(), target.end(), Dim{0}) == 0;
  std::optional<Dims> resolved = x.has_value() ? ReshapedDims(*x, target, allow_zero) : std::nullopt;
  if (resolved.has_value()) target = *std::move(resolved);
  // What the file asks for by -1 it may say.
  const std::optional<Shape>& declared = graph.value(node.outputs[0]).shape;
  for (size_t d = 0; d < target.size() && declared.has_value() && declared->rank() == target.size(); ++d) {
    if (target[d] == Dim{-1}) target[d].factor = (*declared)[d];
  }
  const bool many = std::count_if(target.begin(), target.end(), IsDynamic) > 1;
  std::vector<int64_t> values;
  for (size_t d = 0; d < target.size(); ++d) {
    const bool copied = many && x.has_value() && d < x->size() && target[d] == (*x)[d] && may_copy;
    values.push_back(target[d].is_number() ? target[d].factor : copied ? 0 : -1);
  }
  return std::count(values.begin(), values.end(), -1) <= 1 ? Operand(values) : std::nullopt;
}

// Lengths that stay.
Operand AsItIs(const DynamicNumbers& numbers, bool expands) {
  const Dims &x = *numbers.x, &target = numbers.target;
  if (expands ? target.size() < x.size() : target.size() != x.size()) return std::nullopt;
  const size_t shift = target.size() - x.size();
  std::vector<int64_t> values;
  for (size_t d = 0; d < target.size(); ++d) {
    const bool same = d >= shift && target[d] == x[d - shift];
    if (!same && !target[d].is_number()) return std::nullopt;
    values.push_back(target[d].is_number() ? target[d].factor : expands ? 1 : -1);
  }
  return values;
}

// The ends of a Slice that are those of its input.
Operand ToTheEnd(const DynamicNumbers& numbers) {
  const Dims &x = *numbers.x, &ends = numbers.target;
  std::vector<int64_t> values;
  for (size_t k = 0; k < ends.size(); ++k) {
    const int64_t axis = k < numbers.axes.size() ? numbers.axes[k].factor : static_cast<int64_t>(k);
    const std::optional<size_t> at = FindAxis(axis, x.size());
    const bool whole = at && ends[k] == x[*at];
    if (!ends[k].is_number() && !whole) return std::nullopt;
    values.push_back(ends[k].is_number() ? ends[k].factor : INT64_MAX);
  }
  return values;
}

}  // namespace

std::optional<std::vector<int64_t>> DynamicOperand(const Graph& graph, const Node& node, size_t i,
                                                   DynamicNumbers numbers) {
  if (node.outputs.size() != 1 || node.outputs[0] == kAbsent) return std::nullopt;
  if (node.op == "Reshape" && i == 1) return ReshapeTo(graph, node, std::move(numbers));
  if (!numbers.x.has_value()) return std::nullopt;
  if (node.op == "Expand" && i == 1) return AsItIs(numbers, true);
  if (node.op == "Resize" && i == 3) return AsItIs(numbers, false);
  return node.op == "Slice" && i == 2 ? ToTheEnd(numbers) : std::nullopt;
}

}  // namespace lq
