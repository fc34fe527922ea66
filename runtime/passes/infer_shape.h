// Shapes that files do not declare: AIMET's exports name none of the tensors that it quantizes.
#ifndef LANEQUANT_RUNTIME_PASSES_INFER_SHAPE_H_
#define LANEQUANT_RUNTIME_PASSES_INFER_SHAPE_H_

#include <optional>

#include "runtime/graph.h"

namespace lq {

// The shape of the node's first output, from those of its inputs; its first dimension may be dynamic (-1). Nothing
// where it is not known: other operators, inputs of unknown shape, attributes that do not fit. It is no check of the
// node.
std::optional<Shape> InferShape(const Graph& graph, const Node& node);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_INFER_SHAPE_H_
