#include "runtime/compare/missing_references.h"

#include <algorithm>

#include "runtime/compare/fused_clip.h"
#include "runtime/plan/chain.h"

namespace lq {
namespace {

class Search {
 public:
  Search(const Graph& graph, const ReferenceLayers& reference)
      : graph_(graph),
        reference_(reference),
        makers_(graph.values.size()),
        clipped_(graph.values.size()),
        seen_(graph.values.size()) {
    for (const Node& node : graph.nodes) {
      for (ValueId id : node.outputs) {
        if (id != kAbsent) makers_[static_cast<size_t>(id)] = &node;
      }
      if (IsFusedClip(graph, node)) clipped_[static_cast<size_t>(node.inputs[0])] = true;
    }
  }

  void StartBehind(ValueId id) { PushInputs(id); }

  std::vector<ValueId> Run() {
    std::vector<ValueId> missing;
    while (!open_.empty()) {
      const ValueId id = open_.back();
      open_.pop_back();
      if (reference_.Has(id)) continue;
      if (graph_.value(id).encoding.has_value() && !IsCopy(id) && !clipped_[static_cast<size_t>(id)]) {
        missing.push_back(id);
      } else {
        PushInputs(id);
      }
    }
    std::sort(missing.begin(), missing.end());
    return missing;
  }

 private:
  void PushInputs(ValueId id) {
    const Node* maker = makers_[static_cast<size_t>(id)];
    if (maker == nullptr) return;
    for (ValueId input : maker->inputs) {
      if (input == kAbsent || seen_[static_cast<size_t>(input)] || graph_.value(input).constant.has_value()) continue;
      seen_[static_cast<size_t>(input)] = true;
      open_.push_back(input);
    }
  }

  bool IsCopy(ValueId id) const {
    const Node* maker = makers_[static_cast<size_t>(id)];
    return maker != nullptr && IsMovement(*maker) && maker->inputs[0] != kAbsent &&
           graph_.value(maker->inputs[0]).encoding == graph_.value(id).encoding;
  }

  const Graph& graph_;
  const ReferenceLayers& reference_;
  std::vector<const Node*> makers_;
  std::vector<bool> clipped_, seen_;
  std::vector<ValueId> open_;
};

}  // namespace

std::vector<ValueId> MissingBefore(const Graph& graph, const ReferenceLayers& reference,
                                   const std::vector<ValueId>& tensors) {
  Search search(graph, reference);
  for (ValueId id : tensors) search.StartBehind(id);
  return search.Run();
}

}  // namespace lq
