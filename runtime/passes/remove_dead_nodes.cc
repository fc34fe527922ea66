#include <algorithm>
#include <utility>

#include "runtime/passes/passes.h"

namespace lq {
namespace {

// Marks the values that a graph output is made of, walking from the outputs to the producers.
class Liveness {
 public:
  explicit Liveness(const Graph& graph)
      : graph_(graph), producers_(graph.values.size()), value_(graph.values.size()), node_(graph.nodes.size()) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      for (ValueId id : graph.nodes[i].outputs) {
        if (id != kAbsent) producers_[static_cast<size_t>(id)].push_back(i);
      }
    }
    for (ValueId id : graph.outputs) Mark(id);
    while (!pending_.empty()) {
      const size_t id = pending_.back();
      pending_.pop_back();
      for (size_t node : producers_[id]) MarkNode(node);
    }
    for (ValueId id : graph.inputs) Mark(id);  // part of the signature, used or not
  }

  bool IsLive(size_t value) const { return value_[value]; }
  bool IsLiveNode(size_t node) const { return node_[node]; }

 private:
  void Mark(ValueId id) {
    if (id == kAbsent || value_[static_cast<size_t>(id)]) return;
    value_[static_cast<size_t>(id)] = true;
    pending_.push_back(static_cast<size_t>(id));
  }

  void MarkNode(size_t node) {
    if (node_[node]) return;
    node_[node] = true;
    for (ValueId id : graph_.nodes[node].inputs) Mark(id);
    for (ValueId id : graph_.nodes[node].outputs) Mark(id);  // of which some may be unused
  }

  const Graph& graph_;
  std::vector<std::vector<size_t>> producers_;  // two for one value is an error, but SortNodes's to report
  std::vector<bool> value_, node_;
  std::vector<size_t> pending_;
};

void Renumber(const std::vector<ValueId>& new_id, std::vector<ValueId>& ids) {
  for (ValueId& id : ids) {
    if (id != kAbsent) id = new_id[static_cast<size_t>(id)];
  }
}

}  // namespace

Status RemoveDeadNodes(Graph& graph) {
  const Liveness live(graph);
  std::vector<ValueId> new_id(graph.values.size(), kAbsent);
  std::vector<Value> values;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (!live.IsLive(i)) continue;
    new_id[i] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph.values[i]));
  }
  std::vector<Node> nodes;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!live.IsLiveNode(i)) continue;
    Renumber(new_id, graph.nodes[i].inputs);
    Renumber(new_id, graph.nodes[i].outputs);
    nodes.push_back(std::move(graph.nodes[i]));
  }
  Renumber(new_id, graph.inputs);
  Renumber(new_id, graph.outputs);
  graph.values = std::move(values);
  graph.nodes = std::move(nodes);
  return OkStatus();
}

}  // namespace lq
