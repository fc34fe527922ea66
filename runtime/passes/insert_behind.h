// Nodes that passes put behind values.
#ifndef LANEQUANT_RUNTIME_PASSES_INSERT_BEHIND_H_
#define LANEQUANT_RUNTIME_PASSES_INSERT_BEHIND_H_

#include <map>
#include <string>
#include <vector>

#include "runtime/graph.h"

namespace lq {

// Collects nodes of one input and puts them into the graph, each behind what makes its input.
class Inserter {
 public:
  explicit Inserter(Graph& graph) : graph_(graph) {}

  // One of `op` behind `id`, if there is none yet. What it makes takes over the encoding, the name and the place among
  // the outputs; a graph input keeps its name, by which callers know it.
  void Add(ValueId id, const std::string& op);

  // All nodes but those that `reads_source` names, by index, read what the new ones make.
  void Finish(const std::vector<bool>& reads_source);

 private:
  Graph& graph_;
  std::map<ValueId, Node> added_;  // by input
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_INSERT_BEHIND_H_
