// The power of two that a block of a block format stores, from the extremes of its elements.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_SHARED_EXPONENT_H_
#define LANEQUANT_RUNTIME_QUANTIZE_SHARED_EXPONENT_H_

#include <cstdint>

#include "kernels/contracts_float.h"
#include "lanequant/block_quantize.h"

namespace lq {

constexpr uint8_t kNanScale = 255;  // of E8M0

// Exponent of the value of code 1, if that of the stored power is 0: integers of n bits count 2^-(n - 1).
int UnitExponent(const BlockFormat& format);

// E8M0: exponent + 127. `min` and `max` as kernels/contracts_min_max.h has them: both NaN if one element is.
// `rule`: that of the format.
uint8_t SharedExponent(float min, float max, const BlockFormat& format, const kernels::BlockRule& rule);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_SHARED_EXPONENT_H_
