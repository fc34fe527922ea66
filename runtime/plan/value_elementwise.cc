// Functions of one tensor, and arithmetic of two with broadcasting (exact_simulator.md 5).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "runtime/plan/broadcast.h"
#include "runtime/plan/chain.h"
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

// Abs, Neg, Relu, Clip: exact, in the kind of the operand.
class ExactOperator final : public ElementOperator {
 public:
  enum class Op { kAbs, kNeg, kClip };
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
    if (op_ == Op::kAbs) return std::abs(x);
    if (op_ == Op::kNeg) return -x;
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
  return b == 2 ? a * a : std::pow(a, b);
}

class ArithmeticOperator final : public ElementOperator {
 public:
  ArithmeticOperator(std::string name, Arithmetic op, bool real)
      : ElementOperator(real ? ValueKind::kReal : ValueKind::kF32, real), name_(std::move(name)), op_(op) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const std::optional<Shape> shape = BroadcastShape(in[0], in[1]);
    if (shape) return *shape;
    return InvalidArgument(
        fmt::format("{}: shapes {} and {} do not broadcast", name_, in[0].ToString(), in[1].ToString()));
  }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    if (is_real()) {
      Combined(in, in[0].real, in[1].real, out.shape, elements, out.real);
    } else {
      Combined(in, in[0].f32, in[1].f32, out.shape, elements, out.f32);
    }
  }

 private:
  // Row by row of the last dimension; the first and the last row may be parts of one.
  template <class T>
  void Combined(std::span<const ValueArray> in, const T* a, const T* b, const Shape& shape, Range elements,
                T* out) const {
    const Strides step_a = BroadcastStrides(in[0].shape, shape), step_b = BroadcastStrides(in[1].shape, shape);
    const size_t rank = shape.rank();
    const size_t row = rank > 0 ? static_cast<size_t>(shape[rank - 1]) : 1;
    const ptrdiff_t one_a = rank > 0 ? step_a[rank - 1] : 0, one_b = rank > 0 ? step_b[rank - 1] : 0;
    for (size_t i = elements.begin; i < elements.end;) {
      const size_t count = std::min(row - i % row, elements.end - i);
      const T* x = a + OffsetOf(static_cast<int64_t>(i), shape.dims(), step_a);
      const T* y = b + OffsetOf(static_cast<int64_t>(i), shape.dims(), step_b);
      for (size_t k = 0; k < count; ++k, x += one_a, y += one_b) out[i + k] = Combine(op_, *x, *y);
      i += count;
    }
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

ValueOperatorResult MakeExact(const ValueNode& n) {
  using Op = ExactOperator::Op;
  if (n.node.op == "Abs")
    return std::unique_ptr<ValueOperator>(std::make_unique<ExactOperator>(Op::kAbs, ClipBounds{}, n.AnyReal()));
  if (n.node.op == "Neg")
    return std::unique_ptr<ValueOperator>(std::make_unique<ExactOperator>(Op::kNeg, ClipBounds{}, n.AnyReal()));
  LQ_ASSIGN_OR_RETURN(const ClipBounds bounds, BoundsOf(n.graph, n.node, n.constants, n.options));
  return std::unique_ptr<ValueOperator>(std::make_unique<ExactOperator>(Op::kClip, bounds, n.AnyReal()));
}

}  // namespace

ValueOperatorResult MakeElementwise(const ValueNode& n) {
  const std::string& op = n.node.op;
  if (op == "Gelu") return MakeGelu(n);
  if (op == "Abs" || op == "Neg" || op == "Relu" || op == "Clip") return MakeExact(n);
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
