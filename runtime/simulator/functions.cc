// Functions of one tensor (exact_simulator.md 5): in binary64 on x^, real results; Abs, Neg, rounding and
// signs keep float32.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/simulator/operators.h"

namespace lq::simulator {
namespace {

using Function = std::function<double(double)>;

SimTensor Apply(const Function& function, const SimTensor& x) {
  std::vector<double> y = Reals(x);
  for (double& value : y) value = function(value);
  SimTensor out = MakeReal(x.shape, std::move(y));
  out.of_function = true;
  return out;
}

RunNode Run(Function function) {
  return [function = std::move(function)](Inputs in) -> Result<SimTensor> { return Apply(function, *in[0]); };
}

// Exact in float32 too: f32 stays f32, and codes become it.
RunNode RunExact(double (*function)(double)) {
  return [function](Inputs in) -> Result<SimTensor> {
    const SimTensor& x = *in[0];
    if (x.kind == Kind::kReal) {
      SimTensor out = Apply(function, x);
      out.of_function = x.of_function;
      out.magnitude = x.magnitude;
      return out;
    }
    std::vector<float> y(x.size());
    for (size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(function(x.F32(i)));
    return MakeF32(x.shape, std::move(y));
  };
}

double Softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double Gelu(double x) { return (0.5 * x) * std::erfc(-x * std::sqrt(0.5)); }

double TanhGelu(double x) {
  const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  return (0.5 * x) * (1 + std::tanh(inner));
}

}  // namespace

Result<RunNode> PrepareFunction(const NodeContext& context) {
  const std::string& op = context.node.op;
  if (op == "Sigmoid") return Run([](double x) { return 1 / (1 + std::exp(-x)); });
  if (op == "Tanh") return Run([](double x) { return std::tanh(x); });
  if (op == "Erf") return Run([](double x) { return std::erf(x); });
  if (op == "Exp") return Run([](double x) { return std::exp(x); });
  if (op == "Log") return Run([](double x) { return std::log(x); });
  if (op == "Sqrt") return Run([](double x) { return std::sqrt(x); });
  if (op == "Reciprocal") return Run([](double x) { return 1 / x; });
  if (op == "Softplus") return Run(Softplus);
  if (op == "Softsign") return Run([](double x) { return x / (1 + std::abs(x)); });
  if (op == "Mish") return Run([](double x) { return x * std::tanh(Softplus(x)); });
  if (op == "HardSwish") return Run([](double x) { return (x * std::min(std::max(x + 3, 0.0), 6.0)) / 6; });
  if (op == "Sin") return Run([](double x) { return std::sin(x); });
  if (op == "Cos") return Run([](double x) { return std::cos(x); });
  if (op == "Abs") return RunExact([](double x) { return std::abs(x); });
  if (op == "Ceil") return RunExact([](double x) { return std::ceil(x); });
  if (op == "Floor") return RunExact([](double x) { return std::floor(x); });
  if (op == "Round") return RunExact([](double x) { return std::nearbyint(x); });
  if (op == "Sign") return RunExact([](double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; });
  if (op == "Neg") return RunExact([](double x) { return -x; });
  return Unsupported(fmt::format("{}: no function of that name", context.Name()));
}

Result<RunNode> PrepareFunctionWithConstants(const NodeContext& context) {
  const std::string& op = context.node.op;
  if (op == "Gelu") {
    const std::string form = context.node.String("approximate", "none");
    if (form != "none" && form != "tanh") {
      return Unsupported(fmt::format("{}: approximate '{}' is neither none nor tanh", context.Name(), form));
    }
    return Run(form == "tanh" ? TanhGelu : Gelu);
  }
  if (op == "Selu") {
    const double a = context.node.Float("alpha", 1.67326319217681884765625f);
    const double g = context.node.Float("gamma", 1.05070102214813232421875f);
    return Run([a, g](double x) { return g * (x > 0 ? x : a * std::expm1(x)); });
  }
  if (op == "HardSigmoid") {
    const double a = context.node.Float("alpha", 0.2f), b = context.node.Float("beta", 0.5f);
    return Run([a, b](double x) { return std::max(0.0, std::min(1.0, a * x + b)); });
  }
  const double a = context.node.Float("alpha", op == "LeakyRelu" ? 0.01f : 1.0f);
  if (op == "LeakyRelu") return Run([a](double x) { return x < 0 ? a * x : x; });
  if (op == "Elu") return Run([a](double x) { return x < 0 ? a * std::expm1(x) : x; });
  if (op == "Celu") return Run([a](double x) { return std::max(0.0, x) + std::min(0.0, a * std::expm1(x / a)); });
  return Unsupported(fmt::format("{}: no function of that name", context.Name()));
}

}  // namespace lq::simulator
