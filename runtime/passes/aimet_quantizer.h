// quantize_dequantize of domain "aimet", in which aimet_torch's exporter writes a simulated model
// (aimet_torch/experimental/onnx) -> encoding entries.
#ifndef LANEQUANT_RUNTIME_PASSES_AIMET_QUANTIZER_H_
#define LANEQUANT_RUNTIME_PASSES_AIMET_QUANTIZER_H_

#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/io/encodings_reader.h"
#include "runtime/passes/constant_uses.h"

namespace lq {

bool IsAimetQuantizer(const Node& node);

// What the node does, as the entry of a tensor without a name: inputs are the tensor, its scales and its offsets, of
// the shape that broadcasts to the tensor or with attribute block_size has one element for each block; the grid is that
// of attributes qmin and qmax. Errors, by node: scales that are computed, grids of other than 2^bitwidth codes, layouts
// of other than channels and blocks.
Result<EncodingEntry> ReadAimetQuantizer(const Graph& graph, const Node& node, const ConstantUses& constants);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_AIMET_QUANTIZER_H_
