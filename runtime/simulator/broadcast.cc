#include "runtime/simulator/broadcast.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lq::simulator {
namespace {

// Dimension d of `shape` aligned to `rank` dimensions; 1 where it has none.
int64_t AlignedDim(const Shape& shape, size_t rank, size_t d) {
  const size_t missing = rank - shape.rank();
  return d < missing ? 1 : shape[d - missing];
}

}  // namespace

Result<Shape> BroadcastShape(const std::string& name, const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.rank(), b.rank());
  std::array<int64_t, Shape::kMaxRank> dims{};
  for (size_t d = 0; d < rank; ++d) {
    const int64_t dim_a = AlignedDim(a, rank, d), dim_b = AlignedDim(b, rank, d);
    if (dim_a != dim_b && dim_a != 1 && dim_b != 1) {
      return InvalidArgument(fmt::format("{}: shapes {} and {} do not broadcast", name, a.ToString(), b.ToString()));
    }
    dims[d] = dim_a == 1 ? dim_b : dim_a;
  }
  return Shape(std::span<const int64_t>(dims.data(), rank));
}

std::vector<size_t> BroadcastIndices(const Shape& in, const Shape& out) {
  const size_t rank = out.rank();
  std::array<size_t, Shape::kMaxRank> stride{};  // of `in`; 0 along dimensions that repeat
  size_t step = 1;
  for (size_t d = rank; d-- > 0;) {
    const auto dim = static_cast<size_t>(AlignedDim(in, rank, d));
    stride[d] = dim == 1 ? 0 : step;
    step *= dim;
  }
  std::vector<size_t> indices(static_cast<size_t>(out.NumElements()));
  std::array<int64_t, Shape::kMaxRank> position{};
  size_t index = 0;
  for (size_t& result : indices) {
    result = index;
    for (size_t d = rank; d-- > 0;) {
      index += stride[d];
      if (++position[d] < out[d]) break;
      index -= stride[d] * static_cast<size_t>(out[d]);
      position[d] = 0;
    }
  }
  return indices;
}

}  // namespace lq::simulator
