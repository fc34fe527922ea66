// QuantizeLinear and DequantizeLinear nodes -> encoding entries.
#ifndef LANEQUANT_RUNTIME_PASSES_QUANTIZER_NODE_H_
#define LANEQUANT_RUNTIME_PASSES_QUANTIZER_NODE_H_

#include <optional>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/graph.h"
#include "runtime/io/encodings_reader.h"

namespace lq {

// Of domain "" or com.microsoft: one meaning.
bool IsQuantize(const Node& node);
bool IsDequantize(const Node& node);

// What the node does, as the entry of a tensor without a name. `scale_maker` is the DequantizeLinear that makes its
// scale of integers and floats (LPBQ), null where the scale is a constant. `codes`: the type of the codes where neither
// a zero point nor output_dtype says it (ONNX: uint8). Errors, by node: a scale or zero point that is computed, numbers
// of scales and zero points that differ, attributes and types that are not supported.
Result<EncodingEntry> ReadQuantizer(const Graph& graph, const Node& node, const Node* scale_maker,
                                    DType codes = DType::kU8);

// The type of the codes that the node writes or reads, where it says it.
std::optional<DType> CodesOf(const Graph& graph, const Node& node);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_QUANTIZER_NODE_H_
