// Sub, Mul, Div, Min, Max, PRelu, Pow (exact_simulator.md 5). Add has a file of its own: it may be a bias.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/simulator/broadcast.h"
#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

// How far float32 tools may be off follows the sums behind the operands.
double MagnitudeOf(const std::string& op, double a, double b, double value_b) {
  if (op == "Mul") return a * b;
  if (op == "Div") return a / std::abs(value_b);
  if (op == "Sub") return a + b;
  return std::max(a, b);
}

struct Aligned {
  Shape shape;
  std::vector<size_t> a, b;  // for each element of the result, which ones of the operands
};

Result<Aligned> Align(const std::string& name, const SimTensor& a, const SimTensor& b) {
  LQ_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(name, a.shape, b.shape));
  LQ_RETURN_IF_ERROR(CheckSize(name, shape));
  return Aligned{shape, BroadcastIndices(a.shape, shape), BroadcastIndices(b.shape, shape)};
}

template <class Operation>
SimTensor OnReals(const Aligned& at, const SimTensor& a, const SimTensor& b, Operation operation) {
  std::vector<double> y(at.a.size());
  for (size_t i = 0; i < y.size(); ++i) y[i] = operation(a.Real(at.a[i]), b.Real(at.b[i]));
  SimTensor out = MakeReal(at.shape, std::move(y));
  out.of_function = a.of_function || b.of_function;
  return out;
}

template <class Operation>
SimTensor OnFloats(const Aligned& at, const SimTensor& a, const SimTensor& b, Operation operation) {
  std::vector<float> y(at.a.size());
  for (size_t i = 0; i < y.size(); ++i) y[i] = operation(a.F32(at.a[i]), b.F32(at.b[i]));
  return MakeF32(at.shape, std::move(y));
}

template <class Operation>
RunNode Run(const NodeContext& context, Operation operation) {
  return [name = context.Name(), op = context.node.op, operation](Inputs in) -> Result<SimTensor> {
    const SimTensor &a = *in[0], &b = *in[1];
    LQ_ASSIGN_OR_RETURN(const Aligned at, Align(name, a, b));
    if (a.kind != Kind::kReal && b.kind != Kind::kReal) return OnFloats(at, a, b, operation);
    SimTensor out = OnReals(at, a, b, operation);
    if (a.magnitude.empty() && b.magnitude.empty()) return out;
    const std::vector<double> magnitude_a = Magnitudes(a), magnitude_b = Magnitudes(b);
    for (size_t i = 0; i < at.a.size(); ++i) {
      out.magnitude.push_back(MagnitudeOf(op, magnitude_a[at.a[i]], magnitude_b[at.b[i]], b.Real(at.b[i])));
    }
    return out;
  };
}

// Always binary64.
RunNode RunReal(const NodeContext& context, double (*operation)(double, double)) {
  return [name = context.Name(), operation](Inputs in) -> Result<SimTensor> {
    LQ_ASSIGN_OR_RETURN(const Aligned at, Align(name, *in[0], *in[1]));
    SimTensor out = OnReals(at, *in[0], *in[1], operation);
    out.of_function = true;
    return out;
  };
}

// The exponent is the float32 that the tools compute with: 2, quantized, is 255 * (2 / 255) there, but as a real number
// none that a number below 0 has a power of.
double Power(double x, double exponent) {
  const double e = static_cast<float>(exponent);
  return e == 2 ? x * x : std::pow(x, e);
}

}  // namespace

Result<RunNode> PrepareArithmetic(const NodeContext& context) {
  const std::string& op = context.node.op;
  // A NaN on either side stays, as the tools have it.
  const auto smaller = [](auto a, auto b) { return std::isnan(a) || a < b ? a : b; };
  const auto larger = [](auto a, auto b) { return std::isnan(a) || a > b ? a : b; };
  if (op == "Sub") return Run(context, [](auto a, auto b) { return a - b; });
  if (op == "Mul") return Run(context, [](auto a, auto b) { return a * b; });
  if (op == "Div") return Run(context, [](auto a, auto b) { return a / b; });
  if (op == "Min") return Run(context, smaller);
  if (op == "Max") return Run(context, larger);
  if (op == "Pow") return RunReal(context, Power);
  return Unsupported(fmt::format("{}: no arithmetic of that name", context.Name()));
}

Result<RunNode> PreparePRelu(const NodeContext& context) {
  if (context.ConstantInput(1) == nullptr) {
    return Unsupported(fmt::format("{}: slope '{}' must be a constant", context.Name(), context.InputName(1)));
  }
  // Exact reals: they may have a scale for each channel.
  LQ_ASSIGN_OR_RETURN(std::vector<double> slopes, RealConstant(context, 1));
  const SimTensor slope = MakeReal(context.ConstantInput(1)->data->shape, std::move(slopes));
  return RunNode([name = context.Name(), slope](Inputs in) -> Result<SimTensor> {
    const SimTensor& x = *in[0];
    LQ_ASSIGN_OR_RETURN(const Aligned at, Align(name, x, slope));
    SimTensor out =
        OnReals(at, x, slope, [](double value, double factor) { return value < 0 ? factor * value : value; });
    for (size_t i = 0; i < at.a.size() && !x.magnitude.empty(); ++i) out.magnitude.push_back(x.magnitude[at.a[i]]);
    return out;
  });
}

}  // namespace lq::simulator
