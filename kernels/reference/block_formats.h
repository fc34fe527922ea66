// Scalar reference of include/lanequant/block_quantize.h, one block at a time, in binary64 (in which every step but the
// logarithms of kFloorLog2 and kCeilLog2 is exact). Shares no line with the kernels.
#ifndef LANEQUANT_KERNELS_REFERENCE_BLOCK_FORMATS_H_
#define LANEQUANT_KERNELS_REFERENCE_BLOCK_FORMATS_H_

#include <span>

#include "lanequant/block_quantize.h"

namespace lq::reference {

// The elements of one block; the last block along the axis may be shorter than the format's.
void QuantizeDequantizeBlock(std::span<const float> in, const BlockFormat& format, std::span<float> out);

}  // namespace lq::reference

#endif  // LANEQUANT_KERNELS_REFERENCE_BLOCK_FORMATS_H_
