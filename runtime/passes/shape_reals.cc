#include "runtime/passes/shape_reals.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace lq {
namespace {

// Of the factor of a dynamic length: float32 holds its product with all lengths up to 65536.
constexpr int kFactorBits = 8;

std::optional<Real> CombineFloats(std::string_view op, float x, float y) {
  if (op == "Add") return Real{x + y};
  if (op == "Sub") return Real{x - y};
  if (op == "Mul") return Real{x * y};
  return op == "Div" && y != 0 ? std::optional(Real{x / y}) : std::nullopt;
}

bool IsFactor(double value) {
  int exponent = 0;
  const double bits = std::ldexp(std::frexp(value, &exponent), kFactorBits);
  return value != 0 && std::trunc(bits) == bits;
}

}  // namespace

std::optional<Real> RealOf(const Dim& dim) {
  if (!dim.is_number() && !IsFactor(static_cast<double>(dim.factor))) return std::nullopt;
  return Real{static_cast<float>(dim.factor), dim.symbols};
}

std::optional<Dim> WholeOf(const Real& real) {
  const float whole = std::trunc(real.factor);
  if (!(std::abs(whole) <= 0x1p62f) || (!real.is_number() && whole != real.factor)) return std::nullopt;
  return Dim{static_cast<int64_t>(whole), real.symbols};
}

std::optional<Real> Rounded(std::string_view op, const Real& x) {
  if (op != "Floor" && op != "Ceil" && op != "Round") return std::nullopt;
  if (!x.is_number()) return std::trunc(x.factor) == x.factor ? std::optional(x) : std::nullopt;
  return Real{op == "Floor" ? std::floor(x.factor) : op == "Ceil" ? std::ceil(x.factor) : std::nearbyint(x.factor)};
}

// Factors of dynamic lengths are combined exactly, as float32 then does it with the lengths themselves.
std::optional<Real> Combined(std::string_view op, const Real& x, const Real& y) {
  if (x.is_number() && y.is_number()) return CombineFloats(op, x.factor, y.factor);
  const double a = x.factor, b = y.factor;
  Real out;
  if (op == "Mul" && IsFactor(a * b)) {
    out.factor = static_cast<float>(a * b);
    std::merge(x.symbols.begin(), x.symbols.end(), y.symbols.begin(), y.symbols.end(), std::back_inserter(out.symbols));
    return out;
  }
  const bool divides = std::includes(x.symbols.begin(), x.symbols.end(), y.symbols.begin(), y.symbols.end());
  if (op != "Div" || !divides || b == 0 || !IsFactor(a / b) || (a / b) * b != a) return std::nullopt;
  out.factor = static_cast<float>(a / b);
  std::set_difference(x.symbols.begin(), x.symbols.end(), y.symbols.begin(), y.symbols.end(),
                      std::back_inserter(out.symbols));
  return out;
}

}  // namespace lq
