#include "lanequant/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/graph.h"
#include "runtime/io/encodings_reader.h"
#include "runtime/io/file.h"
#include "runtime/io/onnx_reader.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// The passes that need the network alone, in order. Encodings come after: those of an operator that is not supported
// would only hide it.
Status TidyGraph(Graph& graph) {
  LQ_RETURN_IF_ERROR(FoldConstants(graph));
  LQ_RETURN_IF_ERROR(RemoveDeadNodes(graph));
  LQ_RETURN_IF_ERROR(SortNodes(graph));
  return CheckOperators(graph);
}

// AIMET names only tensors of the file, though some of them feed no output.
Status CheckNames(const EncodingsFile& encodings, const std::set<std::string>& names) {
  constexpr size_t kShown = 5;
  std::vector<std::string> strangers;
  for (const auto* entries : {&encodings.activations, &encodings.params}) {
    for (const EncodingEntry& entry : *entries) {
      if (names.count(entry.name) == 0) strangers.push_back(entry.name);
    }
  }
  if (strangers.empty()) return OkStatus();
  const auto shown = strangers.begin() + static_cast<ptrdiff_t>(std::min(kShown, strangers.size()));
  return InvalidArgument(fmt::format("encodings of {} tensors that are none of the model's {}: '{}'{}",
                                     strangers.size(), names.size(), fmt::join(strangers.begin(), shown, "', '"),
                                     strangers.size() > kShown ? ", ..." : ""));
}

}  // namespace

Result<Model> Model::Load(const std::string& onnx_path, const std::string& encodings_path) {
  LQ_ASSIGN_OR_RETURN(Graph graph, ReadOnnx(onnx_path));
  std::set<std::string> names;
  for (const Value& value : graph.values) names.insert(value.name);
  LQ_RETURN_IF_ERROR(InFile(onnx_path, TidyGraph(graph)));
  LQ_ASSIGN_OR_RETURN(const EncodingsFile encodings, ReadEncodings(encodings_path));
  LQ_RETURN_IF_ERROR(InFile(encodings_path, CheckNames(encodings, names)));
  LQ_RETURN_IF_ERROR(InFile(encodings_path, AttachEncodings(encodings, graph)));
  return Model(std::make_shared<const Graph>(std::move(graph)));
}

}  // namespace lq
