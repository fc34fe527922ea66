// The floats that exporters compute between lengths: a Resize takes floor(float(length) * 0.5).
#ifndef LANEQUANT_RUNTIME_PASSES_SHAPE_REALS_H_
#define LANEQUANT_RUNTIME_PASSES_SHAPE_REALS_H_

#include <optional>
#include <string_view>
#include <vector>

#include "runtime/passes/dims.h"

namespace lq {

// A float32: factor * the lengths that `symbols` stand for, which are in ascending order.
struct Real {
  float factor = 0;
  std::vector<int> symbols = {};

  bool is_number() const { return symbols.empty(); }
  friend bool operator==(const Real&, const Real&) = default;
};
using Reals = std::vector<Real>;

// As a Cast converts; nothing where float32 would round a dynamic length.
std::optional<Real> RealOf(const Dim& dim);
// As a Cast converts, towards 0; nothing where a dynamic length leaves a fraction.
std::optional<Dim> WholeOf(const Real& real);
// Floor, Ceil and Round (ties to even); nothing for other operators, and where a dynamic length leaves a fraction.
std::optional<Real> Rounded(std::string_view op, const Real& x);
// Add, Sub, Mul, Div in float32; nothing for other operators, and where that rounds a dynamic length.
std::optional<Real> Combined(std::string_view op, const Real& x, const Real& y);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_SHAPE_REALS_H_
