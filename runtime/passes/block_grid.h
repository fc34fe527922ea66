// Weights that a block format has rounded lie on integers under a power of two for each block.
#ifndef LANEQUANT_RUNTIME_PASSES_BLOCK_GRID_H_
#define LANEQUANT_RUNTIME_PASSES_BLOCK_GRID_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "lanequant/encoding.h"
#include "runtime/graph.h"

namespace lq {

// The encoding of 4 or 8 bits under which a float matrix has these values exactly, in blocks of `block_size` along
// `block_axis`: BFP16, MXINT8, MX4 to MX9, MXFP4 and MXFP6 of e2m3 have one. Absent: fp8 and e3m2, values that are not
// finite, blocks that do not divide the axis.
std::optional<Encoding> BlockGridOf(const Constant& matrix, size_t block_axis, int64_t block_size);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_BLOCK_GRID_H_
