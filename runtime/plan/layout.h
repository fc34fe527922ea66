// Layout: the order in which a plan keeps tensors of rank 4. Graph inputs and outputs, and everything that users see,
// are in ONNX's order (N, C, H, W).
#ifndef LANEQUANT_RUNTIME_PLAN_LAYOUT_H_
#define LANEQUANT_RUNTIME_PLAN_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "lanequant/tensor.h"

namespace lq {

class Layout {
 public:
  // Channels last (N, H, W, C), which convolutions, pools and batch normalizations read; or ONNX's order, for plans
  // without them. Rank 4 are the heads of attention there, and a cache of keys and values that is turned around four
  // times in a step takes longer than the step's weights.
  explicit Layout(bool channels_last = true) : channels_last_(channels_last) {}

  // Whether a tensor of this shape, in either order, is kept in another order than ONNX's.
  bool IsTurned(const Shape& shape) const { return channels_last_ && shape.rank() == 4; }

  // The plan's shape of a tensor of this ONNX shape, and back.
  Shape PlanShape(const Shape& onnx) const;
  Shape OnnxShape(const Shape& plan) const;
  // The ONNX dimension that dimension d of the plan's order is.
  size_t OnnxDimension(size_t d, size_t rank) const;

  // Copies between the two orders. `plan` is the plan's shape; elements of `size` bytes: 1, 2, 4 or 8.
  void ToOnnxOrder(const void* in, const Shape& plan, size_t size, void* out) const;
  void FromOnnxOrder(const void* in, const Shape& plan, size_t size, void* out) const;

 private:
  bool channels_last_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_LAYOUT_H_
