// Biases in 32-bit codes: encodings 2.x list them beside a float bias, QDQ graphs hold the codes themselves.
#ifndef LANEQUANT_RUNTIME_PASSES_BIAS_CODES_H_
#define LANEQUANT_RUNTIME_PASSES_BIAS_CODES_H_

#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/io/encodings_reader.h"

namespace lq {

// `bias` (kF32) rounded to the codes of the entry, q = clamp(rint(double(b) / s)) on 32 bits, and taken as real numbers
// q * s (kF64). Scales are those of the file, which need not be s_x * s_w: one, or one for each index of the entry's
// channel axis (default 0). Errors: not float32, an offset that is not 0, scales that are not finite or above 0 or of
// another number.
Result<Constant> RoundBias(const EncodingEntry& entry, const Constant& bias);

// The same for codes (kS64): q * s.
Result<Constant> DequantizeBias(const EncodingEntry& entry, const Constant& codes);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_BIAS_CODES_H_
