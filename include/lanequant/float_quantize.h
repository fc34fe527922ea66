// Quantizers whose codes are small floating-point numbers: float16, bfloat16, the 8-, 6- and 4-bit formats, and what
// AIMET makes of any other number of exponent and mantissa bits.
#ifndef LANEQUANT_FLOAT_QUANTIZE_H_
#define LANEQUANT_FLOAT_QUANTIZE_H_

#include <cstdint>
#include <span>

#include "lanequant/export.h"
#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// A format in AIMET's terms. `finite`: no infinities, so that their codes are numbers too (ONNX and PyTorch: "fn").
// `unsigned_zero`: the code of -0 is the only NaN ("uz").
//
// A format that has a constant below is the one that everyone means by that name. Any other is not finite, has 2..7
// exponent and 1..10 mantissa bits and means what AIMET computes for it (aimet_torch 2.42): the largest value is that
// of IEEE 754, (2 - 2^-m) * 2^(2^(e-1) - 1), but the smallest normal one lies one binade lower than there, 2^(1 -
// 2^(e-1)), and below it steps stay the same down to 0.
struct FloatFormat {
  int exponent_bits = 5, mantissa_bits = 10;
  bool finite = false, unsigned_zero = false;

  int bits() const { return 1 + exponent_bits + mantissa_bits; }
  friend bool operator==(const FloatFormat&, const FloatFormat&) = default;
};

inline constexpr FloatFormat kFloat16{5, 10};
inline constexpr FloatFormat kBFloat16{8, 7};
inline constexpr FloatFormat kFloat8E4M3Fn{4, 3, true};          // up to 448, has NaN
inline constexpr FloatFormat kFloat8E4M3FnUz{4, 3, true, true};  // up to 240, has NaN
inline constexpr FloatFormat kFloat8E5M2{5, 2};                  // up to 57344, has infinities and NaN
inline constexpr FloatFormat kFloat8E5M2FnUz{5, 2, true, true};  // up to 57344, has NaN
inline constexpr FloatFormat kFloat6E2M3Fn{2, 3, true};          // up to 7.5, numbers only
inline constexpr FloatFormat kFloat6E3M2Fn{3, 2, true};          // up to 28, numbers only
inline constexpr FloatFormat kFloat4E2M1Fn{2, 1, true};          // up to 6, numbers only

// The largest finite value. Error: not a format as above.
LQ_EXPORT Result<float> LargestValue(const FloatFormat& format);

// The scale under which the largest value of the format stands for maxval: 2^(log2|maxval| - log2(largest)), each step
// rounded to float (aimet_torch FloatQuantizeDequantize.get_scale of one maxval; of many at once torch's vectorized
// power is one unit in the last place off for 1 in 40: take scales of an export from its file). Errors: format; maxval
// not finite or 0.
LQ_EXPORT Result<float> FloatScale(const FloatFormat& format, float maxval);

struct FloatQuantizer {
  FloatFormat format;
  ConstTensorView scale;                // f32, f16 or bf16, each > 0; no bytes: one scale of 1
  std::span<const int64_t> block_size;  // as AffineQuantizer::block_size
  // What lies beyond the largest value becomes it. If not, it becomes infinite, or NaN where the format has no infinity
  // (ONNX Cast and QuantizeLinear with saturate = 0; aimet_onnx: float16). Formats of numbers only, and those without a
  // constant, always saturate.
  bool saturate = true;
};

// y = cast(clamp(x / scale, +-largest)) * scale: aimet_torch FloatQuantizeDequantize (2.42), aimet_onnx QcQuantizeOp.
// Rounds to nearest, ties to even, subnormal results included; NaN stays NaN.
// in: f32, f16 or bf16; out: the same shape and type, or f32 if the scale has dimensions. They may be the same memory.
// As in PyTorch, every operation's result is rounded to the type of `in` where the scale is a single number of rank 0
// (or absent), and to f32 where the scale has dimensions. AIMET's formula for the formats without a constant then looks
// at a rounded logarithm: values just below a power of two may be rounded to the coarser grid above it.
// AMD Quark's fp8 (quark.torch 0.13; its scale is maxval / largest value, 2^-23 for 0) has the same bits for f32, and
// under one scale of rank 0. Under a scale for each channel of f16 or bf16 it has those of QuantizeFloat and
// DequantizeFloat with the scale in that type.
// Errors: shapes, types, a scale that is not > 0, a format that is none, a largest value that f16 arithmetic cannot
// hold.
LQ_EXPORT Status QuantizeDequantizeFloat(const ConstTensorView& in, const FloatQuantizer& quantizer,
                                         const TensorView& out, const BulkOptions& options = {});

// The codes themselves, for formats of 4, 6 and 8 bits that have a constant: sign, exponent, mantissa from the highest
// bit down. codes: u8, one each (in the low bits), or packed: u4 for e2m1, u6 for e2m3 and e3m2.
// With a scale: ONNX QuantizeLinear with zero point 0 (x / scale is rounded to f16 or bf16 where both are of that type;
// e2m1: -0 becomes 0).
// Without: ONNX Cast. NaN becomes the format's NaN, or the largest value where it has none.
// in: f32, f16 or bf16. Errors: as above.
LQ_EXPORT Status QuantizeFloat(const ConstTensorView& in, const FloatQuantizer& quantizer, const TensorView& codes,
                               const BulkOptions& options = {});

// value(code) * scale, rounded once to the type of out: f32, f16 or bf16 (ONNX DequantizeLinear).
// Errors: as above.
LQ_EXPORT Status DequantizeFloat(const ConstTensorView& codes, const FloatQuantizer& quantizer, const TensorView& out,
                                 const BulkOptions& options = {});

}  // namespace lq

#endif  // LANEQUANT_FLOAT_QUANTIZE_H_
