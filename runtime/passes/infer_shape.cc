#include "runtime/passes/infer_shape.h"

#include <algorithm>
#include <iterator>

namespace lq {
namespace {

constexpr const char* kElementwise[] = {"BatchNormalization",
                                        "Clip",
                                        "DequantizeLinear",
                                        "Dropout",
                                        "Elu",
                                        "Erf",
                                        "Gelu",
                                        "GroupNormalization",
                                        "HardSigmoid",
                                        "HardSwish",
                                        "Identity",
                                        "InstanceNormalization",
                                        "LayerNormalization",
                                        "LeakyRelu",
                                        "Mish",
                                        "PRelu",
                                        "QuantizeLinear",
                                        "Relu",
                                        "Sigmoid",
                                        "Softmax",
                                        "Softplus",
                                        "Sqrt",
                                        "Tanh"};
constexpr const char* kBroadcasting[] = {"Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"};

template <size_t kSize>
bool IsOneOf(const char* const (&names)[kSize], const std::string& op) {
  return std::find(std::begin(names), std::end(names), op) != std::end(names);
}

// Every dimension but the first is a number.
std::optional<Shape> ShapeOf(const Graph& graph, const Node& node, size_t input) {
  if (input >= node.inputs.size() || node.inputs[input] == kAbsent) return std::nullopt;
  const Value& value = graph.value(node.inputs[input]);
  if (value.constant.has_value()) return value.constant->shape;
  if (!value.shape.has_value()) return std::nullopt;
  const std::span<const int64_t> dims = value.shape->dims();
  for (size_t d = 1; d < dims.size(); ++d) {
    if (dims[d] < 0) return std::nullopt;
  }
  return value.shape;
}

std::optional<Shape> Broadcast(const Shape& a, const Shape& b) {
  Shape out = a.rank() >= b.rank() ? a : b;
  const Shape& other = a.rank() >= b.rank() ? b : a;
  const size_t shift = out.rank() - other.rank();
  for (size_t d = 0; d < other.rank(); ++d) {
    int64_t& dim = out[d + shift];
    if (dim == 1) {
      dim = other[d];
    } else if (other[d] != 1 && other[d] != dim) {
      return std::nullopt;
    }
  }
  return out;
}

// Conv and pools with pads of their own.
std::optional<Shape> Window(const Node& node, Shape x, std::vector<int64_t> kernel) {
  const size_t n = kernel.size();
  const std::vector<int64_t> pads = node.Ints("pads", std::vector<int64_t>(2 * n, 0)),
                             strides = node.Ints("strides", std::vector<int64_t>(n, 1)),
                             dilations = node.Ints("dilations", std::vector<int64_t>(n, 1));
  if (x.rank() != n + 2 || pads.size() != 2 * n || strides.size() != n || dilations.size() != n ||
      node.String("auto_pad", "NOTSET") != "NOTSET" || node.Int("ceil_mode", 0) != 0) {
    return std::nullopt;
  }
  constexpr int64_t kMost = 32767;  // keeps the products in 64 bits
  for (size_t d = 0; d < n; ++d) {
    if (std::max({kernel[d], strides[d], dilations[d], pads[d], pads[d + n]}) > kMost ||
        std::min({kernel[d], strides[d], dilations[d], pads[d] + 1, pads[d + n] + 1}) < 1) {
      return std::nullopt;
    }
    const int64_t room = x[d + 2] + pads[d] + pads[d + n] - dilations[d] * (kernel[d] - 1) - 1;
    if (room < 0) return std::nullopt;
    x[d + 2] = room / strides[d] + 1;
  }
  return x;
}

std::optional<Shape> Conv(const Graph& graph, const Node& node, const Shape& x) {
  const std::optional<Shape> weight = ShapeOf(graph, node, 1);
  if (!weight.has_value() || weight->rank() < 3) return std::nullopt;
  std::optional<Shape> out = Window(node, x, {weight->dims().begin() + 2, weight->dims().end()});
  if (out.has_value()) (*out)[1] = (*weight)[0];
  return out;
}

std::optional<Shape> Matrix(const Graph& graph, const Node& node, Shape x) {
  const std::optional<Shape> weight = ShapeOf(graph, node, 1);
  if (!weight.has_value() || weight->rank() != 2 || x.rank() < 2) return std::nullopt;
  const bool transposed = node.op == "Gemm" && node.Int("transB", 0) != 0;
  x[x.rank() - 1] = (*weight)[transposed ? 0 : 1];
  return x;
}

// The elements of one input of the batch; -1 where they overflow.
int64_t RowElements(std::span<const int64_t> dims, bool has_batch) {
  return Shape(dims.subspan(has_batch ? 1 : 0)).NumElements();
}

// To constant dimensions, of which one may be -1: it follows from the others. The batch stays first.
std::optional<Shape> Reshape(const Graph& graph, const Node& node, const Shape& x) {
  const std::optional<Constant>& dims = graph.value(node.inputs[1]).constant;
  if (!dims.has_value() || dims->s64.empty() || dims->s64.size() > Shape::kMaxRank) return std::nullopt;
  const bool has_batch = x.rank() > 0 && x[0] < 0;
  std::vector<int64_t> out = dims->s64;
  ptrdiff_t open = -1;
  for (size_t d = 0; d < out.size(); ++d) {
    if (out[d] == 0 && d < x.rank()) out[d] = x[d];
    if (has_batch && d == 0) continue;
    if (out[d] >= 0) continue;
    if (open >= 0) return std::nullopt;
    open = static_cast<ptrdiff_t>(d);
    out[d] = 1;
  }
  if (has_batch && out[0] >= 0) return std::nullopt;
  const int64_t from = RowElements(x.dims(), has_batch), to = RowElements(out, has_batch);
  if (from < 1 || to < 1 || (open < 0 ? from != to : from % to != 0)) return std::nullopt;
  if (open >= 0) out[static_cast<size_t>(open)] = from / to;
  return Shape(out);
}

}  // namespace

std::optional<Shape> InferShape(const Graph& graph, const Node& node) {
  const std::optional<Shape> x = ShapeOf(graph, node, 0), y = ShapeOf(graph, node, 1);
  if (!x.has_value()) return std::nullopt;
  if (IsOneOf(kElementwise, node.op)) return x;
  if (IsOneOf(kBroadcasting, node.op)) return y.has_value() ? Broadcast(*x, *y) : std::nullopt;
  if (node.op == "Conv") return Conv(graph, node, *x);
  if (node.op == "MaxPool" || node.op == "AveragePool") return Window(node, *x, node.Ints("kernel_shape", {}));
  if (node.op == "Gemm" || node.op == "MatMul") return Matrix(graph, node, *x);
  if (node.op == "Reshape" && y.has_value()) return Reshape(graph, node, *x);
  return std::nullopt;
}

}  // namespace lq
