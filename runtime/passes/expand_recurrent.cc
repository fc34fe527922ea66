// The outputs of LSTM and GRU: one node makes them all. See ExpandOperators in passes.h.
#include "runtime/passes/expand_recurrent.h"

#include <fmt/format.h>

#include <utility>

#include "runtime/passes/new_values.h"

namespace lq {
namespace {

// Slices of what the node makes: (length, directions, batch, hidden), or 2 * hidden, cells behind states.
class Outputs {
 public:
  Outputs(Graph& graph, const Node& node, ValueId sequence) : graph_(graph), node_(node), sequence_(sequence) {}

  ValueId Cut(ValueId of, int64_t begin, int64_t end, int64_t axis, ValueId out = kAbsent) {
    if (out == kAbsent) out = AddValue(graph_, graph_.value(sequence_).name + " in part");
    std::vector<ValueId> inputs{of};
    for (const int64_t number : {begin, end, axis}) inputs.push_back(AddIntegers(graph_, node_.name, {number}));
    graph_.nodes.push_back(MakeNode("Slice", node_.name, std::move(inputs), out));
    return out;
  }

  // The last states, of a backward direction the first: (directions, batch, hidden).
  void Last(ValueId of, const std::string& direction, ValueId out) {
    constexpr int64_t kEnd = INT64_MAX;
    ValueId last = kAbsent;
    if (direction == "bidirectional") {
      const ValueId forward = Cut(Cut(of, 0, 1, 1), -1, kEnd, 0), backward = Cut(Cut(of, 1, 2, 1), 0, 1, 0);
      last = AddValue(graph_, graph_.value(out).name + " with a step");
      Node both = MakeNode("Concat", node_.name, {forward, backward}, last);
      both.attributes["axis"] = int64_t{1};
      graph_.nodes.push_back(std::move(both));
    } else {
      last = direction == "reverse" ? Cut(of, 0, 1, 0) : Cut(of, -1, kEnd, 0);
    }
    const ValueId axes = AddIntegers(graph_, node_.name, {0});
    graph_.nodes.push_back(MakeNode("Squeeze", node_.name, {last, axes}, out));
  }

 private:
  Graph& graph_;
  const Node& node_;
  ValueId sequence_;
};

}  // namespace

Status ExpandRecurrent(Graph& graph, Node node) {
  std::vector<ValueId> outputs = std::move(node.outputs);
  outputs.resize(3, kAbsent);
  const ValueId all = outputs[0], last = outputs[1], cells = outputs[2];
  if (last == kAbsent && cells == kAbsent) {
    node.outputs = {all};
    graph.nodes.push_back(std::move(node));
    return OkStatus();
  }
  const int64_t hidden = node.Int("hidden_size", 0);
  if (node.op != "LSTM" && cells != kAbsent) {
    return InvalidArgument(fmt::format("{}: 3 outputs; it has 2", graph.Describe(node)));
  }
  const ValueId sequence = AddValue(graph, node.name + " steps");
  if (cells != kAbsent) node.attributes["with_cells"] = int64_t{1};
  node.outputs = {sequence};
  graph.nodes.push_back(node);
  Outputs parts(graph, node, sequence);
  const ValueId states = cells != kAbsent ? parts.Cut(sequence, 0, hidden, 3) : sequence;
  const std::string direction = node.String("direction", "forward");
  if (all != kAbsent) graph.nodes.push_back(MakeNode("Identity", node.name, {states}, all));
  if (last != kAbsent) parts.Last(states, direction, last);
  if (cells != kAbsent) parts.Last(parts.Cut(sequence, hidden, 2 * hidden, 3), direction, cells);
  return OkStatus();
}

}  // namespace lq
