// BFPQuantizeDequantize and MXQuantizeDequantize of Quark's domain com.amd.quark -> block formats.
#ifndef LANEQUANT_RUNTIME_PASSES_BLOCK_FORMAT_NODE_H_
#define LANEQUANT_RUNTIME_PASSES_BLOCK_FORMAT_NODE_H_

#include <cstddef>

#include "lanequant/block_quantize.h"
#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// By its operator alone: FoldBlockFormats clears the domain.
bool IsBlockFormat(const Node& node);

// Errors, by node: a method, element type, width or rounding that neither operator has.
Result<BlockFormat> ReadBlockFormat(const Graph& graph, const Node& node);
// The axis of a tensor of `rank` dimensions along which its blocks run: 0 for a vector or a scalar. Error: there is
// none.
Result<size_t> BlockAxis(const Graph& graph, const Node& node, size_t rank);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_BLOCK_FORMAT_NODE_H_
