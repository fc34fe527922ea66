// Constants as the planner needs them: quantized where they have an encoding.
#ifndef LANEQUANT_RUNTIME_PLAN_CONSTANTS_H_
#define LANEQUANT_RUNTIME_PLAN_CONSTANTS_H_

#include <optional>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

class Constants {
 public:
  explicit Constants(const Graph& graph) : graph_(graph) {}

  // The constant that a value is; null for activations and absent inputs.
  const Constant* Find(ValueId id) const;
  // A bias that the file gives in codes: real numbers, not floats.
  bool IsReal(ValueId id) const;
  const std::optional<Encoding>& EncodingOf(ValueId id) const { return graph_.value(id).encoding; }
  // Its floats; where the constant has a per-tensor encoding, fl32((q + offset) * scale). Errors: not a float constant,
  // another kind of encoding.
  Result<std::vector<float>> Floats(ValueId id, const PrepareOptions& options) const;
  // The same as exact reals: (q + offset) * scale is not rounded to float.
  Result<std::vector<double>> Reals(ValueId id, const PrepareOptions& options) const;

 private:
  Result<const Constant*> CheckedFloats(ValueId id) const;

  const Graph& graph_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_CONSTANTS_H_
