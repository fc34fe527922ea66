// Packs weights that lie transposed, [k][n] as ONNX's MatMul has them, as they are read: whole rows, a band of them at
// a time. A panel at a time would read 256 bytes of each of k pages, and take twice as long.
#ifndef LANEQUANT_RUNTIME_ROW_PACKER_H_
#define LANEQUANT_RUNTIME_ROW_PACKER_H_

#include "lanequant/layer.h"
#include "runtime/packed_weights.h"
#include "runtime/weight_codes.h"

namespace lq {

// Of s8 codes without offsets in a format that is chosen: whether their sizes are those that bands need.
bool FitsRowPacker(const WeightCodes& codes, const PackedWeights& packed);
// Fills packed.memory and the sums of packed.sums, which have n members.
void PackTransposedRows(const WeightCodes& codes, const PrepareOptions& options, PackedWeights& packed);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_ROW_PACKER_H_
