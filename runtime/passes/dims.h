// Lengths that a file leaves to the run: products of a number and of dynamic dimensions.
#ifndef LANEQUANT_RUNTIME_PASSES_DIMS_H_
#define LANEQUANT_RUNTIME_PASSES_DIMS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lq {

// factor * the lengths that `symbols` stand for, which are in ascending order.
struct Dim {
  int64_t factor = 0;
  std::vector<int> symbols = {};

  bool is_number() const { return symbols.empty(); }
  friend bool operator==(const Dim&, const Dim&) = default;
};
using Dims = std::vector<Dim>;

// Nothing where the factor overflows.
std::optional<Dim> Times(const Dim& a, const Dim& b);
// Nothing where it is no such product.
std::optional<Dim> Over(const Dim& a, const Dim& b);
// Of all of them.
std::optional<Dim> Product(std::span<const Dim> dims);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_DIMS_H_
