#include <fmt/format.h>

#include <functional>
#include <queue>
#include <utility>

#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kNoNode = static_cast<size_t>(-1);

// Which node makes each value; kNoNode for graph inputs and constants.
Result<std::vector<size_t>> FindProducers(const Graph& graph) {
  std::vector<size_t> producer(graph.values.size(), kNoNode);
  std::vector<bool> given(graph.values.size());
  for (ValueId id : graph.inputs) {
    if (graph.value(id).constant.has_value()) {
      return InvalidArgument(fmt::format("graph input '{}': made by a Constant node too", graph.value(id).name));
    }
    given[static_cast<size_t>(id)] = true;
  }
  for (size_t i = 0; i < graph.values.size(); ++i) given[i] = given[i] || graph.values[i].constant.has_value();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId id : graph.nodes[i].outputs) {
      if (id == kAbsent) continue;
      const size_t v = static_cast<size_t>(id);
      if (given[v] || producer[v] != kNoNode) {
        return InvalidArgument(
            fmt::format("tensor '{}': made by {} and by {}", graph.value(id).name,
                        given[v] ? "a graph input or constant" : graph.Describe(graph.nodes[producer[v]]),
                        graph.Describe(graph.nodes[i])));
      }
      producer[v] = i;
    }
  }
  const auto is_made = [&](ValueId id) {
    return id == kAbsent || given[static_cast<size_t>(id)] || producer[static_cast<size_t>(id)] != kNoNode;
  };
  for (const Node& node : graph.nodes) {
    for (ValueId id : node.inputs) {
      if (is_made(id)) continue;
      return InvalidArgument(
          fmt::format("{}: nothing makes its input '{}'", graph.Describe(node), graph.value(id).name));
    }
  }
  for (ValueId id : graph.outputs) {
    if (!is_made(id)) return InvalidArgument(fmt::format("graph output '{}': nothing makes it", graph.value(id).name));
  }
  return producer;
}

// Kahn's algorithm; of the nodes that are ready the first of the file goes first, so that a sorted graph stays as it
// is.
std::vector<size_t> TopologicalOrder(const Graph& graph, const std::vector<size_t>& producer) {
  std::vector<size_t> missing(graph.nodes.size());
  std::vector<std::vector<size_t>> users(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId id : graph.nodes[i].inputs) {
      if (id == kAbsent || producer[static_cast<size_t>(id)] == kNoNode) continue;
      users[producer[static_cast<size_t>(id)]].push_back(i);
      ++missing[i];
    }
  }
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<size_t> order;
  while (!ready.empty()) {
    const size_t node = ready.top();
    ready.pop();
    order.push_back(node);
    for (size_t user : users[node]) {
      if (--missing[user] == 0) ready.push(user);
    }
  }
  return order;
}

}  // namespace

Status SortNodes(Graph& graph) {
  LQ_ASSIGN_OR_RETURN(const std::vector<size_t> producer, FindProducers(graph));
  const std::vector<size_t> order = TopologicalOrder(graph, producer);
  if (order.size() != graph.nodes.size()) {
    std::vector<bool> placed(graph.nodes.size());
    for (size_t i : order) placed[i] = true;
    size_t first = 0;
    while (placed[first]) ++first;
    return InvalidArgument(fmt::format("{}: in a cycle or behind one, with {} of {} nodes",
                                       graph.Describe(graph.nodes[first]), graph.nodes.size() - order.size(),
                                       graph.nodes.size()));
  }
  std::vector<Node> nodes;
  nodes.reserve(order.size());
  for (size_t i : order) nodes.push_back(std::move(graph.nodes[i]));
  graph.nodes = std::move(nodes);
  return OkStatus();
}

}  // namespace lq
