// Layouts: inside a plan, tensors of rank 4 are channels last (N, H, W, C); graph inputs and outputs, and everything
// that users see, are in ONNX's order (N, C, H, W).
#ifndef LANEQUANT_RUNTIME_PLAN_LAYOUT_H_
#define LANEQUANT_RUNTIME_PLAN_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "lanequant/tensor.h"

namespace lq {

// The plan's shape of a tensor of this ONNX shape, and back. Other ranks than 4 stay as they are.
Shape PlanShape(const Shape& onnx);
Shape OnnxShape(const Shape& plan);
// The ONNX dimension that dimension d of the plan's order is.
size_t OnnxDimension(size_t d, size_t rank);

// Copies between the two orders. `plan` is the plan's shape; elements of 1, 2, 4 or 8 bytes.
template <class T>
void ToOnnxOrder(const T* in, const Shape& plan, T* out);
template <class T>
void FromOnnxOrder(const T* in, const Shape& plan, T* out);
// The same of elements of `size` bytes.
void ToOnnxOrder(const std::byte* in, const Shape& plan, size_t size, std::byte* out);
void FromOnnxOrder(const std::byte* in, const Shape& plan, size_t size, std::byte* out);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_LAYOUT_H_
