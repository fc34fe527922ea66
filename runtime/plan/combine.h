// Two operands element by element, with broadcasting.
#ifndef LANEQUANT_RUNTIME_PLAN_COMBINE_H_
#define LANEQUANT_RUNTIME_PLAN_COMBINE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/partition.h"
#include "runtime/plan/broadcast.h"

namespace lq {

// An operand in ONNX's order.
template <class T>
struct BroadcastOperand {
  const T* values;
  const Shape& shape;
};

// out[i] = combine(a, b) for the elements of a result of this shape. Row by row of the last dimension; the first and
// the last row may be parts of one.
template <class T, class Out, class Combine>
void CombineBroadcast(BroadcastOperand<T> a, BroadcastOperand<T> b, const Shape& shape, Range elements, Out* out,
                      Combine combine) {
  const Strides step_a = BroadcastStrides(a.shape, shape), step_b = BroadcastStrides(b.shape, shape);
  const size_t rank = shape.rank();
  const size_t row = rank > 0 ? static_cast<size_t>(shape[rank - 1]) : 1;
  const ptrdiff_t one_a = rank > 0 ? step_a[rank - 1] : 0, one_b = rank > 0 ? step_b[rank - 1] : 0;
  for (size_t i = elements.begin; i < elements.end;) {
    const size_t count = std::min(row - i % row, elements.end - i);
    const T* x = a.values + OffsetOf(static_cast<int64_t>(i), shape.dims(), step_a);
    const T* y = b.values + OffsetOf(static_cast<int64_t>(i), shape.dims(), step_b);
    for (size_t k = 0; k < count; ++k, x += one_a, y += one_b) out[i + k] = combine(*x, *y);
    i += count;
  }
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_COMBINE_H_
