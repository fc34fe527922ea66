// Codes of a file -> the floats that they stand for.
#ifndef LANEQUANT_RUNTIME_PASSES_DEQUANTIZE_H_
#define LANEQUANT_RUNTIME_PASSES_DEQUANTIZE_H_

#include <string>

#include "lanequant/encoding.h"
#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// Turns the codes of a constant (kS64) into float32 (kF32), fl32((q + offset) * scale), so that it is like a weight
// that AIMET exported: on its grid, and quantized to the same codes again. LPBQ: scale = fl32(per_block_int_scale *
// channel_scale). `encoding` fits the shape. Errors: a float from which division by the scale does not lead back to
// its code (subnormal or overflowing ones).
Status Dequantize(const std::string& name, const Encoding& encoding, Constant& constant);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_DEQUANTIZE_H_
