#include "runtime/passes/insert_behind.h"

#include <algorithm>
#include <utility>

#include "runtime/passes/new_values.h"

namespace lq {

void Inserter::Add(ValueId id, const std::string& op) {
  if (added_.count(id) != 0) return;
  const bool is_input = std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end();
  const ValueId result = AddValue(graph_, graph_.value(id).name);
  Value& source = graph_.value(id);
  Value& rounded = graph_.value(result);
  rounded.shape = source.shape;
  rounded.file_type = source.file_type;
  rounded.encoding = std::exchange(source.encoding, std::nullopt);
  (is_input ? rounded : source).name += is_input ? " rounded" : " before rounding";
  std::replace(graph_.outputs.begin(), graph_.outputs.end(), id, result);
  added_[id] = MakeNode(op, rounded.name, {id}, result);
}

void Inserter::Finish(const std::vector<bool>& reads_source) {
  if (added_.empty()) return;
  std::vector<Node> nodes;
  for (ValueId id : graph_.inputs) {
    if (const auto found = added_.find(id); found != added_.end()) nodes.push_back(found->second);
  }
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    for (ValueId& id : graph_.nodes[i].inputs) {
      if (const auto found = added_.find(id); found != added_.end() && !reads_source[i]) id = found->second.outputs[0];
    }
    const std::vector<ValueId> outputs = graph_.nodes[i].outputs;
    nodes.push_back(std::move(graph_.nodes[i]));
    for (ValueId id : outputs) {
      if (const auto found = added_.find(id); found != added_.end()) nodes.push_back(found->second);
    }
  }
  graph_.nodes = std::move(nodes);
}

}  // namespace lq
