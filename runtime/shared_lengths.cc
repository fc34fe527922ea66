#include "runtime/shared_lengths.h"

#include <fmt/format.h>

#include <map>

namespace lq {

bool IsLengthName(const std::string& symbol) {
  return !symbol.empty() && symbol != "?" && symbol != "None" && symbol != "unk";
}

std::vector<SharedLength> SharedLengthsOf(const Graph& graph) {
  std::vector<SharedLength> lengths;
  std::map<std::string, SharedLength::Place> first;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph.value(graph.inputs[i]);
    const size_t rank = value.shape.has_value() ? value.shape->rank() : 0;
    for (size_t d = 0; d < rank && d < value.symbols.size(); ++d) {
      if ((*value.shape)[d] >= 0 || !IsLengthName(value.symbols[d])) continue;
      const SharedLength::Place place{i, d, value.name};
      const auto [found, added] = first.emplace(value.symbols[d], place);
      if (!added) lengths.push_back({value.symbols[d], place, found->second});
    }
  }
  return lengths;
}

Status CheckSharedLengths(std::span<const SharedLength> lengths, std::span<const Shape> inputs) {
  for (const SharedLength& shared : lengths) {
    const int64_t a = inputs[shared.first.input][shared.first.axis], b = inputs[shared.place.input][shared.place.axis];
    if (a == b) continue;
    return InvalidArgument(fmt::format("'{}' is {} along axis {} of input '{}', but {} along axis {} of input '{}'",
                                       shared.name, a, shared.first.axis, shared.first.input_name, b, shared.place.axis,
                                       shared.place.input_name));
  }
  return OkStatus();
}

}  // namespace lq
