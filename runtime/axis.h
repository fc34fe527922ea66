// Axes as ONNX counts them: those below 0 from the end.
#ifndef LANEQUANT_RUNTIME_AXIS_H_
#define LANEQUANT_RUNTIME_AXIS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

namespace lq {

// Counted from the front, of an axis that exists.
constexpr size_t FromFront(int64_t axis, size_t rank) {
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
}

// The same. Nothing where the axis does not exist.
constexpr std::optional<size_t> FindAxis(int64_t axis, size_t rank) {
  const auto dims = static_cast<int64_t>(rank);
  return axis >= -dims && axis < dims ? std::optional(FromFront(axis, rank)) : std::nullopt;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_AXIS_H_
