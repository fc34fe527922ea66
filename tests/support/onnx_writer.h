// Writes ONNX files byte by byte, right and wrong ones: a protobuf writer of twenty lines, and the messages on top of
// it. Field numbers are those of onnx.proto.
#ifndef LANEQUANT_TESTS_SUPPORT_ONNX_WRITER_H_
#define LANEQUANT_TESTS_SUPPORT_ONNX_WRITER_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace lq::testing {

class Proto {
 public:
  Proto& Int(uint32_t field, int64_t value) {
    Varint(field << 3);
    Varint(static_cast<uint64_t>(value));
    return *this;
  }
  Proto& Bytes(uint32_t field, const std::string& value) {
    Varint(field << 3 | 2);
    Varint(value.size());
    bytes_ += value;
    return *this;
  }
  Proto& Float(uint32_t field, float value) {
    Varint(field << 3 | 5);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  operator const std::string&() const { return bytes_; }  // NOLINT(google-explicit-constructor)
  const std::string& bytes() const { return bytes_; }

 private:
  void Varint(uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

template <class T>
std::string RawData(const std::vector<T>& values) {
  return values.empty() ? "" : std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// TensorProto without data.
inline Proto TensorHead(const std::string& name, const std::vector<int64_t>& dims, int64_t data_type) {
  Proto tensor;
  for (int64_t dim : dims) tensor.Int(1, dim);
  return tensor.Int(2, data_type).Bytes(8, name);
}

inline Proto FloatTensor(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
  return TensorHead(name, dims, 1).Bytes(9, RawData(values));
}

inline Proto ExternalEntry(const std::string& key, const std::string& value) {
  return Proto().Bytes(1, key).Bytes(2, value);
}

// A float tensor of which the bytes are elsewhere.
inline Proto ExternalTensor(const std::string& name, const std::vector<int64_t>& dims,
                            const std::vector<std::pair<std::string, std::string>>& entries) {
  Proto tensor = TensorHead(name, dims, 1).Int(14, 1);
  for (const auto& [key, value] : entries) tensor.Bytes(13, ExternalEntry(key, value));
  return tensor;
}

inline Proto IntAttribute(const std::string& name, int64_t value) {
  return Proto().Bytes(1, name).Int(3, value).Int(20, 2);
}
inline Proto FloatAttribute(const std::string& name, float value) {
  return Proto().Bytes(1, name).Float(2, value).Int(20, 1);
}
inline Proto StringAttribute(const std::string& name, const std::string& value) {
  return Proto().Bytes(1, name).Bytes(4, value).Int(20, 3);
}
inline Proto TensorAttribute(const std::string& name, const Proto& tensor) {
  return Proto().Bytes(1, name).Bytes(5, tensor).Int(20, 4);
}
inline Proto IntsAttribute(const std::string& name, const std::vector<int64_t>& values) {
  Proto attribute = Proto().Bytes(1, name).Int(20, 7);
  for (int64_t value : values) attribute.Int(8, value);
  return attribute;
}

inline Proto OnnxNode(const std::string& op, const std::string& name, const std::vector<std::string>& inputs,
                      const std::vector<std::string>& outputs, const std::vector<Proto>& attributes = {}) {
  Proto node;
  for (const std::string& input : inputs) node.Bytes(1, input);
  for (const std::string& output : outputs) node.Bytes(2, output);
  node.Bytes(3, name).Bytes(4, op);
  for (const Proto& attribute : attributes) node.Bytes(5, attribute);
  return node;
}

// ValueInfoProto of a tensor; -1 is the symbol "batch".
inline Proto OnnxValue(const std::string& name, const std::vector<int64_t>& dims, int64_t data_type = 1) {
  Proto shape;
  for (int64_t dim : dims) shape.Bytes(1, dim < 0 ? Proto().Bytes(2, "batch") : Proto().Int(1, dim));
  const Proto tensor = Proto().Int(1, data_type).Bytes(2, shape);
  return Proto().Bytes(1, name).Bytes(2, Proto().Bytes(1, tensor));
}

struct OnnxGraph {
  std::vector<Proto> nodes, initializers, inputs, outputs;

  std::string Graph() const {
    Proto graph;
    for (const Proto& node : nodes) graph.Bytes(1, node);
    for (const Proto& initializer : initializers) graph.Bytes(5, initializer);
    for (const Proto& input : inputs) graph.Bytes(11, input);
    for (const Proto& output : outputs) graph.Bytes(12, output);
    return graph;
  }
  // The whole file.
  std::string Model(int64_t opset = 17) const {
    return Proto().Int(1, 8).Bytes(7, Graph()).Bytes(8, Proto().Int(2, opset));
  }
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_ONNX_WRITER_H_
