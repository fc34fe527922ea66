// Block arrays that say their own shape (encodings 2.x, QDQ graphs) -> [channel][block].
#ifndef LANEQUANT_RUNTIME_PASSES_BLOCK_LAYOUT_H_
#define LANEQUANT_RUNTIME_PASSES_BLOCK_LAYOUT_H_

#include <cstddef>
#include <vector>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/io/encodings_reader.h"
#include "runtime/passes/weight_axes.h"

namespace lq {

struct BlockLayout {
  size_t channel_axis, block_axis;
  std::vector<size_t> order;             // [channel][block]: the index in the file's array
  std::vector<size_t> channel_of_scale;  // by channel: the index in LPBQ's array of channel scales
};

// `entry` has a block axis, `tensor` is what it encodes, `role` how the tensor is used. The channel axis is the one
// that the entry names, else the only other one along which scales vary, else the role's. An array with one scale along
// the channels serves them all. Errors: axes that the tensor lacks, another rank, scales that vary along a third axis
// or that are too few or too many for the channels.
Result<BlockLayout> FindBlockLayout(const EncodingEntry& entry, const Shape& tensor, const ConstantRole& role);

// An axis of a tensor of this rank, counted from the end where it is negative.
Result<size_t> FromEnd(const std::string& name, int64_t axis, const Shape& tensor);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_BLOCK_LAYOUT_H_
