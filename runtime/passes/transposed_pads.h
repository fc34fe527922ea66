// The pads of a ConvTranspose that says how long its output is.
#ifndef LANEQUANT_RUNTIME_PASSES_TRANSPOSED_PADS_H_
#define LANEQUANT_RUNTIME_PASSES_TRANSPOSED_PADS_H_

#include <optional>

#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// auto_pad and output_shape become pads, and output_padding where the output is longer than the windows reach. Of
// auto_pad the output is stride * input long whatever the input is; output_shape needs an input of known length. An odd
// number of pads has the larger half in front, with SAME_UPPER behind, as ONNX Runtime has it. Errors: a weight of
// unknown shape, an input of unknown shape, attributes that do not fit, auto_pad of windows shorter than the stride.
Status SetTransposedPads(const Graph& graph, const std::optional<Shape>& weight, Node& node);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_TRANSPOSED_PADS_H_
