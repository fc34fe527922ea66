#include "runtime/passes/dims.h"

#include <algorithm>
#include <iterator>

namespace lq {

std::optional<Dim> Times(const Dim& a, const Dim& b) {
  Dim out;
  if (__builtin_mul_overflow(a.factor, b.factor, &out.factor)) return std::nullopt;
  if (out.factor == 0) return out;
  std::merge(a.symbols.begin(), a.symbols.end(), b.symbols.begin(), b.symbols.end(), std::back_inserter(out.symbols));
  return out;
}

std::optional<Dim> Over(const Dim& a, const Dim& b) {
  const bool divides = std::includes(a.symbols.begin(), a.symbols.end(), b.symbols.begin(), b.symbols.end());
  if (b.factor <= 0 || a.factor % b.factor != 0 || !divides) return std::nullopt;
  Dim out{a.factor / b.factor};
  std::set_difference(a.symbols.begin(), a.symbols.end(), b.symbols.begin(), b.symbols.end(),
                      std::back_inserter(out.symbols));
  return out;
}

std::optional<Dim> Product(std::span<const Dim> dims) {
  std::optional<Dim> out = Dim{1};
  for (const Dim& dim : dims) {
    if (out.has_value()) out = Times(*out, dim);
  }
  return out;
}

}  // namespace lq
