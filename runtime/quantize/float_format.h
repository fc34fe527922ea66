// Float formats as numbers, for the kernels that round to them.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_FLOAT_FORMAT_H_
#define LANEQUANT_RUNTIME_QUANTIZE_FLOAT_FORMAT_H_

#include <array>
#include <cstdint>
#include <string>

#include "kernels/contracts_float.h"
#include "lanequant/float_quantize.h"
#include "lanequant/status.h"

namespace lq {

struct FormatNumbers {
  float largest;
  int min_exponent;   // of the smallest normal value
  bool has_infinity;  // beside NaN
  bool has_nan;
  bool by_formula;  // AIMET computes it by logarithms; else PyTorch, ONNX and hardware convert to it
};

// Error: none of the formats that FloatFormat describes.
Result<FormatNumbers> NumbersOf(const FloatFormat& format);

// "e4m3fn"
std::string NameOf(const FloatFormat& format);

// By biased exponent, FloatGrid::carry.
using CarryTable = std::array<uint32_t, 256>;

// The grid of a checked format. `carry` is filled and pointed to where AIMET's formula is computed in f16 or bf16.
kernels::FloatGrid GridOf(const FloatFormat& format, bool saturate, kernels::Arithmetic arithmetic, CarryTable& carry);

// Of the formats of 4, 6 and 8 bits that have a constant.
bool HasCodes(const FloatFormat& format);
kernels::FloatCode CodeOf(const FloatFormat& format);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_FLOAT_FORMAT_H_
