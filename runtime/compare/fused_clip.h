// Clips and Relus that AIMET fused with the node before them: it rounds once, behind both, but its exporter gives the
// tensor in between the encoding of the result, too.
#ifndef LANEQUANT_RUNTIME_COMPARE_FUSED_CLIP_H_
#define LANEQUANT_RUNTIME_COMPARE_FUSED_CLIP_H_

#include <optional>
#include <variant>

#include "lanequant/encoding.h"
#include "runtime/graph.h"

namespace lq {

// Equal encodings on both sides are what an export shows of it.
inline bool IsFusedClip(const Graph& graph, const Node& node) {
  if ((node.op != "Clip" && node.op != "Relu") || node.inputs.empty() || node.inputs[0] == kAbsent) return false;
  const std::optional<Encoding>& in = graph.value(node.inputs[0]).encoding;
  return in.has_value() && std::holds_alternative<PerTensor>(*in) && in == graph.value(node.outputs[0]).encoding;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_COMPARE_FUSED_CLIP_H_
