#include "runtime/io/onnx_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/io/onnx_element.h"
#include "runtime/io/onnx_tensor.h"
#include "runtime/io/protobuf.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// A Node or a Value takes some 200 bytes and 2 in the file: these bounds keep a hostile file of 2 GiB below 1 GiB more.
constexpr size_t kMaxNodes = 1'000'000;
constexpr size_t kMaxValues = 4'000'000;
constexpr size_t kMaxGraphInputs = 4096;  // and outputs

struct TensorDeclaration {
  int64_t element_type = 0;
  std::optional<Shape> shape;
  std::vector<std::string> symbols;
};

// TensorShapeProto.Dimension: its number, or -1 for a symbol or nothing.
Result<int64_t> ReadDimension(std::string_view message, std::string& symbol) {
  int64_t dim = -1;
  ProtoFields fields("TensorShapeProto.Dimension", message);
  while (fields.Next()) {
    if (fields.number() == 2) {
      LQ_ASSIGN_OR_RETURN(symbol, fields.Name());
    }
    if (fields.number() != 1) continue;
    LQ_ASSIGN_OR_RETURN(dim, fields.Int());
    if (dim < 0) return InvalidArgument(fmt::format("dimension {} is negative", dim));
  }
  LQ_RETURN_IF_ERROR(fields.status());
  return dim;
}

Result<Shape> ReadShape(const std::string& owner, std::string_view message, std::vector<std::string>& symbols) {
  std::vector<int64_t> dims;
  ProtoFields fields("TensorShapeProto", message);
  while (fields.Next() && dims.size() <= Shape::kMaxRank) {
    if (fields.number() != 1) continue;
    LQ_ASSIGN_OR_RETURN(const std::string_view bytes, fields.Bytes());
    symbols.emplace_back();
    LQ_ASSIGN_OR_RETURN(const int64_t dim, ReadDimension(bytes, symbols.back()));
    dims.push_back(dim);
  }
  LQ_RETURN_IF_ERROR(fields.status());
  return CheckedShape(owner, dims, -1);
}

// TypeProto.Tensor
Result<TensorDeclaration> ReadTensorType(const std::string& owner, std::string_view message) {
  TensorDeclaration declaration;
  ProtoFields fields("TypeProto.Tensor", message);
  while (fields.Next()) {
    if (fields.number() == 1) {
      LQ_ASSIGN_OR_RETURN(declaration.element_type, fields.Int());
    } else if (fields.number() == 2) {
      LQ_ASSIGN_OR_RETURN(const std::string_view bytes, fields.Bytes());
      LQ_ASSIGN_OR_RETURN(declaration.shape, ReadShape(owner, bytes, declaration.symbols));
    }
  }
  LQ_RETURN_IF_ERROR(fields.status());
  return declaration;
}

// The type of a graph's input or output: float, or integers and truths, which cross as float32 numbers.
Result<DType> BoundaryType(const std::string& owner, int64_t element_type) {
  constexpr OnnxType kTypes[] = {OnnxType::kFloat, OnnxType::kUint8, OnnxType::kInt8,  OnnxType::kUint16,
                                 OnnxType::kInt16, OnnxType::kInt32, OnnxType::kInt64, OnnxType::kBool};
  for (OnnxType type : kTypes) {
    if (static_cast<int64_t>(type) == element_type) return type == OnnxType::kFloat ? DType::kF32 : CodeType(type);
  }
  return Unsupported(fmt::format(
      "{}: ONNX data type {}; supported: float (1), int8 to int64 (3, 5, 6, 7), uint8 (2), uint16 (4), bool (9)", owner,
      element_type));
}

// TypeProto, of which only tensors (field 1) are supported.
Result<TensorDeclaration> ReadType(const std::string& owner, std::string_view message) {
  ProtoFields fields("TypeProto", message);
  while (fields.Next()) {
    if (fields.number() != 1) continue;
    LQ_ASSIGN_OR_RETURN(const std::string_view bytes, fields.Bytes());
    return ReadTensorType(owner, bytes);
  }
  LQ_RETURN_IF_ERROR(fields.status());
  return Unsupported(fmt::format("{}: its type is not a tensor's", owner));
}

struct ValueInfo {
  std::string name;
  std::string_view type;
};

Result<ValueInfo> ReadValueInfo(std::string_view message) {
  ValueInfo info;
  ProtoFields fields("ValueInfoProto", message);
  while (fields.Next()) {
    if (fields.number() == 1) {
      LQ_ASSIGN_OR_RETURN(info.name, fields.Name());
    } else if (fields.number() == 2) {
      LQ_ASSIGN_OR_RETURN(info.type, fields.Bytes());
    }
  }
  LQ_RETURN_IF_ERROR(fields.status());
  if (info.name.empty()) return InvalidArgument("GraphProto: an input or output without a name");
  return info;
}

// Reads a GraphProto in four walks: initializers first (old files list them among the inputs), inputs and outputs,
// declared shapes, nodes.
class GraphReader {
 public:
  GraphReader(const OnnxGraph& from, Graph& graph)
      : message_(from.message), raw_data_(from.raw_data), graph_(graph), values_(graph), external_(from.folder) {}

  Status Read() {
    LQ_RETURN_IF_ERROR(Walk([this](const ProtoFields& fields) { return ReadInitializer(fields); }));
    LQ_RETURN_IF_ERROR(Walk([this](const ProtoFields& fields) { return ReadInputOrOutput(fields); }));
    LQ_RETURN_IF_ERROR(Walk([this](const ProtoFields& fields) { return ReadDeclaredShape(fields); }));
    return Walk([this](const ProtoFields& fields) { return ReadNode(fields); });
  }

 private:
  template <class Visit>
  Status Walk(Visit visit) {
    ProtoFields fields("GraphProto", message_);
    while (fields.Next()) LQ_RETURN_IF_ERROR(visit(fields));
    return fields.status();
  }

  Status ReadInitializer(const ProtoFields& fields) {
    if (fields.number() == 15) return Unsupported("GraphProto: sparse initializers; supported: dense ones");
    if (fields.number() != 5) return OkStatus();
    LQ_ASSIGN_OR_RETURN(const std::string_view bytes, fields.Bytes());
    std::optional<FileRange> raw_data;
    if (initializers_ < raw_data_.size()) raw_data = raw_data_[initializers_];
    ++initializers_;
    LQ_ASSIGN_OR_RETURN(OnnxTensor tensor, ReadTensor("", bytes, external_, raw_data));
    if (tensor.name.empty()) return InvalidArgument("GraphProto: an initializer without a name");
    LQ_ASSIGN_OR_RETURN(const ValueId id, values_.Find(tensor.name));
    if (graph_.value(id).constant.has_value()) {
      return InvalidArgument(fmt::format("tensor '{}': two initializers of this name", tensor.name));
    }
    graph_.value(id).constant = std::move(tensor.constant);
    return OkStatus();
  }

  Status ReadInputOrOutput(const ProtoFields& fields) {
    if (fields.number() != 11 && fields.number() != 12) return OkStatus();
    const bool is_input = fields.number() == 11;
    LQ_ASSIGN_OR_RETURN(const std::string_view bytes, fields.Bytes());
    LQ_ASSIGN_OR_RETURN(const ValueInfo info, ReadValueInfo(bytes));
    LQ_ASSIGN_OR_RETURN(const ValueId id, values_.Find(info.name));
    Value& value = graph_.value(id);
    if (is_input && value.constant.has_value()) return OkStatus();  // an initializer: its default value is its value
    const std::string owner = fmt::format("graph {} '{}'", is_input ? "input" : "output", info.name);
    LQ_ASSIGN_OR_RETURN(const TensorDeclaration declaration, ReadType(owner, info.type));
    LQ_ASSIGN_OR_RETURN(value.file_type, BoundaryType(owner, declaration.element_type));
    std::vector<ValueId>& list = is_input ? graph_.inputs : graph_.outputs;
    if (std::find(list.begin(), list.end(), id) != list.end()) {
      return InvalidArgument(fmt::format("{}: listed twice", owner));
    }
    if (list.size() == kMaxGraphInputs) return Unsupported(fmt::format("{}: more than {}", owner, kMaxGraphInputs));
    list.push_back(id);
    if (!value.shape.has_value()) Declare(declaration, value);
    return OkStatus();
  }

  static void Declare(const TensorDeclaration& declaration, Value& value) {
    value.shape = declaration.shape;
    value.symbols = declaration.symbols;
  }

  // value_info: what the exporter knew of a tensor's shape. Other types than tensors say nothing.
  Status ReadDeclaredShape(const ProtoFields& fields) {
    if (fields.number() != 13) return OkStatus();
    LQ_ASSIGN_OR_RETURN(const std::string_view bytes, fields.Bytes());
    LQ_ASSIGN_OR_RETURN(const ValueInfo info, ReadValueInfo(bytes));
    const Result<TensorDeclaration> declaration = ReadType(info.name, info.type);
    if (!declaration.ok() || !declaration->shape.has_value()) return OkStatus();
    LQ_ASSIGN_OR_RETURN(const ValueId id, values_.Find(info.name));
    if (!graph_.value(id).shape.has_value()) Declare(*declaration, graph_.value(id));
    return OkStatus();
  }

  Status ReadNode(const ProtoFields& fields) {
    if (fields.number() != 1) return OkStatus();
    if (graph_.nodes.size() == kMaxNodes) return Unsupported(fmt::format("GraphProto: more than {} nodes", kMaxNodes));
    LQ_ASSIGN_OR_RETURN(const std::string_view bytes, fields.Bytes());
    LQ_ASSIGN_OR_RETURN(Node node, ReadOnnxNode(bytes, values_, external_));
    graph_.nodes.push_back(std::move(node));
    return OkStatus();
  }

  std::string_view message_;
  std::span<const std::optional<FileRange>> raw_data_;
  size_t initializers_ = 0;  // read so far
  Graph& graph_;
  ValueNames values_;
  ExternalData external_;
};

}  // namespace

Result<ValueId> ValueNames::Find(const std::string& name) {
  if (name.empty()) return kAbsent;
  const auto [found, is_new] = ids_.emplace(name, static_cast<ValueId>(graph_.values.size()));
  if (is_new) {
    if (graph_.values.size() == kMaxValues) {
      return Unsupported(fmt::format("tensor '{}': more than {} tensors", name, kMaxValues));
    }
    graph_.values.emplace_back();
    graph_.values.back().name = name;
  }
  return found->second;
}

Status ReadOnnxGraph(const OnnxGraph& from, Graph& graph) { return GraphReader(from, graph).Read(); }

}  // namespace lq
