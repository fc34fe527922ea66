#include "runtime/plan/product.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

namespace lq {
namespace {

Shape Batch(const Shape& shape) { return Shape(shape.dims().first(shape.rank() - 2)); }

// From matrix to matrix along each batch dimension of the product; 0 where one is repeated.
Strides MatrixStrides(const Shape& operand, const Shape& out) {
  Strides strides{};
  ptrdiff_t step = 1;
  for (size_t d = operand.rank(); d-- > 0; step *= operand[d]) {
    strides[out.rank() - operand.rank() + d] = operand[d] == 1 ? 0 : step;
  }
  return strides;
}

}  // namespace

Result<Shape> ProductShape(const std::string& name, const Shape& a, const Shape& b) {
  std::optional<Shape> batch;
  if (a.rank() >= 2 && b.rank() >= 2 && a[a.rank() - 1] == b[b.rank() - 2]) batch = BroadcastShape(Batch(a), Batch(b));
  if (!batch) {
    return InvalidArgument(fmt::format("{}: shapes {} and {} do not multiply", name, a.ToString(), b.ToString()));
  }
  std::vector<int64_t> dims(batch->dims().begin(), batch->dims().end());
  dims.insert(dims.end(), {a[a.rank() - 2], b[b.rank() - 1]});
  return Shape(dims);
}

ProductPairs::ProductPairs(const Shape& a, const Shape& b, const Shape& out)
    : batch_(Batch(out)),
      step_a_(MatrixStrides(Batch(a), batch_)),
      step_b_(MatrixStrides(Batch(b), batch_)),
      count_(static_cast<size_t>(batch_.NumElements())) {}

ProductPairs::Pair ProductPairs::At(size_t matrix) const {
  Pair pair{0, 0};
  auto rest = static_cast<int64_t>(matrix);
  for (size_t d = batch_.rank(); d-- > 0; rest /= batch_[d]) {
    pair.a += static_cast<size_t>(rest % batch_[d] * step_a_[d]);
    pair.b += static_cast<size_t>(rest % batch_[d] * step_b_[d]);
  }
  return pair;
}

}  // namespace lq
