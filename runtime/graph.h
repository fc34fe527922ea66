// Graph: the one intermediate form. Readers translate files into it, passes tidy it, the planner and the simulator read
// it.
#ifndef LANEQUANT_RUNTIME_GRAPH_H_
#define LANEQUANT_RUNTIME_GRAPH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/integers.h"

namespace lq {

// A constant of the file. Floating types are widened or kept as float32, integers stay as they are: f32 or s64 is
// filled, as dtype (kF32 or kS64) says. A weight of which the file gives codes of up to 8 bits is kS8: s64 holds
// codes of the value's encoding, of whatever type; a layer's floats would be four times the file. A bias that the file
// gives in 32-bit codes is kF64: code * scale, one rounding (exact_simulator.md 3); float32 would lose bits of it.
struct Constant {
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<float> f32;
  Integers s64;
  std::vector<double> f64 = {};
  std::vector<float> step = {};  // the scale of each code that f64 was: at most half of it off the float
  DType file_type = DType::kS64;  // u8, s8, u16, s16, s32, u4, s4, u2, s2, f16, bf16 as in the file; others kS64
};

using ValueId = int32_t;
constexpr ValueId kAbsent = -1;  // an optional input that the node does not use

struct Value {
  std::string name;            // the ONNX tensor name
  std::optional<Shape> shape;  // as the file declares it, -1 for a symbolic dimension; always so for graph inputs
  std::vector<std::string> symbols;  // of the shape's dimensions: "" where it is a number or has no name
  std::optional<Constant> constant;
  std::optional<Encoding> encoding;  // attached by AttachEncodings
  DType file_type = DType::kF32;     // of graph inputs and outputs; whatever it is, float32 numbers cross
};

// ONNX's numbers of the types that a Cast may name.
constexpr int64_t kOnnxFloat = 1, kOnnxInt32 = 6, kOnnxInt64 = 7, kOnnxBool = 9;

using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>, Constant>;

struct Node {
  std::string name, op, domain;
  std::vector<ValueId> inputs, outputs;  // inputs may be kAbsent
  std::map<std::string, Attribute> attributes;

  // The attribute, or `fallback` where it is missing or of another type (readers check types: see
  // runtime/passes/operator_rules.h).
  int64_t Int(const std::string& key, int64_t fallback) const;
  float Float(const std::string& key, float fallback) const;
  std::string String(const std::string& key, const std::string& fallback) const;
  std::vector<int64_t> Ints(const std::string& key, std::vector<int64_t> fallback) const;
};

struct Graph {
  int64_t opset = 0;
  std::vector<Value> values;
  std::vector<Node> nodes;  // in topological order after SortNodes
  std::vector<ValueId> inputs, outputs;
  std::string encodings_producer;  // "aimet-torch", "aimet-onnx", ""
  std::vector<std::string> notes;  // what the reader wants the user to know: encodings that fit no tensor, ...

  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  Value& value(ValueId id) { return values[static_cast<size_t>(id)]; }
  // "Conv 'conv1' of tensor 'x'": how messages name a node.
  std::string Describe(const Node& node) const;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_GRAPH_H_
