#include "runtime/plan/broadcast.h"

#include <fmt/format.h>

#include <algorithm>

namespace lq {
namespace {

// Row-major strides of a shape; of a channels-last image they are given for the dimensions in ONNX's order.
Strides MemoryStrides(const Shape& shape, bool channels_last) {
  Strides strides{};
  if (channels_last) {
    strides[0] = shape[1] * shape[2] * shape[3];
    strides[1] = 1;
    strides[2] = shape[3] * shape[1];
    strides[3] = shape[1];
    return strides;
  }
  ptrdiff_t step = 1;
  for (size_t i = shape.rank(); i-- > 0; step *= shape[i]) strides[i] = step;
  return strides;
}

}  // namespace

std::optional<Shape> BroadcastShape(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const size_t shift = longer.rank() - shorter.rank();
  for (size_t i = 0; i < shorter.rank(); ++i) {
    const int64_t x = longer[i + shift], y = shorter[i];
    if (x != y && x != 1 && y != 1) return std::nullopt;
    out[i + shift] = x == 1 ? y : x;
  }
  return out;
}

Result<Shape> BroadcastOperands(const std::string& name, const Shape& a, const Shape& b) {
  const std::optional<Shape> shape = BroadcastShape(a, b);
  if (shape) return *shape;
  return InvalidArgument(fmt::format("{}: shapes {} and {} do not broadcast", name, a.ToString(), b.ToString()));
}

Strides BroadcastStrides(const Shape& operand, const Shape& out) {
  const Strides memory = MemoryStrides(operand, false);
  const size_t shift = out.rank() - operand.rank();
  Strides strides{};
  for (size_t d = shift; d < out.rank(); ++d) {
    if (operand[d - shift] != 1) strides[d] = memory[d - shift];
  }
  return strides;
}

Strides BroadcastStrides(const Shape& operand, const Layout& memory, const Shape& plan_out, const Layout& plan) {
  const Strides in_memory = MemoryStrides(operand, memory.IsTurned(operand));
  const size_t shift = plan_out.rank() - operand.rank();
  Strides strides{};
  for (size_t i = 0; i < plan_out.rank(); ++i) {
    const size_t dim = plan.OnnxDimension(i, plan_out.rank());
    if (dim >= shift && operand[dim - shift] != 1) strides[i] = in_memory[dim - shift];
  }
  return strides;
}

}  // namespace lq
