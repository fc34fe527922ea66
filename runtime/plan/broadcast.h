// Broadcasting: where an operand's elements lie, seen from the output (NumPy's rule, ONNX Multidirectional
// Broadcasting).
#ifndef LANEQUANT_RUNTIME_PLAN_BROADCAST_H_
#define LANEQUANT_RUNTIME_PLAN_BROADCAST_H_

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/plan/layout.h"

namespace lq {

// The shape that two ONNX shapes broadcast to; nothing if they do not.
std::optional<Shape> BroadcastShape(const Shape& a, const Shape& b);
// The same. Error: they do not; it begins with the name of who asks.
Result<Shape> BroadcastOperands(const std::string& name, const Shape& a, const Shape& b);

// Element strides of an operand along each dimension of the output's plan shape; 0 where it is repeated.
using Strides = std::array<ptrdiff_t, Shape::kMaxRank>;

// The same for an output in ONNX's order.
Strides BroadcastStrides(const Shape& operand, const Shape& out);
// Where element `index` of a row-major tensor of these dimensions lies in memory of these strides.
inline ptrdiff_t OffsetOf(int64_t index, std::span<const int64_t> dims, const Strides& strides) {
  ptrdiff_t offset = 0;
  for (size_t d = dims.size(); d-- > 0; index /= dims[d]) offset += index % dims[d] * strides[d];
  return offset;
}

// `operand` is an ONNX shape, whose memory has the layout `memory`; the output has its plan's.
Strides BroadcastStrides(const Shape& operand, const Layout& memory, const Shape& plan_out, const Layout& plan);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_BROADCAST_H_
