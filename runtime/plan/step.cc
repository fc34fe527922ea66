#include "runtime/plan/step.h"

namespace lq {

size_t Step::ScratchBytes(std::span<const Shape>, size_t) const { return 0; }

LayerInfo Step::info() const { return {}; }

}  // namespace lq
