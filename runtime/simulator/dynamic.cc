// What TranslateDynamicQuantizers makes of DynamicQuantizeLinear (ONNX 11): codes and scale of a tensor from its own
// range, in float32. What TranslateExtendedQuantizers makes of Quark's 16-bit floats.
#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/passes/float_rounding.h"
#include "runtime/simulator/operators.h"

namespace lq::simulator {
namespace {

std::vector<float> Floats(const SimTensor& x) {
  std::vector<float> values(x.size());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = x.kind == Kind::kReal ? static_cast<float>(x.real[i]) : x.F32(i);
  }
  return values;
}

struct Extremes {
  float low = 0, high = 0;  // 0 lies in it

  // Of zeros alone any scale will do; ONNX Runtime takes 1.
  float scale() const { return high == low ? 1.0f : (high - low) / 255.0f; }
  float zero_point() const { return std::rint(std::min(std::max(0.0f - low / scale(), 0.0f), 255.0f)); }
};

Extremes ExtremesOf(const std::vector<float>& values) {
  Extremes range;
  for (float value : values) {
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
  }
  return range;
}

Result<SimTensor> RunCodes(Inputs in) {
  std::vector<float> values = Floats(*in[0]);
  const Extremes range = ExtremesOf(values);
  const float scale = range.scale(), zero_point = range.zero_point();
  for (float& value : values) {
    const float code = std::min(std::max(std::rint(value / scale) + zero_point, 0.0f), 255.0f);
    value = code - zero_point;
  }
  return MakeF32(in[0]->shape, std::move(values));
}

Result<SimTensor> RunScale(Inputs in) { return MakeF32(Shape{}, {ExtremesOf(Floats(*in[0])).scale()}); }

Result<SimTensor> RunRound(Inputs in) { return MakeF32(in[0]->shape, Floats(*in[0])); }

}  // namespace

Result<RunNode> PrepareDynamic(const NodeContext& context) {
  if (context.node.op == "DynamicCodes") return RunNode(RunCodes);
  return RunNode(context.node.op == "DynamicScale" ? RunScale : RunRound);
}

Result<RunNode> PrepareFloatFormat(const NodeContext& context) {
  const Float16Format format = context.node.op == "RoundToFloat16" ? kHalf : kBfloat;
  return RunNode([format](Inputs in) -> Result<SimTensor> {
    std::vector<double> values = Reals(*in[0]);
    for (double& value : values) value = RoundToFormat(value, format);
    SimTensor result = MakeReal(in[0]->shape, std::move(values));
    result.of_function = in[0]->of_function;
    return result;
  });
}

}  // namespace lq::simulator
