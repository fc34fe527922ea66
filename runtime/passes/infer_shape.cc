#include "runtime/passes/infer_shape.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "runtime/axis.h"
#include "runtime/passes/node_inputs.h"
#include "runtime/passes/operator_rules.h"

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

// Some tools call all dimensions by the same one.
bool IsName(const std::string& symbol) {
  return !symbol.empty() && symbol != "?" && symbol != "None" && symbol != "unk";
}

std::optional<Dims> BroadcastDims(const Dims& a, const Dims& b) {
  Dims out = a.size() >= b.size() ? a : b;
  const Dims& other = a.size() >= b.size() ? b : a;
  const size_t shift = out.size() - other.size();
  for (size_t d = 0; d < other.size(); ++d) {
    Dim& dim = out[d + shift];
    if (dim == Dim{1}) {
      dim = other[d];
    } else if (dim.is_number() && other[d].is_number() && other[d] != Dim{1} && other[d] != dim) {
      return std::nullopt;
    } else if (!dim.is_number() && other[d].is_number() && other[d] != Dim{1}) {
      dim = other[d];  // what is dynamic must be that long
    }
  }
  return out;
}

// What the windows of a node do along each spatial dimension. Every product of two numbers fits into 64 bits.
struct Pads {
  std::vector<int64_t> total, strides, dilations;
};

// Nothing where attributes do not fit `n` spatial dimensions of an input of this rank.
std::optional<Pads> ReadPads(const Node& node, size_t n, size_t rank) {
  const std::vector<int64_t> pads = node.Ints("pads", std::vector<int64_t>(2 * n, 0));
  const auto within = [](const std::vector<int64_t>& list, size_t size, int64_t low) {
    return list.size() == size &&
           std::all_of(list.begin(), list.end(), [low](int64_t v) { return v >= low && v <= kMaxExtent; });
  };
  Pads out{{}, node.Ints("strides", std::vector<int64_t>(n, 1)), node.Ints("dilations", std::vector<int64_t>(n, 1))};
  if (rank != n + 2 || !within(pads, 2 * n, 0) || !within(out.strides, n, 1) || !within(out.dilations, n, 1)) {
    return std::nullopt;
  }
  for (size_t d = 0; d < n; ++d) out.total.push_back(pads[d] + pads[d + n]);
  return out;
}

}  // namespace

ShapeInference::ShapeInference(Graph& graph) : graph_(graph) {
  for (ValueId id : graph.inputs) {
    const std::vector<std::string>& names = graph.value(id).symbols;
    for (size_t d = 0; d < names.size(); ++d) {
      if (!IsName(names[d])) continue;
      const bool is_first = id == graph.inputs[0] && d == 0;
      if (symbols_.emplace(names[d], is_first ? kBatch : next_symbol_).second && !is_first) ++next_symbol_;
    }
  }
}

// A name stands for one length wherever it is. The first dimension is the batch where no input has its name.
Dim ShapeInference::Symbol(const Value& value, size_t d) {
  const std::string name = d < value.symbols.size() ? value.symbols[d] : "";
  if (const auto found = symbols_.find(name); found != symbols_.end()) return {1, {found->second}};
  if (d == 0) return {1, {kBatch}};
  if (!IsName(name)) return Fresh();
  return {1, {symbols_[name] = next_symbol_++}};
}

Dim ShapeInference::Sum(const Dim& a, const Dim& b) {
  if (Dim sum; a.is_number() && b.is_number() && !__builtin_add_overflow(a.factor, b.factor, &sum.factor)) return sum;
  if (a == Dim{0}) return b;
  if (b == Dim{0}) return a;
  for (const Parts& known : sums_) {
    if ((known.a == a && known.b == b) || (known.a == b && known.b == a)) return known.sum;
  }
  sums_.push_back({Fresh(), a, b});
  return sums_.back().sum;
}

Dim ShapeInference::Difference(const Dim& sum, const Dim& part) {
  if (sum == part) return Dim{0};
  if (part == Dim{0}) return sum;
  for (const Parts& known : sums_) {
    if (known.sum == sum && known.a == part) return known.b;
    if (known.sum == sum && known.b == part) return known.a;
  }
  return Fresh();
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
  // ONNX Runtime's QOperator form has scale and zero point behind each operand.
  if (node.op == "QLinearConcat" || node.op == "QGemm") {
    const bool concat = node.op == "QLinearConcat";
    Node plain = node;
    plain.op = node.op == "QGemm" ? "Gemm" : "Concat";
    plain.inputs.clear();
    for (size_t i = concat ? 2 : 0; i < node.inputs.size() && (concat || i < 6); i += 3) {
      plain.inputs.push_back(node.inputs[i]);
    }
    return OutputOf(plain);
  }
  if (node.op == "ConvInteger" || node.op == "MatMulInteger") {
    Node plain = node;
    plain.op = node.op == "ConvInteger" ? "Conv" : "MatMul";
    plain.inputs.resize(std::min<size_t>(node.inputs.size(), 2));
    return OutputOf(plain);
  }
  if (node.op.rfind("QLinear", 0) == 0) {
    Node plain = node;
    plain.op = node.op.substr(7);
    if (plain.op == "Where") return std::nullopt;
    const size_t operands =
        plain.op == "Conv" || plain.op == "MatMul" || plain.op == "Add" || plain.op == "Mul" ? 2 : 1;
    plain.inputs.assign(1, node.inputs.empty() ? kAbsent : node.inputs[0]);
    if (operands == 2) plain.inputs.push_back(node.inputs.size() > 3 ? node.inputs[3] : kAbsent);
    return OutputOf(plain);
  }
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

// Conv and pools with pads of their own.
std::optional<Dims> ShapeInference::Window(const Node& node, Dims x, const std::vector<int64_t>& kernel) {
  const std::optional<Pads> pads = ReadPads(node, kernel.size(), x.size());
  const bool own = node.String("auto_pad", "NOTSET") == "NOTSET" && node.Int("ceil_mode", 0) == 0;
  if (!pads.has_value() || !own) return std::nullopt;
  for (size_t d = 0; d < kernel.size(); ++d) {
    if (kernel[d] < 1 || kernel[d] > kMaxExtent) return std::nullopt;
    const int64_t growth = pads->total[d] - pads->dilations[d] * (kernel[d] - 1) - 1, stride = pads->strides[d];
    if (!x[d + 2].is_number()) {
      if (growth != -1 || stride != 1) x[d + 2] = Fresh();
      continue;
    }
    if (x[d + 2].factor + growth < 0) return std::nullopt;
    x[d + 2].factor = (x[d + 2].factor + growth) / stride + 1;
  }
  return x;
}

std::optional<Dims> ShapeInference::Conv(const Node& node, const Dims& x) {
  const std::optional<Dims> weight = Input(node, 1);
  if (!weight.has_value() || weight->size() < 3) return std::nullopt;
  std::vector<int64_t> kernel;
  for (size_t d = 2; d < weight->size(); ++d) kernel.push_back((*weight)[d].is_number() ? (*weight)[d].factor : 0);
  if (node.op == "ConvTranspose") return Spread(node, x, *weight);
  std::optional<Dims> out = Window(node, x, kernel);
  if (out.has_value()) (*out)[1] = (*weight)[0];
  return out;
}

// A ConvTranspose with pads of its own, or of which each input element becomes `stride`.
std::optional<Dims> ShapeInference::Spread(const Node& node, Dims x, const Dims& weight) {
  const size_t n = weight.size() - 2;
  const std::string mode = node.String("auto_pad", "NOTSET");
  const bool same = mode.rfind("SAME", 0) == 0;
  const std::optional<Pads> pads = ReadPads(node, n, x.size());
  const std::vector<int64_t> more = node.Ints("output_padding", std::vector<int64_t>(n, 0));
  const std::vector<int64_t> output = node.Ints("output_shape", {});
  if (!pads.has_value() || more.size() != n || (!output.empty() && output.size() != n) || mode == "VALID") {
    return std::nullopt;
  }
  for (size_t d = 0; d < n; ++d) {
    const Dim& kernel = weight[d + 2];
    if (!kernel.is_number() || kernel.factor > kMaxExtent || more[d] < 0 || more[d] > kMaxExtent) return std::nullopt;
    const int64_t window = (kernel.factor - 1) * pads->dilations[d] + 1 - pads->total[d] + more[d];
    if (!output.empty()) {
      x[d + 2] = Dim{output[d]};
    } else if (!x[d + 2].is_number()) {
      x[d + 2] = Fresh();
    } else if (x[d + 2].factor < 1 || x[d + 2].factor > Shape::kMaxDim) {
      return std::nullopt;
    } else {
      x[d + 2].factor = same ? x[d + 2].factor * pads->strides[d] : (x[d + 2].factor - 1) * pads->strides[d] + window;
    }
  }
  const std::optional<Dim> channels = Times(weight[1], Dim{node.Int("group", 1)});
  if (!channels.has_value()) return std::nullopt;
  x[1] = *channels;
  return x;
}

// Batch dimensions broadcast; a vector is a matrix of one row or column.
std::optional<Dims> ShapeInference::Matrix(const Node& node, const Dims& x) {
  const std::optional<Dims> y = Input(node, 1);
  if (!y.has_value() || x.size() < 2 || y->size() < 2) return std::nullopt;
  const bool transposed = node.op == "Gemm" && node.Int("transB", 0) != 0;
  const Dim rows = x[x.size() - 2], columns = (*y)[y->size() - (transposed ? 2 : 1)];
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
