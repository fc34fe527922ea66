// Affine quantizers, one element at a time: sections 1.3 to 1.7 of the AIMET specification and ONNX QuantizeLinear.
#ifndef LANEQUANT_KERNELS_REFERENCE_AFFINE_H_
#define LANEQUANT_KERNELS_REFERENCE_AFFINE_H_

#include <cstdint>

#include "kernels/arithmetic.h"
#include "lanequant/encoding.h"

namespace lq::reference {

// `scale` and `offset` are values of the arithmetic's type. aimet_fakequant and aimet_onnx compute in binary32 whatever
// the arithmetic.
struct AffineRule {
  float scale = 1.0f;
  int32_t offset = 0;
  float shift = 0.0f;  // aimet_div and aimet_onnx only
  int64_t qmin = 0, qmax = 255;
  RoundingProfile profile = RoundingProfile::kAimetDiv;
  kernels::Arithmetic arithmetic = kernels::Arithmetic::kF32;
};

// NaN -> qmin.
int64_t QuantizeElement(float x, const AffineRule& rule);

// In the arithmetic's type, whatever the profile; a float of that type, for kF64 rounded once more.
float DequantizeElement(int64_t q, const AffineRule& rule);

// Not always the composition of the two: NaN stays NaN under aimet_div; aimet_fakequant holds qmin and qmax as floats;
// onnx computes the real value in binary32. The caller rounds the result to a narrower tensor's type.
float QuantizeDequantizeElement(float x, const AffineRule& rule);

}  // namespace lq::reference

#endif  // LANEQUANT_KERNELS_REFERENCE_AFFINE_H_
