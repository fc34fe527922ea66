// How the tool that a profile names would compute: section 1.4 of the AIMET specification, ONNX's precision rule.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_AFFINE_ARITHMETIC_H_
#define LANEQUANT_RUNTIME_QUANTIZE_AFFINE_ARITHMETIC_H_

#include <cstdint>
#include <span>

#include "kernels/contracts_quantize.h"
#include "lanequant/encoding.h"
#include "lanequant/tensor.h"

namespace lq {

// x rounded to a value of this type, ties to even; infinity where it is too large. kF64 keeps it.
float RoundTo(kernels::Arithmetic arithmetic, float x);
void RoundAllTo(kernels::Arithmetic arithmetic, std::span<float> values);

// "f16", ...
const char* NameOf(kernels::Arithmetic arithmetic);

// The arithmetic of a float type.
kernels::Arithmetic ArithmeticOf(DType dtype);

// AIMET's division path: the narrowest of the tensor's own type, f32 and f64 that tells the codes of the grid apart.
kernels::Arithmetic DivisionArithmetic(DType tensor, int64_t qmin, int64_t qmax);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_AFFINE_ARITHMETIC_H_
