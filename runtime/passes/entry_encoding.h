// EncodingEntry (the file's words) -> Encoding (the library's).
#ifndef LANEQUANT_RUNTIME_PASSES_ENTRY_ENCODING_H_
#define LANEQUANT_RUNTIME_PASSES_ENTRY_ENCODING_H_

#include "lanequant/encoding.h"
#include "lanequant/status.h"
#include "runtime/io/encodings_reader.h"
#include "runtime/passes/weight_axes.h"

namespace lq {

// An integer entry, its offsets moved from the unsigned grid to the encoding's own; arrays still in the file's order.
// `role` gives the axes. Errors: axes that are not known, offsets that are no integers, more than one scale per tensor.
Result<Encoding> ToEncoding(const EncodingEntry& entry, const ConstantRole& role);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_ENTRY_ENCODING_H_
