// Products of matrices over batch dimensions that broadcast (NumPy's rule, ONNX MatMul).
#ifndef LANEQUANT_RUNTIME_PLAN_PRODUCT_H_
#define LANEQUANT_RUNTIME_PLAN_PRODUCT_H_

#include <cstddef>
#include <string>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/plan/broadcast.h"

namespace lq {

// The ONNX shape of a (.., m, k) times b (.., k, n). Error: they do not multiply.
Result<Shape> ProductShape(const std::string& name, const Shape& a, const Shape& b);

// Which matrices of a and b each matrix of the product is made of.
class ProductPairs {
 public:
  // `out` is ProductShape(a, b).
  ProductPairs(const Shape& a, const Shape& b, const Shape& out);

  struct Pair {
    size_t a, b;
  };
  size_t count() const { return count_; }
  Pair At(size_t matrix) const;

 private:
  Shape batch_;
  Strides step_a_, step_b_;
  size_t count_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_PRODUCT_H_
