#include <fmt/format.h>

#include <utility>

#include "runtime/io/onnx_graph.h"
#include "runtime/io/onnx_tensor.h"
#include "runtime/io/protobuf.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kMaxAttributes = 256;
constexpr size_t kMaxOperands = 65536;       // inputs, and outputs, of one node
constexpr size_t kMaxAttributeList = 65536;  // numbers in one attribute
constexpr size_t kMaxStringBytes = 4096;

// AttributeProto.AttributeType, those that operators of this version have.
enum AttributeType : int64_t { kFloat = 1, kInt = 2, kString = 3, kTensor = 4, kFloats = 6, kInts = 7 };

struct AttributeProto {
  std::string name;
  int64_t type = 0;
  float f = 0;
  int64_t i = 0;
  std::string_view s, t;
  std::vector<float> floats;
  std::vector<int64_t> ints;
};

Status ReadAttributeField(const ProtoFields& fields, AttributeProto& attribute) {
  switch (fields.number()) {
    case 1: {
      LQ_ASSIGN_OR_RETURN(attribute.name, fields.Name());
      return OkStatus();
    }
    case 2: {
      LQ_ASSIGN_OR_RETURN(attribute.f, fields.Float());
      return OkStatus();
    }
    case 3: {
      LQ_ASSIGN_OR_RETURN(attribute.i, fields.Int());
      return OkStatus();
    }
    case 4: {
      LQ_ASSIGN_OR_RETURN(attribute.s, fields.Bytes());
      return OkStatus();
    }
    case 5: {
      LQ_ASSIGN_OR_RETURN(attribute.t, fields.Bytes());
      return OkStatus();
    }
    case 7:
      return fields.AppendFloats(attribute.floats);
    case 8:
      return fields.AppendInts(attribute.ints);
    case 20: {
      LQ_ASSIGN_OR_RETURN(attribute.type, fields.Int());
      return OkStatus();
    }
    default:
      return OkStatus();
  }
}

// `owner` names the node in messages.
Result<Attribute> ToAttribute(const std::string& owner, AttributeProto& attribute, ExternalData& external) {
  switch (attribute.type) {
    case kFloat:
      return Attribute(attribute.f);
    case kInt:
      return Attribute(attribute.i);
    case kString:
      if (attribute.s.size() <= kMaxStringBytes) return Attribute(std::string(attribute.s));
      return Unsupported(fmt::format("{}: attribute '{}' is a string of {} bytes; up to {} are allowed", owner,
                                     attribute.name, attribute.s.size(), kMaxStringBytes));
    case kTensor: {
      LQ_ASSIGN_OR_RETURN(OnnxTensor tensor, ReadTensor(attribute.name + " of " + owner, attribute.t, external));
      return Attribute(std::move(tensor.constant));
    }
    case kFloats:
      return Attribute(std::move(attribute.floats));
    case kInts:
      return Attribute(std::move(attribute.ints));
    default:
      return Unsupported(
          fmt::format("{}: attribute '{}' has ONNX attribute type {}; supported: FLOAT (1), INT (2), "
                      "STRING (3), TENSOR (4), FLOATS (6), INTS (7)",
                      owner, attribute.name, attribute.type));
  }
}

Status ReadAttribute(const std::string& owner, std::string_view message, ExternalData& external, Node& node) {
  AttributeProto attribute;
  ProtoFields fields("AttributeProto", message);
  while (fields.Next()) {
    const Status status = ReadAttributeField(fields, attribute);
    if (!status.ok()) return InvalidArgument(owner + ": " + status.message());
    if (attribute.ints.size() > kMaxAttributeList || attribute.floats.size() > kMaxAttributeList) {
      return Unsupported(
          fmt::format("{}: attribute '{}' has more than {} numbers", owner, attribute.name, kMaxAttributeList));
    }
  }
  LQ_RETURN_IF_ERROR(fields.status());
  if (attribute.name.empty()) return InvalidArgument(owner + ": an attribute without a name");
  if (node.attributes.size() == kMaxAttributes) {
    return Unsupported(fmt::format("{}: more than {} attributes", owner, kMaxAttributes));
  }
  LQ_ASSIGN_OR_RETURN(Attribute value, ToAttribute(owner, attribute, external));
  if (!node.attributes.emplace(attribute.name, std::move(value)).second) {
    return InvalidArgument(fmt::format("{}: attribute '{}' twice", owner, attribute.name));
  }
  return OkStatus();
}

Status AppendOperand(const ProtoFields& fields, ValueNames& values, std::vector<ValueId>& operands) {
  if (operands.size() == kMaxOperands) {
    return Unsupported(fmt::format("NodeProto: more than {} inputs or outputs", kMaxOperands));
  }
  LQ_ASSIGN_OR_RETURN(const std::string name, fields.Name());
  LQ_ASSIGN_OR_RETURN(const ValueId id, values.Find(name));
  operands.push_back(id);
  return OkStatus();
}

// Everything but the attributes: their messages need the names.
Result<Node> ReadHead(std::string_view message, ValueNames& values) {
  Node node;
  ProtoFields fields("NodeProto", message);
  while (fields.Next()) {
    switch (fields.number()) {
      case 1:
        LQ_RETURN_IF_ERROR(AppendOperand(fields, values, node.inputs));
        break;
      case 2:
        LQ_RETURN_IF_ERROR(AppendOperand(fields, values, node.outputs));
        break;
      case 3: {
        LQ_ASSIGN_OR_RETURN(node.name, fields.Name());
        break;
      }
      case 4: {
        LQ_ASSIGN_OR_RETURN(node.op, fields.Name());
        break;
      }
      case 7: {
        LQ_ASSIGN_OR_RETURN(node.domain, fields.Name());
        break;
      }
      default:
        break;
    }
  }
  LQ_RETURN_IF_ERROR(fields.status());
  if (node.domain == "ai.onnx") node.domain.clear();  // two spellings of the default domain
  return node;
}

}  // namespace

Result<Node> ReadOnnxNode(std::string_view message, ValueNames& values, ExternalData& external) {
  LQ_ASSIGN_OR_RETURN(Node node, ReadHead(message, values));
  const std::string owner = fmt::format("{} '{}'", node.op, node.name);
  ProtoFields fields("NodeProto", message);
  while (fields.Next()) {
    if (fields.number() != 5) continue;
    LQ_ASSIGN_OR_RETURN(const std::string_view bytes, fields.Bytes());
    LQ_RETURN_IF_ERROR(ReadAttribute(owner, bytes, external, node));
  }
  LQ_RETURN_IF_ERROR(fields.status());
  return node;
}

}  // namespace lq
