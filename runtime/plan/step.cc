#include "runtime/plan/step.h"

#include <algorithm>

namespace lq {

size_t Step::ScratchBytes(std::span<const Shape>, size_t) const { return 0; }

LayerInfo Step::info() const { return {}; }

double Step::Microseconds(std::span<const Shape> in, const Shape& out) const {
  constexpr double kElement = 0.25e-3;  // of what is moved, looked up, or turned into another type
  int64_t elements = out.NumElements();
  for (const Shape& shape : in) elements = std::max(elements, shape.NumElements());
  return kStepMicroseconds + kElement * static_cast<double>(elements);
}

}  // namespace lq
