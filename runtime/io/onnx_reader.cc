#include "runtime/io/onnx_reader.h"

#include <fmt/format.h>

#include <string_view>

#include "runtime/io/file.h"
#include "runtime/io/onnx_graph.h"
#include "runtime/io/onnx_outline.h"
#include "runtime/io/protobuf.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr uint64_t kMaxModelBytes = uint64_t{1} << 31;  // protobuf's own limit; larger models keep weights outside

// OperatorSetIdProto. Only the default domain's version matters: nodes of other domains are refused by CheckOperators.
Status ReadOpset(std::string_view message, Graph& graph) {
  std::string domain;
  int64_t version = 0;
  ProtoFields fields("OperatorSetIdProto", message);
  while (fields.Next()) {
    if (fields.number() == 1) {
      LQ_ASSIGN_OR_RETURN(domain, fields.Name());
    } else if (fields.number() == 2) {
      LQ_ASSIGN_OR_RETURN(version, fields.Int());
    }
  }
  LQ_RETURN_IF_ERROR(fields.status());
  if (!domain.empty() && domain != "ai.onnx") return OkStatus();
  if (graph.opset != 0) {
    return InvalidArgument(
        fmt::format("ModelProto: imports the default operator set twice, {} and {}", graph.opset, version));
  }
  graph.opset = version;
  return OkStatus();
}

// StringStringEntryProto. A QDQ graph has no encodings file to say that aimet_onnx made it.
Status ReadProperty(std::string_view message, Graph& graph) {
  std::string_view key, value;
  ProtoFields fields("StringStringEntryProto", message);
  while (fields.Next()) {
    if (fields.number() != 1 && fields.number() != 2) continue;
    LQ_ASSIGN_OR_RETURN(const std::string_view text, fields.Bytes());
    (fields.number() == 1 ? key : value) = text;
  }
  LQ_RETURN_IF_ERROR(fields.status());
  constexpr std::string_view kProducer = "aimet-onnx";
  if (key == "producer" && value.substr(0, kProducer.size()) == kProducer) graph.encodings_producer = kProducer;
  return OkStatus();
}

Result<Graph> ReadModel(const OnnxOutline& outline, const std::string& folder) {
  Graph graph;
  bool has_graph = false;
  ProtoFields fields("ModelProto", outline.message);
  while (fields.Next()) {
    if (fields.number() != 7 && fields.number() != 8 && fields.number() != 14) continue;
    LQ_ASSIGN_OR_RETURN(const std::string_view bytes, fields.Bytes());
    if (fields.number() == 8) {
      LQ_RETURN_IF_ERROR(ReadOpset(bytes, graph));
      continue;
    }
    if (fields.number() == 14) {
      LQ_RETURN_IF_ERROR(ReadProperty(bytes, graph));
      continue;
    }
    if (has_graph) return InvalidArgument("ModelProto: two graphs");
    has_graph = true;
    LQ_RETURN_IF_ERROR(ReadOnnxGraph({bytes, outline.raw_data, folder}, graph));
  }
  LQ_RETURN_IF_ERROR(fields.status());
  if (!has_graph) return InvalidArgument("ModelProto: no graph; is this an ONNX file?");
  return graph;
}

}  // namespace

Result<Graph> ReadOnnx(const std::string& path) {
  LQ_ASSIGN_OR_RETURN(const File file, File::Open(path));
  if (file.size() > kMaxModelBytes) {
    return Unsupported(
        fmt::format("{}: {} bytes; files of up to {} bytes are read", path, file.size(), kMaxModelBytes));
  }
  LQ_ASSIGN_OR_RETURN(const OnnxOutline outline, ReadOnnxOutline(file));
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  Result<Graph> graph = ReadModel(outline, folder);
  if (!graph.ok()) return InFile(path, graph.status());
  return graph;
}

}  // namespace lq
