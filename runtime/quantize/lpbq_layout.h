// What deriving and using LPBQ scales share.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_LPBQ_LAYOUT_H_
#define LANEQUANT_RUNTIME_QUANTIZE_LPBQ_LAYOUT_H_

#include <cstdint>

#include "lanequant/lpbq.h"

namespace lq {

// 2^k
inline uint32_t LargestIntScale(const LpbqLayout& layout) {
  return uint32_t{1} << (layout.decompressed_bitwidth - layout.bitwidth);
}

// Errors: bitwidths, entries of block_size or block_grouping that scale_shape does not go with.
Status CheckLpbqLayout(const LpbqLayout& layout);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_LPBQ_LAYOUT_H_
