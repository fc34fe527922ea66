// Products of activations of which one has no codes (exact_simulator.md 4), or sums too long for the kernels.
#include <algorithm>
#include <array>

#include "runtime/plan/product.h"
#include "runtime/plan/value_operator.h"

namespace lq {
namespace {

struct Sizes {
  size_t m, n, k;
};

// Sum: int64_t, or double added in the order of k.
template <class Sum, class T>
void Multiply(const T* a, const T* b, Sizes size, double* y) {
  constexpr size_t kColumns = 64;
  std::array<Sum, kColumns> sums;
  for (size_t i = 0; i < size.m; ++i) {
    for (size_t j0 = 0; j0 < size.n; j0 += kColumns) {
      const size_t columns = std::min(kColumns, size.n - j0);
      sums.fill(0);
      for (size_t l = 0; l < size.k; ++l) {
        const Sum x = a[i * size.k + l];
        for (size_t j = 0; j < columns; ++j) sums[j] += x * static_cast<Sum>(b[l * size.n + j0 + j]);
      }
      for (size_t j = 0; j < columns; ++j) y[i * size.n + j0 + j] = static_cast<double>(sums[j]);
    }
  }
}

class ProductOperator final : public ValueOperator {
 public:
  ProductOperator(std::string name, ValueKind form) : ValueOperator(form, true), name_(std::move(name)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return ProductShape(name_, in[0], in[1]); }

  size_t Pieces(std::span<const ValueArray> in, const ValueResult& out) const override {
    return ProductPairs(in[0].shape, in[1].shape, out.shape).count();
  }

  size_t Effort(std::span<const Shape> in) const override {
    constexpr size_t kProducts = 16;  // in the time of an element
    return 1 + static_cast<size_t>(in[0][in[0].rank() - 1]) / kProducts;
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range matrices) const override {
    const Shape &a = in[0].shape, &b = in[1].shape;
    const auto m = static_cast<size_t>(a[a.rank() - 2]), k = static_cast<size_t>(a[a.rank() - 1]);
    const auto n = static_cast<size_t>(b[b.rank() - 1]);
    const ProductPairs pairs(a, b, out.shape);
    for (size_t i = matrices.begin; i < matrices.end; ++i) {
      const auto [matrix_a, matrix_b] = pairs.At(i);
      double* y = out.real + i * m * n;
      if (form() == ValueKind::kCoded) {
        Multiply<int64_t>(in[0].centred + matrix_a * m * k, in[1].centred + matrix_b * k * n, {m, n, k}, y);
        const double scale = in[0].scale * in[1].scale;
        for (size_t e = 0; e < m * n; ++e) y[e] *= scale;
      } else {
        Multiply<double>(in[0].real + matrix_a * m * k, in[1].real + matrix_b * k * n, {m, n, k}, y);
      }
    }
  }

 private:
  std::string name_;
};

}  // namespace

ValueOperatorResult MakeProduct(const ValueNode& n) {
  if (n.node.op != "MatMul") return std::unique_ptr<ValueOperator>();
  const ValueKind form = n.AllCoded() ? ValueKind::kCoded : ValueKind::kReal;
  return std::unique_ptr<ValueOperator>(std::make_unique<ProductOperator>(n.Name(), form));
}

}  // namespace lq
