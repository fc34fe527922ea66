#include "runtime/passes/infer_shape.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "runtime/axis.h"
#include "runtime/passes/einsum_equation.h"
#include "runtime/passes/node_inputs.h"
#include "runtime/shared_lengths.h"

namespace lq {
namespace {

// They keep the shape of their first input.
constexpr std::string_view kElementwise[] = {"Abs",
                                             "BFPQuantizeDequantize",
                                             "BatchNormalization",
                                             "Cast",
                                             "Ceil",
                                             "Celu",
                                             "Clip",
                                             "Cos",
                                             "CumSum",
                                             "DequantizeLinear",
                                             "Dropout",
                                             "DynamicQuantizeLinear",
                                             "Elu",
                                             "Erf",
                                             "Exp",
                                             "ExtendedDequantizeLinear",
                                             "ExtendedQuantizeLinear",
                                             "Floor",
                                             "Gelu",
                                             "GroupNormalization",
                                             "HardSigmoid",
                                             "HardSwish",
                                             "Identity",
                                             "InstanceNormalization",
                                             "IsNaN",
                                             "LayerNormalization",
                                             "LeakyRelu",
                                             "Log",
                                             "LogSoftmax",
                                             "MXQuantizeDequantize",
                                             "Mish",
                                             "Neg",
                                             "Not",
                                             "PRelu",
                                             "QuantizeLinear",
                                             "RMSNormalization",
                                             "Reciprocal",
                                             "Relu",
                                             "Round",
                                             "Selu",
                                             "Sigmoid",
                                             "Sign",
                                             "Sin",
                                             "Softmax",
                                             "Softplus",
                                             "Softsign",
                                             "Sqrt",
                                             "Tanh",
                                             "Trilu",
                                             "quantize_dequantize"};
constexpr std::string_view kBroadcasting[] = {"Add",  "And", "Div",         "Equal", "Greater", "GreaterOrEqual",
                                              "Less", "Max", "LessOrEqual", "Min",   "Mul",     "Or",
                                              "Pow",  "Sub", "Sum",         "Where", "Xor"};
constexpr std::string_view kWindows[] = {"AveragePool", "LpPool", "MaxPool"};
constexpr std::string_view kGlobalPools[] = {"GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"};

template <size_t kSize>
bool IsOneOf(const std::string_view (&names)[kSize], std::string_view op) {
  return std::find(std::begin(names), std::end(names), op) != std::end(names);
}

// An operator on codes as the one on numbers that makes the same shape. ONNX Runtime's QOperator form has scale and
// zero point behind each operand, those of a concatenation's result are in front.
std::optional<Node> PlainForm(const Node& node) {
  constexpr std::string_view kOfTwo[] = {"Add", "Conv", "Gemm", "MatMul", "Mul"};
  const bool integers = node.op == "ConvInteger" || node.op == "MatMulInteger";
  if (!integers && node.op != "QGemm" && node.op.rfind("QLinear", 0) != 0) return std::nullopt;
  Node plain = node;
  plain.op = integers ? node.op.substr(0, node.op.size() - 7) : node.op.substr(node.op == "QGemm" ? 1 : 7);
  if (plain.op == "Where") plain.op.clear();  // its condition has no scale: not followed
  const size_t step = integers ? 1 : 3, first = plain.op == "Concat" ? 2 : 0;
  size_t operands = IsOneOf(kOfTwo, plain.op) ? 2 : 1;
  if (plain.op == "Concat") operands = node.inputs.size();
  plain.inputs.clear();
  for (size_t i = first; i < node.inputs.size() && plain.inputs.size() < operands; i += step) {
    plain.inputs.push_back(node.inputs[i]);
  }
  return plain;
}

}  // namespace

ShapeInference::ShapeInference(Graph& graph) : graph_(graph) {}

Dim ShapeInference::Symbol(const Value& value, size_t d) {
  const std::string name = d < value.symbols.size() ? value.symbols[d] : "";
  if (!IsLengthName(name)) return Fresh();
  const auto [found, added] = symbols_.emplace(name, next_symbol_);
  if (added) ++next_symbol_;
  return {1, {found->second}};
}

bool ShapeInference::IsLength(const Dim& dim) const {
  return dim.factor >= 0 && std::none_of(dim.symbols.begin(), dim.symbols.end(),
                                         [this](int symbol) { return signed_.count(symbol) != 0; });
}

Dim ShapeInference::Sum(const Dim& a, const Dim& b) {
  if (Dim sum; a.is_number() && b.is_number() && !__builtin_add_overflow(a.factor, b.factor, &sum.factor)) return sum;
  if (a == Dim{0}) return b;
  if (b == Dim{0}) return a;
  for (const Parts& known : sums_) {
    if ((known.a == a && known.b == b) || (known.a == b && known.b == a)) return known.result;
  }
  sums_.push_back({Fresh(), a, b});
  const Dim& sum = sums_.back().result;
  if (!IsLength(a) || !IsLength(b)) signed_.insert(sum.symbols[0]);
  return sum;
}

Dim ShapeInference::Difference(const Dim& sum, const Dim& part) {
  if (sum == part) return Dim{0};
  if (part == Dim{0}) return sum;
  for (const Parts& known : sums_) {
    if (known.result == sum && known.a == part) return known.b;
    if (known.result == sum && known.b == part) return known.a;
  }
  const Dim difference = Fresh();
  signed_.insert(difference.symbols[0]);
  return difference;
}

std::optional<Dims> ShapeInference::Of(ValueId id) {
  if (id == kAbsent) return std::nullopt;
  if (const auto found = known_.find(id); found != known_.end()) return found->second;
  const Value& value = graph_.value(id);
  if (!value.constant.has_value() && !value.shape.has_value()) return std::nullopt;
  const Shape& shape = value.constant.has_value() ? value.constant->shape : *value.shape;
  Dims dims;
  for (size_t d = 0; d < shape.rank(); ++d) {
    dims.push_back(shape[d] >= 0 ? Dim{shape[d]} : Symbol(value, d));
  }
  return known_[id] = dims;
}

std::optional<Dims> ShapeInference::Input(const Node& node, size_t i) {
  return i < node.inputs.size() ? Of(node.inputs[i]) : std::nullopt;
}

void ShapeInference::Set(ValueId id, Dims dims) {
  if (id == kAbsent || dims.size() > Shape::kMaxRank) return;
  std::optional<Shape>& declared = graph_.value(id).shape;
  const bool agrees = declared.has_value() && declared->rank() == dims.size();
  std::vector<int64_t> shape;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (agrees && (*declared)[d] >= 0) dims[d] = Dim{(*declared)[d]};
    // Beyond what a shape may have; within, no sum of lengths overflows.
    if (dims[d].is_number() && (dims[d].factor < 0 || dims[d].factor > Shape::kMaxDim)) return;
    shape.push_back(dims[d].is_number() ? dims[d].factor : -1);
  }
  if (!declared.has_value()) declared = Shape(shape);
  known_[id] = std::move(dims);
}

void ShapeInference::Infer(const Node& node) {
  if (node.outputs.empty()) return;
  if (node.op == "Split") return InferSplit(node);
  if (node.op == "LSTM" || node.op == "GRU") return InferRecurrent(node);
  for (size_t i = 1; node.op == "DynamicQuantizeLinear" && i < node.outputs.size(); ++i) Set(node.outputs[i], {});
  std::optional<Dims> dims = OutputOf(node);
  if (dims.has_value()) Set(node.outputs[0], *std::move(dims));
}

std::optional<Dims> ShapeInference::OutputOf(const Node& node) {
  if (const std::optional<Node> plain = PlainForm(node); plain.has_value()) return OutputOf(*plain);
  std::optional<Dims> x = Input(node, 0);
  if (!x.has_value()) return std::nullopt;
  if (IsOneOf(kElementwise, node.op)) return x;
  if (IsOneOf(kBroadcasting, node.op)) return Broadcast(node, *std::move(x));
  if (node.op == "Conv" || node.op == "ConvTranspose") return Conv(node, *x);
  if (node.op == "Gather") return Gathered(node, *x);
  if (node.op == "GatherElements") return Input(node, 1);
  if (node.op == "MatMulNBits" && !x->empty()) {
    x->back() = Dim{node.Int("N", 0)};
    return x;
  }
  if (IsOneOf(kWindows, node.op)) return Window(node, *x, node.Ints("kernel_shape", {}));
  if (IsOneOf(kGlobalPools, node.op)) {
    for (size_t d = 2; d < x->size(); ++d) (*x)[d] = Dim{1};
    return x;
  }
  if (node.op == "Gemm" || node.op == "MatMul") return Matrix(node, *x);
  if (node.op == "Concat") return Joined(node, *x);
  if (node.op == "Einsum") return Einsum(node);
  if (node.op == "Positions") {
    const auto axis = static_cast<size_t>(node.Int("axis", 0));
    return axis < x->size() ? std::optional(Dims{(*x)[axis]}) : std::nullopt;
  }
  if (node.op == "Reshape") {
    const Constant* target = ConstantInput(graph_, node, 1);
    if (target == nullptr || target->dtype != DType::kS64) return std::nullopt;
    Dims dims;
    for (int64_t value : target->s64) dims.push_back(Dim{value});
    return ReshapedDims(*x, std::move(dims), node.Int("allowzero", 0) != 0);
  }
  return MovedDims(graph_, node, *x);
}

// Of two lengths, of which one may be 1 and the other is then that of the result.
Dim ShapeInference::Longer(const Dim& a, const Dim& b) {
  if (a == b || b == Dim{1}) return a;
  if (a == Dim{1} || b.is_number()) return b;  // what is dynamic must be that long
  if (a.is_number()) return a;
  for (const Parts& known : longer_) {
    if ((known.a == a && known.b == b) || (known.a == b && known.b == a)) return known.result;
  }
  longer_.push_back({Fresh(), a, b});
  return longer_.back().result;
}

std::optional<Dims> ShapeInference::BroadcastDims(const Dims& a, const Dims& b) {
  Dims out = a.size() >= b.size() ? a : b;
  const Dims& other = a.size() >= b.size() ? b : a;
  const size_t shift = out.size() - other.size();
  for (size_t d = 0; d < other.size(); ++d) {
    Dim& dim = out[d + shift];
    const bool clash = dim.is_number() && other[d].is_number() && dim != Dim{1} && other[d] != Dim{1};
    if (clash && dim != other[d]) return std::nullopt;
    dim = Longer(dim, other[d]);
  }
  return out;
}

// All inputs, of which x is the first.
std::optional<Dims> ShapeInference::Broadcast(const Node& node, Dims x) {
  std::optional<Dims> out = std::move(x);
  for (size_t i = 1; out.has_value() && i < node.inputs.size(); ++i) {
    const std::optional<Dims> other = Input(node, i);
    out = other.has_value() ? BroadcastDims(*out, *other) : std::nullopt;
  }
  return out;
}

std::optional<Dims> ShapeInference::Gathered(const Node& node, const Dims& x) {
  const std::optional<Dims> indices = Input(node, 1);
  const std::optional<size_t> at = FindAxis(node.Int("axis", 0), x.size());
  if (!indices.has_value() || !at.has_value()) return std::nullopt;
  const auto axis = x.begin() + static_cast<ptrdiff_t>(*at);
  Dims out(x.begin(), axis);
  out.insert(out.end(), indices->begin(), indices->end());
  out.insert(out.end(), axis + 1, x.end());
  return out;
}

std::optional<Dims> ShapeInference::Einsum(const Node& node) {
  std::vector<Dims> operands;
  std::vector<std::optional<size_t>> ranks;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const std::optional<Dims> operand = Input(node, i);
    if (!operand.has_value()) return std::nullopt;
    operands.push_back(*operand);
    ranks.emplace_back(operand->size());
  }
  const Result<EinsumEquation> equation = ParseEinsum(node.name, node.String("equation", ""), ranks);
  return equation.ok() ? std::optional(EinsumDims(*equation, operands)) : std::nullopt;
}

// Batch dimensions broadcast; a vector is a matrix of one row or column.
std::optional<Dims> ShapeInference::Matrix(const Node& node, const Dims& x) {
  const std::optional<Dims> y = Input(node, 1);
  if (!y.has_value() || x.size() < 2 || y->size() < 2) return std::nullopt;
  const bool gemm = node.op == "Gemm", turned = gemm && node.Int("transA", 0) != 0,
             transposed = gemm && node.Int("transB", 0) != 0;
  const Dim rows = x[x.size() - (turned ? 1 : 2)], columns = (*y)[y->size() - (transposed ? 2 : 1)];
  std::optional<Dims> out = BroadcastDims({x.begin(), x.end() - 2}, {y->begin(), y->end() - 2});
  if (!out.has_value()) return std::nullopt;
  out->push_back(rows);
  out->push_back(columns);
  return out;
}

std::optional<Dims> ShapeInference::Joined(const Node& node, const Dims& x) {
  Dims out = x;
  const std::optional<size_t> axis = FindAxis(node.Int("axis", 0), x.size());
  if (!axis.has_value()) return std::nullopt;
  const size_t at = *axis;
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    const std::optional<Dims> part = Input(node, i);
    if (!part.has_value() || part->size() != x.size()) return std::nullopt;
    out[at] = Sum(out[at], (*part)[at]);
    for (size_t d = 0; d < out.size(); ++d) {  // a constant may be repeated: see FoldShapes
      if (d != at && out[d] == Dim{1}) out[d] = (*part)[d];
    }
  }
  return out;
}

void ShapeInference::InferSplit(const Node& node) {
  const std::optional<Dims> x = Input(node, 0);
  const std::optional<size_t> at = x.has_value() ? FindAxis(node.Int("axis", 0), x->size()) : std::nullopt;
  if (!at.has_value()) return;
  const Constant* lengths = ConstantInput(graph_, node, 1);
  std::vector<int64_t> parts = lengths != nullptr ? lengths->s64.ToVector() : node.Ints("split", {});
  const auto count = static_cast<int64_t>(node.outputs.size());
  const Dim& whole = (*x)[*at];
  if (parts.empty() && node.inputs.size() < 2 && whole.is_number() && whole.factor % count == 0) {
    parts.assign(node.outputs.size(), whole.factor / count);
  }
  for (size_t i = 0; i < node.outputs.size() && parts.size() == node.outputs.size(); ++i) {
    Dims out = *x;
    out[*at] = Dim{parts[i]};
    Set(node.outputs[i], std::move(out));
  }
}

// (length, directions, batch, hidden), and the last states without the length.
void ShapeInference::InferRecurrent(const Node& node) {
  const std::optional<Dims> x = Input(node, 0);
  const int64_t hidden = node.Int("hidden_size", 0);
  if (!x.has_value() || x->size() != 3 || hidden < 1 || node.Int("layout", 0) != 0) return;
  const Dim directions{node.String("direction", "forward") == "bidirectional" ? 2 : 1};
  Set(node.outputs[0], {(*x)[0], directions, (*x)[1], Dim{hidden}});
  for (size_t i = 1; i < node.outputs.size(); ++i) Set(node.outputs[i], {directions, (*x)[1], Dim{hidden}});
}

}  // namespace lq
