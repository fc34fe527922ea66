#include "runtime/passes/constant_uses.h"

namespace lq {
namespace {

bool IsIdentity(const Node& node) {
  return node.op == "Identity" && node.domain.empty() && node.inputs.size() == 1 && node.outputs.size() == 1 &&
         node.inputs[0] != kAbsent && node.outputs[0] != kAbsent;
}

}  // namespace

ConstantUses::ConstantUses(const Graph& graph)
    : graph_(graph), source_(graph.values.size()), users_(graph.values.size()) {
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].constant.has_value()) source_[i] = &*graph.values[i].constant;
  }
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      if (node.inputs[k] != kAbsent) users_[static_cast<size_t>(node.inputs[k])].push_back({i, k});
    }
    if (IsIdentity(node)) {
      source_[static_cast<size_t>(node.outputs[0])] = source_[static_cast<size_t>(node.inputs[0])];
    }
  }
}

const Constant* ConstantUses::Source(ValueId id) const {
  return id == kAbsent ? nullptr : source_[static_cast<size_t>(id)];
}

std::vector<Use> ConstantUses::UsesOf(ValueId id) const {
  std::vector<Use> uses;
  std::vector<ValueId> pending{id};
  while (!pending.empty()) {
    const size_t value = static_cast<size_t>(pending.back());
    pending.pop_back();
    for (const Use& use : users_[value]) {
      const Node& node = graph_.nodes[use.node];
      if (IsIdentity(node)) {
        pending.push_back(node.outputs[0]);
      } else {
        uses.push_back(use);
      }
    }
  }
  return uses;
}

}  // namespace lq
