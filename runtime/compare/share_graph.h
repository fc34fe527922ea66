// A model's graph for the simulator, which keeps it alive.
#ifndef LANEQUANT_RUNTIME_COMPARE_SHARE_GRAPH_H_
#define LANEQUANT_RUNTIME_COMPARE_SHARE_GRAPH_H_

#include <memory>

#include "lanequant/model.h"
#include "runtime/graph.h"

namespace lq {

// Models share their contents: the copy that holds the graph costs a pointer.
inline std::shared_ptr<const Graph> ShareGraph(const Model& model) {
  const auto copy = std::make_shared<const Model>(model);
  return {copy, &copy->graph()};
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_COMPARE_SHARE_GRAPH_H_
