// Add, Relu, Clip (exact_simulator.md 5): float32 on coded and f32 operands as every simulator computes them, binary64
// as soon as one operand is real.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/reference/reference.h"
#include "runtime/simulator/broadcast.h"
#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

SimTensor AddF32(const SimTensor& a, const SimTensor& b, const Shape& shape) {
  const std::vector<size_t> from_a = BroadcastIndices(a.shape, shape), from_b = BroadcastIndices(b.shape, shape);
  std::vector<float> sum(from_a.size());
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = a.F32(from_a[i]) + b.F32(from_b[i]);
  return MakeF32(shape, std::move(sum));
}

SimTensor AddReal(const SimTensor& a, const SimTensor& b, const Shape& shape) {
  const std::vector<size_t> from_a = BroadcastIndices(a.shape, shape), from_b = BroadcastIndices(b.shape, shape);
  std::vector<double> sum(from_a.size());
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = a.Real(from_a[i]) + b.Real(from_b[i]);
  SimTensor out = MakeReal(shape, std::move(sum));
  out.of_function = a.of_function || b.of_function;
  if (a.magnitude.empty() && b.magnitude.empty()) return out;
  // The other operand counts as the bias of a weighted layer does: by its absolute value.
  const std::vector<double> magnitude_a = Magnitudes(a), magnitude_b = Magnitudes(b);
  out.magnitude.resize(out.real.size());
  for (size_t i = 0; i < out.real.size(); ++i) out.magnitude[i] = magnitude_a[from_a[i]] + magnitude_b[from_b[i]];
  return out;
}

Result<SimTensor> RunAdd(const std::string& name, const SimTensor& a, const SimTensor& b) {
  LQ_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(name, a.shape, b.shape));
  LQ_RETURN_IF_ERROR(CheckSize(name, shape));
  return a.kind == Kind::kReal || b.kind == Kind::kReal ? AddReal(a, b, shape) : AddF32(a, b, shape);
}

// The bias of a MatMul stands in an Add of its own. A device rounds it to int32 like any other.
SimTensor AsInt32Bias(const SimTensor& bias, const std::vector<double>& scale) {
  std::vector<double> values(bias.f32.size());
  for (size_t n = 0; n < values.size(); ++n) values[n] = reference::Int32Bias(bias.f32[n], scale[n], 1.0);
  return MakeReal(bias.shape, std::move(values));
}

bool IsBiasOf(const SimTensor& bias, const SimTensor& layer) {
  const size_t columns = layer.bias_scale.size();
  return columns > 0 && bias.kind == Kind::kF32 && bias.size() == columns &&
         bias.shape[bias.shape.rank() - 1] == static_cast<int64_t>(columns);
}

// min(max(x, low), high); NaN stays NaN.
template <class T>
T Clamp(T x, T low, T high) {
  return std::min(std::max(x, low), high);
}

struct Bounds {
  const SimTensor* low;  // scalars
  const SimTensor* high;
};

SimTensor Clip(const SimTensor& x, const Bounds& bounds) {
  if (x.kind == Kind::kReal) {
    SimTensor out = x;
    out.bias_scale.clear();
    const double low = bounds.low->Real(0), high = bounds.high->Real(0);
    for (double& value : out.real) value = Clamp(value, low, high);
    return out;
  }
  std::vector<float> values(x.size());
  const float low = bounds.low->F32(0), high = bounds.high->F32(0);
  for (size_t i = 0; i < values.size(); ++i) values[i] = Clamp(x.F32(i), low, high);
  return MakeF32(x.shape, std::move(values));
}

SimTensor Scalar(float value) { return MakeF32(Shape{}, {value}); }

Status CheckBound(const std::string& name, const SimTensor& bound) {
  if (bound.size() == 1 && bound.kind != Kind::kReal) return OkStatus();
  return Unsupported(fmt::format("{}: a bound of shape {} is not a scalar constant", name, bound.shape.ToString()));
}

Result<SimTensor> RunClip(const std::string& name, const Bounds& fallback, Inputs in) {
  Bounds bounds = fallback;
  if (in.size() > 1 && in[1] != nullptr) bounds.low = in[1];
  if (in.size() > 2 && in[2] != nullptr) bounds.high = in[2];
  LQ_RETURN_IF_ERROR(CheckBound(name, *bounds.low));
  LQ_RETURN_IF_ERROR(CheckBound(name, *bounds.high));
  return Clip(*in[0], bounds);
}

// A constant that the file gives in 32-bit codes is real: right behind a sum, as a bias, but not beside an operand that
// the tools see as float32.
Status CheckRealOperand(const NodeContext& context, size_t input) {
  const GraphConstant* constant = context.ConstantInput(input);
  if (constant == nullptr || constant->data->dtype != DType::kF64) return OkStatus();
  const ValueId other = context.node.inputs[1 - input];
  if (context.ConstantInput(1 - input) == nullptr && !context.graph.value(other).encoding.has_value())
    return OkStatus();
  return Unsupported(
      fmt::format("{}: '{}' has 32-bit codes and '{}' an encoding of its own; supported: such a bias "
                  "behind a layer without an encoding in between",
                  context.Name(), context.InputName(input), context.InputName(1 - input)));
}

}  // namespace

Result<RunNode> PrepareAdd(const NodeContext& context) {
  LQ_RETURN_IF_ERROR(CheckRealOperand(context, 0));
  LQ_RETURN_IF_ERROR(CheckRealOperand(context, 1));
  // Only a constant without an encoding is a bias to be rounded: one that has codes says so itself.
  const auto is_bias = [&](size_t input) {
    const GraphConstant* constant = context.ConstantInput(input);
    return context.options.bias == BiasMode::kInt32 && constant != nullptr && constant->encoding == nullptr;
  };
  return RunNode([name = context.Name(), bias_a = is_bias(0), bias_b = is_bias(1)](Inputs in) -> Result<SimTensor> {
    const SimTensor &a = *in[0], &b = *in[1];
    if (bias_a && IsBiasOf(a, b)) return RunAdd(name, AsInt32Bias(a, b.bias_scale), b);
    if (bias_b && IsBiasOf(b, a)) return RunAdd(name, a, AsInt32Bias(b, a.bias_scale));
    return RunAdd(name, a, b);
  });
}

Result<RunNode> PrepareRelu(const NodeContext&) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return RunNode([zero = Scalar(0), infinity = Scalar(kInfinity)](Inputs in) -> Result<SimTensor> {
    return Clip(*in[0], {&zero, &infinity});
  });
}

Result<RunNode> PrepareClip(const NodeContext& context) {
  // Attributes up to opset 10, inputs since 11; the defaults are float32's range.
  constexpr float kMax = std::numeric_limits<float>::max();
  SimTensor low = Scalar(context.node.Float("min", -kMax)), high = Scalar(context.node.Float("max", kMax));
  return RunNode([name = context.Name(), low = std::move(low), high = std::move(high)](Inputs in) {
    return RunClip(name, {&low, &high}, in);
  });
}

}  // namespace lq::simulator
