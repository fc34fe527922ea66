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

// The passes that need the network alone, in order; returns whether it has quantizers of its own. Encodings of a file
// come after: those of an operator that is not supported would only hide it.
Result<bool> TidyGraph(Graph& graph) {
  LQ_RETURN_IF_ERROR(FoldConstants(graph));
  LQ_RETURN_IF_ERROR(RemoveDeadNodes(graph));
  LQ_RETURN_IF_ERROR(SortNodes(graph));
  LQ_ASSIGN_OR_RETURN(const bool has_lstm, TranslateDynamicLstm(graph));
  LQ_RETURN_IF_ERROR(FoldShapes(graph));
  LQ_RETURN_IF_ERROR(ExpandOperators(graph));
  TruncateQuotients(graph);
  LQ_RETURN_IF_ERROR(TranslateQOperators(graph));
  TranslateBoundaries(graph);
  LQ_RETURN_IF_ERROR(TranslateBlocks(graph));
  LQ_ASSIGN_OR_RETURN(const bool is_dynamic, TranslateDynamicQuantizers(graph));
  LQ_ASSIGN_OR_RETURN(const bool has_floats, TranslateExtendedQuantizers(graph));
  LQ_ASSIGN_OR_RETURN(const bool has_formats, FoldBlockFormats(graph));
  LQ_ASSIGN_OR_RETURN(const EncodingsFile quantizers, FoldQuantizers(graph));
  if (!quantizers.entries.empty()) {
    LQ_RETURN_IF_ERROR(RemoveDeadNodes(graph));
    LQ_RETURN_IF_ERROR(AttachEncodings(quantizers, graph));
  }
  LQ_RETURN_IF_ERROR(ExpandEinsum(graph));
  LQ_RETURN_IF_ERROR(CheckOperators(graph));
  return has_lstm || is_dynamic || has_floats || has_formats || !quantizers.entries.empty();
}

// AIMET names only tensors of the file, though some of them feed no output.
Status CheckNames(const EncodingsFile& encodings, const std::set<std::string>& names) {
  constexpr size_t kShown = 5;
  std::vector<std::string> strangers;
  for (const EncodingEntry& entry : encodings.entries) {
    if (names.count(entry.name) == 0) strangers.push_back(entry.name);
  }
  if (strangers.empty()) return OkStatus();
  const auto shown = strangers.begin() + static_cast<ptrdiff_t>(std::min(kShown, strangers.size()));
  return InvalidArgument(fmt::format("encodings of {} tensors that are none of the model's {}: '{}'{}",
                                     strangers.size(), names.size(), fmt::join(strangers.begin(), shown, "', '"),
                                     strangers.size() > kShown ? ", ..." : ""));
}

Status AttachFile(const std::string& path, const std::set<std::string>& names, Graph& graph) {
  LQ_ASSIGN_OR_RETURN(EncodingsFile encodings, ReadEncodings(path));
  LQ_RETURN_IF_ERROR(InFile(path, CheckNames(encodings, names)));
  RoundToHalves(encodings, graph);
  LQ_RETURN_IF_ERROR(InFile(path, AttachEncodings(encodings, graph)));
  SplitCopies(graph);
  return OkStatus();
}

}  // namespace

Result<Model> Model::Load(const std::string& onnx_path, const std::string& encodings_path) {
  LQ_ASSIGN_OR_RETURN(Graph graph, ReadOnnx(onnx_path));
  std::set<std::string> names;
  for (const Value& value : graph.values) names.insert(value.name);
  const Result<bool> has_quantizers = TidyGraph(graph);
  LQ_RETURN_IF_ERROR(InFile(onnx_path, has_quantizers.status()));
  if (!encodings_path.empty()) {
    LQ_RETURN_IF_ERROR(AttachFile(encodings_path, names, graph));
  } else if (!*has_quantizers) {
    return InvalidArgument(
        fmt::format("{}: it has no QuantizeLinear or DequantizeLinear: an encodings file is needed", onnx_path));
  }
  LQ_RETURN_IF_ERROR(InFile(onnx_path, FoldAliases(graph)));
  LQ_RETURN_IF_ERROR(InFile(onnx_path, FoldNodes(graph)));
  NoteTiedWeights(graph);
  LQ_RETURN_IF_ERROR(InFile(onnx_path, WidenImages(graph)));
  return Model(std::make_shared<const Graph>(std::move(graph)));
}

}  // namespace lq
