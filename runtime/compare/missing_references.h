// Missing references: an isolated comparison starts from the reference's own codes, and where the reference has none
// from the simulator's. What the reference lost before then shows in the tensor behind, far from every tie.
#ifndef LANEQUANT_RUNTIME_COMPARE_MISSING_REFERENCES_H_
#define LANEQUANT_RUNTIME_COMPARE_MISSING_REFERENCES_H_

#include <vector>

#include "runtime/compare/reference_layers.h"
#include "runtime/graph.h"

namespace lq {

// The encoded activations, in the order of the graph's values, from which these tensors are computed without another
// encoded one in between and that `reference` does not have. Data movement under one encoding rounds nothing, and the
// input of a fused Clip was not rounded: they are looked through.
std::vector<ValueId> MissingBefore(const Graph& graph, const ReferenceLayers& reference,
                                   const std::vector<ValueId>& tensors);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_COMPARE_MISSING_REFERENCES_H_
