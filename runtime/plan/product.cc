#include "runtime/plan/product.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

namespace lq {
namespace {

Shape Batch(const Shape& shape) { return Shape(shape.dims().first(shape.rank() - 2)); }

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
      step_a_(BroadcastStrides(Batch(a), batch_)),
      step_b_(BroadcastStrides(Batch(b), batch_)),
      count_(static_cast<size_t>(batch_.NumElements())) {}

ProductPairs::Pair ProductPairs::At(size_t matrix) const {
  const auto index = static_cast<int64_t>(matrix);
  return {static_cast<size_t>(OffsetOf(index, batch_.dims(), step_a_)),
          static_cast<size_t>(OffsetOf(index, batch_.dims(), step_b_))};
}

}  // namespace lq
