// Broadcasting: where an operand's elements lie, seen from the output (NumPy's rule, ONNX Multidirectional
// Broadcasting).
#ifndef LANEQUANT_RUNTIME_PLAN_BROADCAST_H_
#define LANEQUANT_RUNTIME_PLAN_BROADCAST_H_

#include <array>
#include <cstddef>
#include <optional>

#include "lanequant/tensor.h"

namespace lq {

// The shape that two ONNX shapes broadcast to; nothing if they do not.
std::optional<Shape> BroadcastShape(const Shape& a, const Shape& b);

// Element strides of an operand along each dimension of the output's plan shape; 0 where it is repeated.
using Strides = std::array<ptrdiff_t, Shape::kMaxRank>;

// `operand` is an ONNX shape; its memory is channels last if `channels_last`, else in ONNX's order.
Strides BroadcastStrides(const Shape& operand, bool channels_last, const Shape& plan_out);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_BROADCAST_H_
