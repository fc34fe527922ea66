#include "runtime/io/onnx_tensor.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "runtime/io/onnx_element.h"
#include "runtime/io/protobuf.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// A TensorProto, its data still where the file has them.
struct TensorProto {
  std::string name;
  std::vector<int64_t> dims;
  int64_t data_type = 0;
  std::optional<std::string_view> raw;
  std::optional<FileRange> raw_in_file;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<int64_t> ints;  // int32_data, int64_data, uint64_data
  bool is_external = false;
  ExternalLocation external;
};

Status ReadField(const ProtoFields& fields, TensorProto& tensor) {
  switch (fields.number()) {
    case 1:
      return fields.AppendInts(tensor.dims);
    case 2: {
      LQ_ASSIGN_OR_RETURN(tensor.data_type, fields.Int());
      return OkStatus();
    }
    case 3:
      return Unsupported("TensorProto: data in segments; supported: whole tensors");
    case 4:
      return fields.AppendFloats(tensor.floats);
    case 5:
    case 7:
    case 11:
      return fields.AppendInts(tensor.ints);
    case 9: {
      LQ_ASSIGN_OR_RETURN(tensor.raw, fields.Bytes());
      return OkStatus();
    }
    case 10:
      return fields.AppendDoubles(tensor.doubles);
    case 13: {
      LQ_ASSIGN_OR_RETURN(const std::string_view entry, fields.Bytes());
      return tensor.external.Add(tensor.name, entry);
    }
    case 14: {
      LQ_ASSIGN_OR_RETURN(const int64_t location, fields.Int());
      tensor.is_external = location == 1;
      return OkStatus();
    }
    default:
      return OkStatus();
  }
}

// The name comes first, in a walk of its own: messages about the other fields need it, and files have it anywhere.
Result<std::string> ReadName(std::string_view message) {
  std::string name;
  ProtoFields fields("TensorProto", message);
  while (fields.Next()) {
    if (fields.number() != 8) continue;
    LQ_ASSIGN_OR_RETURN(name, fields.Name());
  }
  LQ_RETURN_IF_ERROR(fields.status());
  return name;
}

Status NamedError(const std::string& tensor, const Status& status) {
  return Status(status.code(), fmt::format("tensor '{}': {}", tensor, status.message()));
}

Result<TensorProto> ReadFields(const std::string& owner, std::string_view message) {
  TensorProto tensor;
  LQ_ASSIGN_OR_RETURN(tensor.name, ReadName(message));
  if (tensor.name.empty()) tensor.name = owner;
  ProtoFields fields("TensorProto", message);
  while (fields.Next()) {
    if (const Status status = ReadField(fields, tensor); !status.ok()) return NamedError(tensor.name, status);
  }
  LQ_RETURN_IF_ERROR(fields.status());
  return tensor;
}

Status CheckCount(const TensorProto& tensor, uint64_t have, uint64_t want, const char* what, const Shape& shape) {
  if (have == want) return OkStatus();
  return InvalidArgument(
      fmt::format("tensor '{}': {} {}, but shape {} needs {}", tensor.name, have, what, shape.ToString(), want));
}

// Typed fields: a number for each element; for each byte of packed types.
Status WidenTyped(const TensorProto& tensor, OnnxType type, uint64_t count, Constant& constant) {
  const size_t have = tensor.floats.size() + tensor.doubles.size() + tensor.ints.size();
  LQ_RETURN_IF_ERROR(CheckCount(tensor, have, count, "elements", constant.shape));
  if (type == OnnxType::kFloat && tensor.floats.size() == count) {
    constant.f32 = tensor.floats;
    return OkStatus();
  }
  if (type == OnnxType::kDouble && tensor.doubles.size() == count) {
    return WidenDoubles(tensor.name, tensor.doubles, constant);
  }
  if (type != OnnxType::kFloat && type != OnnxType::kDouble && tensor.ints.size() == count) {
    return WidenInts(tensor.name, type, tensor.ints, constant);
  }
  return InvalidArgument(fmt::format("tensor '{}': its {} elements are in the field of another type than {}",
                                     tensor.name, count, tensor.data_type));
}

// Types that a Constant has as the file does: floats and codes, which are most of a large model.
bool StaysAsItIs(OnnxType type) {
  return type == OnnxType::kFloat || (BitsOf(type) >= 8 && type != OnnxType::kBool && type != OnnxType::kUint32 &&
                                      WidenedType(type) == DType::kS64);
}

// Bytes of an element of a Constant.
size_t BytesInMemory(OnnxType type) {
  return SizeOf(WidenedType(type) == DType::kS64 ? IntegerType(type) : WidenedType(type));
}

// They go to where they stay.
Status WidenRange(const std::string& tensor, OnnxType type, const FileRange& range, Constant& constant) {
  if (type == OnnxType::kFloat) {
    constant.f32.resize(range.size / sizeof(float));
    return range.file->ReadAt(range.offset, std::as_writable_bytes(std::span(constant.f32)));
  }
  if (StaysAsItIs(type)) {
    constant.s64 = Integers(IntegerType(type), range.size / BytesInMemory(type));
    return range.file->ReadAt(range.offset, constant.s64.bytes());
  }
  std::string data(range.size, '\0');
  LQ_RETURN_IF_ERROR(range.file->ReadAt(range.offset, std::as_writable_bytes(std::span(data))));
  return WidenRaw(tensor, type, data, constant);
}

Status WidenBytes(const TensorProto& tensor, OnnxType type, ExternalSize size, ExternalData& external,
                  Constant& constant) {
  if (!tensor.floats.empty() || !tensor.doubles.empty() || !tensor.ints.empty() ||
      (tensor.is_external && (tensor.raw.has_value() || tensor.raw_in_file.has_value()))) {
    return InvalidArgument(fmt::format("tensor '{}': holds its data twice", tensor.name));
  }
  if (tensor.is_external) {
    LQ_ASSIGN_OR_RETURN(const FileRange range, external.Find(tensor.name, tensor.external, size));
    return WidenRange(tensor.name, type, range, constant);
  }
  if (tensor.raw_in_file.has_value()) {
    LQ_RETURN_IF_ERROR(CheckCount(tensor, tensor.raw_in_file->size, size.in_file, "bytes", constant.shape));
    return WidenRange(tensor.name, type, *tensor.raw_in_file, constant);
  }
  LQ_RETURN_IF_ERROR(CheckCount(tensor, tensor.raw->size(), size.in_file, "bytes", constant.shape));
  return WidenRaw(tensor.name, type, *tensor.raw, constant);
}

}  // namespace

Result<Shape> CheckedShape(const std::string& owner, std::span<const int64_t> dims, int64_t lowest) {
  if (dims.size() > Shape::kMaxRank) {
    return Unsupported(fmt::format("{}: {} dimensions; up to {} are supported", owner, dims.size(), Shape::kMaxRank));
  }
  Shape known(dims);
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < lowest) return InvalidArgument(fmt::format("{}: dimension {} is {}", owner, i, dims[i]));
    if (known[i] < 0) known[i] = 1;
  }
  if (known.NumElements() < 0) {
    return InvalidArgument(fmt::format("{}: shape {} has a dimension above 2^40 or more than 2^63 - 1 elements", owner,
                                       Shape(dims).ToString()));
  }
  return Shape(dims);
}

Result<OnnxTensor> ReadTensor(const std::string& owner, std::string_view message, ExternalData& external,
                              const std::optional<FileRange>& raw_data) {
  LQ_ASSIGN_OR_RETURN(TensorProto tensor, ReadFields(owner, message));
  tensor.raw_in_file = raw_data;
  const std::string label = fmt::format("tensor '{}'", tensor.name);
  LQ_ASSIGN_OR_RETURN(const OnnxType type, CheckedOnnxType(tensor.name, tensor.data_type));
  OnnxTensor result{tensor.name, Constant{}};
  result.constant.dtype = WidenedType(type);
  result.constant.file_type = CodeType(type);
  LQ_ASSIGN_OR_RETURN(result.constant.shape, CheckedShape(label, tensor.dims, 0));
  const uint64_t count = static_cast<uint64_t>(result.constant.shape.NumElements());
  uint64_t bytes = 0, in_memory = 0;
  if (!BytesOf(type, count, bytes) || __builtin_mul_overflow(count, BytesInMemory(type), &in_memory)) {
    return InvalidArgument(
        fmt::format("{}: shape {} has more bytes than 64 bits count", label, result.constant.shape.ToString()));
  }
  if (tensor.raw.has_value() || tensor.raw_in_file.has_value() || tensor.is_external) {
    const uint64_t on_the_way = StaysAsItIs(type) ? 0 : bytes;
    if (__builtin_add_overflow(in_memory, on_the_way, &in_memory)) in_memory = UINT64_MAX;
    LQ_RETURN_IF_ERROR(WidenBytes(tensor, type, {bytes, in_memory}, external, result.constant));
  } else {
    LQ_RETURN_IF_ERROR(WidenTyped(tensor, type, BitsOf(type) < 8 ? bytes : count, result.constant));
  }
  return result;
}

}  // namespace lq
