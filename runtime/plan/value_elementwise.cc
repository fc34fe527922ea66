// Functions of one tensor, and arithmetic of two with broadcasting (exact_simulator.md 5).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "runtime/plan/chain.h"
#include "runtime/plan/combine.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// alpha, beta, gamma of the node.
struct Parameters {
  double alpha = 0, beta = 0, gamma = 0;
};

using Function = double (*)(double x, const Parameters& p);

double SoftplusOf(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : 0.0 + std::log1p(std::exp(x)); }

struct NamedFunction {
  const char* op;
  Function function;
  float alpha = 0, beta = 0, gamma = 0;  // what the attributes are where the node has none
};

constexpr NamedFunction kFunctions[] = {
    {"Celu",
     [](double x, const Parameters& p) { return std::max(0.0, x) + std::min(0.0, p.alpha * std::expm1(x / p.alpha)); },
     1},
    {"Cos", [](double x, const Parameters&) { return std::cos(x); }},
    {"Elu", [](double x, const Parameters& p) { return x >= 0 ? x : p.alpha * std::expm1(x); }, 1},
    {"Erf", [](double x, const Parameters&) { return std::erf(x); }},
    {"Exp", [](double x, const Parameters&) { return std::exp(x); }},
    {"HardSigmoid", [](double x, const Parameters& p) { return std::max(0.0, std::min(1.0, p.alpha * x + p.beta)); },
     0.2f, 0.5f},
    {"HardSwish", [](double x, const Parameters&) { return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0; }},
    {"LeakyRelu", [](double x, const Parameters& p) { return x < 0 ? x * p.alpha : x; }, 0.01f},
    {"Log", [](double x, const Parameters&) { return std::log(x); }},
    {"Mish", [](double x, const Parameters&) { return x * std::tanh(SoftplusOf(x)); }},
    {"Reciprocal", [](double x, const Parameters&) { return 1.0 / x; }},
    {"Selu", [](double x, const Parameters& p) { return p.gamma * (x <= 0 ? p.alpha * std::expm1(x) : x); },
     1.67326319217681884765625f, 0, 1.05070102214813232421875f},
    {"Sigmoid", [](double x, const Parameters&) { return 1.0 / (std::exp(-x) + 1.0); }},
    {"Sin", [](double x, const Parameters&) { return std::sin(x); }},
    {"Softplus", [](double x, const Parameters&) { return SoftplusOf(x); }},
    {"Softsign", [](double x, const Parameters&) { return x / (std::abs(x) + 1.0); }},
    {"Sqrt", [](double x, const Parameters&) { return std::sqrt(x); }},
    {"Tanh", [](double x, const Parameters&) { return std::tanh(x); }},
};

double ErfGelu(double x, const Parameters&) { return 0.5 * x * std::erfc(std::sqrt(0.5) * -x); }

double TanhGelu(double x, const Parameters&) {
  const double cubic = 0.044715 * x * x * x;
  return 0.5 * x * (std::tanh(std::sqrt(2.0 / M_PI) * (x + cubic)) + 1.0);
}

class FunctionOperator final : public ElementOperator {
 public:
  FunctionOperator(Function function, Parameters parameters)
      : ElementOperator(ValueKind::kReal, true), function_(function), parameters_(parameters) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    for (size_t i = elements.begin; i < elements.end; ++i) out.real[i] = function_(in[0].real[i], parameters_);
  }

 private:
  Function function_;
  Parameters parameters_;
};

// Abs, Neg, Relu, Clip, rounding and signs: exact, in the kind of the operand.
class ExactOperator final : public ElementOperator {
 public:
  enum class Op { kAbs, kCeil, kClip, kFloor, kNeg, kRound, kSign };
  ExactOperator(Op op, ClipBounds bounds, bool real)
      : ElementOperator(real ? ValueKind::kReal : ValueKind::kF32, real), op_(op), bounds_(bounds) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    const auto [begin, end] = elements;
    if (is_real()) {
      std::transform(in[0].real + begin, in[0].real + end, out.real + begin, [this](double x) { return Apply(x); });
    } else {
      std::transform(in[0].f32 + begin, in[0].f32 + end, out.f32 + begin, [this](float x) { return Apply(x); });
    }
  }

 private:
  template <class T>
  T Apply(T x) const {
    switch (op_) {
      case Op::kAbs:
        return std::abs(x);
      case Op::kCeil:
        return std::ceil(x);
      case Op::kFloor:
        return std::floor(x);
      case Op::kNeg:
        return -x;
      case Op::kRound:
        return std::nearbyint(x);  // ties to even
      case Op::kSign:
        return x > 0 ? T{1} : x < 0 ? T{-1} : x;
      case Op::kClip:
        break;
    }
    return std::min(std::max(x, T{bounds_.low}), T{bounds_.high});
  }

  Op op_;
  ClipBounds bounds_;
};

enum class Arithmetic { kAdd, kSub, kMul, kDiv, kMin, kMax, kPRelu, kPow };
constexpr std::pair<const char*, Arithmetic> kArithmetic[] = {
    {"Add", Arithmetic::kAdd}, {"Sub", Arithmetic::kSub}, {"Mul", Arithmetic::kMul},     {"Div", Arithmetic::kDiv},
    {"Min", Arithmetic::kMin}, {"Max", Arithmetic::kMax}, {"PRelu", Arithmetic::kPRelu}, {"Pow", Arithmetic::kPow}};

template <class T>
T Combine(Arithmetic op, T a, T b) {
  switch (op) {
    case Arithmetic::kAdd:
      return a + b;
    case Arithmetic::kSub:
      return a - b;
    case Arithmetic::kMul:
      return a * b;
    case Arithmetic::kDiv:
      return a / b;
    case Arithmetic::kMin:
      return a != a || a < b ? a : b;  // a NaN stays
    case Arithmetic::kMax:
      return a != a || a > b ? a : b;
    case Arithmetic::kPRelu:
      return a < 0 ? a * b : a;
    case Arithmetic::kPow:
      break;
  }
  const T exponent = static_cast<float>(b);  // as the tools have it: see the simulator
  return exponent == 2 ? a * a : std::pow(a, exponent);
}

class ArithmeticOperator final : public ElementOperator {
 public:
  ArithmeticOperator(std::string name, Arithmetic op, bool real)
      : ElementOperator(real ? ValueKind::kReal : ValueKind::kF32, real), name_(std::move(name)), op_(op) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return BroadcastOperands(name_, in[0], in[1]); }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    if (is_real()) {
      Combined<double>({in[0].real, in[0].shape}, {in[1].real, in[1].shape}, out.shape, elements, out.real);
    } else {
      Combined<float>({in[0].f32, in[0].shape}, {in[1].f32, in[1].shape}, out.shape, elements, out.f32);
    }
  }

 private:
  template <class T>
  void Combined(BroadcastOperand<T> a, BroadcastOperand<T> b, const Shape& shape, Range elements, T* out) const {
    CombineBroadcast(a, b, shape, elements, out, [this](T x, T y) { return Combine(op_, x, y); });
  }

  std::string name_;
  Arithmetic op_;
};

ValueOperatorResult MakeGelu(const ValueNode& n) {
  const std::string form = n.node.String("approximate", "none");
  std::unique_ptr<ValueOperator> gelu;
  if (form == "none") gelu = std::make_unique<FunctionOperator>(ErfGelu, Parameters{});
  if (form == "tanh") gelu = std::make_unique<FunctionOperator>(TanhGelu, Parameters{});
  if (gelu != nullptr) return gelu;
  return Unsupported(fmt::format("{}: approximate '{}'; supported: none, tanh", n.Name(), form));
}

constexpr std::pair<const char*, ExactOperator::Op> kExact[] = {
    {"Abs", ExactOperator::Op::kAbs},     {"Ceil", ExactOperator::Op::kCeil}, {"Clip", ExactOperator::Op::kClip},
    {"Floor", ExactOperator::Op::kFloor}, {"Neg", ExactOperator::Op::kNeg},   {"Relu", ExactOperator::Op::kClip},
    {"Round", ExactOperator::Op::kRound}, {"Sign", ExactOperator::Op::kSign}};

ValueOperatorResult MakeExact(const ValueNode& n, ExactOperator::Op op) {
  ClipBounds bounds;
  if (op == ExactOperator::Op::kClip) {
    LQ_ASSIGN_OR_RETURN(bounds, BoundsOf(n.graph, n.node, n.constants, n.options));
  }
  return std::unique_ptr<ValueOperator>(std::make_unique<ExactOperator>(op, bounds, n.AnyReal()));
}

}  // namespace

ValueOperatorResult MakeElementwise(const ValueNode& n) {
  const std::string& op = n.node.op;
  if (op == "Gelu") return MakeGelu(n);
  for (const auto& [name, exact] : kExact) {
    if (op == name) return MakeExact(n, exact);
  }
  for (const NamedFunction& f : kFunctions) {
    if (op != f.op) continue;
    const Parameters p{n.node.Float("alpha", f.alpha), n.node.Float("beta", f.beta), n.node.Float("gamma", f.gamma)};
    return std::unique_ptr<ValueOperator>(std::make_unique<FunctionOperator>(f.function, p));
  }
  for (const auto& [name, arithmetic] : kArithmetic) {
    if (op != name) continue;
    const bool real = arithmetic == Arithmetic::kPRelu || arithmetic == Arithmetic::kPow || n.AnyReal();
    return std::unique_ptr<ValueOperator>(std::make_unique<ArithmeticOperator>(n.Name(), arithmetic, real));
  }
  return std::unique_ptr<ValueOperator>();
}

}  // namespace lq
