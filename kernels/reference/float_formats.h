// Scalar reference of include/lanequant/float_quantize.h, one element at a time, written in binary64 as the tools' own
// steps, each rounded to the type they round to. Shares no line with the kernels.
#ifndef LANEQUANT_KERNELS_REFERENCE_FLOAT_FORMATS_H_
#define LANEQUANT_KERNELS_REFERENCE_FLOAT_FORMATS_H_

#include <cstdint>

#include "lanequant/float_quantize.h"
#include "lanequant/tensor.h"

namespace lq::reference {

// The format's value that is nearest to x, ties to even; beyond the largest: that, or without `saturate` infinity or
// NaN as FloatQuantizer says. NaN stays NaN.
float CastToFormat(float x, const FloatFormat& format, bool saturate);

// value(code), sign and exponent and mantissa bits read as the format has them (4, 6 and 8 bits).
float ValueOfCode(uint8_t code, const FloatFormat& format);

struct FloatRule {
  FloatFormat format;
  float scale = 1;
  bool saturate = true;
  DType arithmetic = DType::kF32;  // or kF16, kBF16: what results of operations are rounded to
};

float QuantizeDequantizeFloat(float x, const FloatRule& rule);
// zero_point: 0 is added to x / scale, as ONNX QuantizeLinear does for e2m1.
uint8_t QuantizeFloat(float x, const FloatRule& rule, bool zero_point);

}  // namespace lq::reference

#endif  // LANEQUANT_KERNELS_REFERENCE_FLOAT_FORMATS_H_
