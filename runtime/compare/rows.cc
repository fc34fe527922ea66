#include "runtime/compare/rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/status_macros.h"

namespace lq {

Result<int64_t> BatchOf(const Graph& graph) {
  if (graph.inputs.empty()) return InvalidArgument("the network has no input");
  const Value& first = graph.value(graph.inputs[0]);
  for (ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    if (!value.shape.has_value() || value.shape->rank() == 0) {
      return Unsupported(fmt::format("input '{}' has no dimension for the batch", value.name));
    }
    if ((*value.shape)[0] == (*first.shape)[0]) continue;
    return Unsupported(fmt::format("input '{}' has batch {}, but input '{}' has {}", value.name, (*value.shape)[0],
                                   first.name, (*first.shape)[0]));
  }
  return (*first.shape)[0];
}

Result<std::vector<Rows>> SliceRows(const Graph& graph, int64_t rows, int64_t limit) {
  LQ_ASSIGN_OR_RETURN(const int64_t batch, BatchOf(graph));
  const std::string& name = graph.value(graph.inputs[0]).name;
  if (rows < 1) return InvalidArgument(fmt::format("input '{}' has {} rows; at least 1 is needed", name, rows));
  if (batch == 0 || (batch > 0 && rows % batch != 0)) {
    return InvalidArgument(fmt::format("input '{}' has {} rows, which the network's fixed batch of {} does not divide",
                                       name, rows, batch));
  }
  const int64_t step = batch > 0 ? batch : limit;
  std::vector<Rows> slices;
  for (int64_t first = 0; first < rows; first += step) slices.push_back({first, std::min(step, rows - first)});
  return slices;
}

ConstTensorView RowsOf(const ConstTensorView& array, Rows rows) {
  const size_t row_bytes = array.bytes.size() / static_cast<size_t>(array.shape[0]);
  Shape shape = array.shape;
  shape[0] = rows.count;
  return {
      array.dtype, shape,
      array.bytes.subspan(static_cast<size_t>(rows.first) * row_bytes, static_cast<size_t>(rows.count) * row_bytes)};
}

}  // namespace lq
