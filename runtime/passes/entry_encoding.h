// EncodingEntry (the file's words) -> Encoding (the library's).
#ifndef LANEQUANT_RUNTIME_PASSES_ENTRY_ENCODING_H_
#define LANEQUANT_RUNTIME_PASSES_ENTRY_ENCODING_H_

#include "lanequant/encoding.h"
#include "lanequant/status.h"
#include "runtime/io/encodings_reader.h"
#include "runtime/passes/weight_axes.h"

namespace lq {

// An integer entry, its offsets moved from the unsigned grid to the encoding's own. Axes are those that the entry
// names, else `role` gives them; block arrays come to [channel][block] where the entry says their shape, and stay in
// the file's order where it does not (OrderBlocks). `tensor`: the shape of what is encoded; of no matter per tensor.
// Errors: axes that are not known or do not exist, offsets that are no integers, more than one scale per tensor.
Result<Encoding> ToEncoding(const EncodingEntry& entry, const Shape& tensor, const ConstantRole& role);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_ENTRY_ENCODING_H_
