// Codes of a file -> the floats that they stand for.
#ifndef LANEQUANT_RUNTIME_PASSES_DEQUANTIZE_H_
#define LANEQUANT_RUNTIME_PASSES_DEQUANTIZE_H_

#include <string>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// The codes of a constant as float32, fl32((q + offset) * scale), like a weight that AIMET exported: on its grid, and
// quantized to the same codes again. LPBQ: scale = fl32(per_block_int_scale * channel_scale). `encoding` fits the
// shape. Error: a float that overflows.
Result<std::vector<float>> DequantizedFloats(const std::string& name, const Encoding& encoding,
                                             const Constant& constant);
// Turns a constant of codes (kS64) into one of these floats (kF32).
Status Dequantize(const std::string& name, const Encoding& encoding, Constant& constant);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_DEQUANTIZE_H_
