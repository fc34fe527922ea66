#include "runtime/passes/length_nodes.h"

#include <utility>

#include "runtime/passes/new_values.h"

namespace lq {

std::optional<LengthNodes::Place> LengthNodes::PlaceOf(const Dim& length, const std::vector<Node>& nodes) {
  std::vector<ValueId> values = graph_.inputs;
  for (const Node& node : nodes) {
    const bool makes_codes = node.op.rfind('Q', 0) == 0 || node.op.rfind("Dynamic", 0) == 0;  // only values are read
    if (!makes_codes) values.insert(values.end(), node.outputs.begin(), node.outputs.end());
  }
  for (ValueId id : values) {
    const bool is_activation = id != kAbsent && excluded_.count(id) == 0;
    const std::optional<Dims> dims = is_activation && !length.is_number() ? shapes_.Of(id) : std::nullopt;
    for (size_t d = 0; dims.has_value() && d < dims->size(); ++d) {
      if ((*dims)[d] == length) return Place{id, static_cast<int64_t>(d)};
    }
  }
  return std::nullopt;
}

std::optional<Node> LengthNodes::PositionsFrom(const Dim& first, const Dim& limit, ValueId output,
                                               const std::vector<Node>& nodes) {
  const std::optional<Place> length = PlaceOf(shapes_.Difference(limit, first), nodes);
  if (!length.has_value()) return std::nullopt;
  Node positions = MakeNode("Positions", graph_.value(output).name, {length->value}, output);
  positions.attributes["axis"] = length->axis;
  if (first == Dim{0}) return positions;
  const std::optional<Place> offset = PlaceOf(first, nodes);
  if (!offset.has_value()) return std::nullopt;
  positions.inputs.push_back(offset->value);
  positions.attributes["start_axis"] = offset->axis;
  return positions;
}

void LengthNodes::AddLines(ValueId sum, const std::vector<Line>& lines, size_t rank, ValueId output,
                           std::vector<Node>& nodes) {
  const std::string name = graph_.value(output).name;
  for (size_t i = 0; i < lines.size(); ++i) {
    const ValueId line = ZerosAlong(lines[i].place, rank - lines[i].d, name, nodes);
    const ValueId out = i + 1 == lines.size() ? output : AddValue(graph_, name + " of a dynamic length");
    nodes.push_back(MakeNode("Add", name, {sum, line}, out));
    shapes_.Infer(nodes.back());
    sum = out;
  }
}

// Of `rank` dimensions, of which the first is as long as this axis and the others are 1.
ValueId LengthNodes::ZerosAlong(const Place& place, size_t rank, const std::string& name, std::vector<Node>& nodes) {
  const auto append = [&](const char* op, std::vector<ValueId> inputs) {
    const ValueId out = AddValue(graph_, name + " of a dynamic length");
    nodes.push_back(MakeNode(op, name, std::move(inputs), out));
    return out;
  };
  const ValueId positions = append("Positions", {place.value});
  nodes.back().attributes["axis"] = place.axis;
  const ValueId zero = AddConstant(graph_, name + " zero", Constant{DType::kF32, Shape{1}, {0}, {}});
  const ValueId zeros = append("Mul", {positions, zero});
  std::vector<int64_t> column(rank, 1);
  column[0] = -1;
  const ValueId target = AddIntegers(graph_, name + " column", std::move(column));
  const ValueId line = append("Reshape", {zeros, target});
  for (size_t k = nodes.size() - 3; k < nodes.size(); ++k) shapes_.Infer(nodes[k]);
  return line;
}

}  // namespace lq
