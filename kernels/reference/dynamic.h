// Quantization with scales found from the data (contracts_quantize.h, QuantizeDynamicArgs), one element at a time.
#ifndef LANEQUANT_KERNELS_REFERENCE_DYNAMIC_H_
#define LANEQUANT_KERNELS_REFERENCE_DYNAMIC_H_

#include <cstdint>
#include <span>

namespace lq::reference {

// The scale of one block for codes of -qmax..qmax.
float DynamicScale(std::span<const float> block, int qmax);
// NaN -> -qmax.
int DynamicCode(float x, float scale, int qmax);

}  // namespace lq::reference

#endif  // LANEQUANT_KERNELS_REFERENCE_DYNAMIC_H_
