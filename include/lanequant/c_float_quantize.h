// Float formats and block formats (MX, BFP) from C. Numerics, shapes and errors: lanequant/float_quantize.h and
// lanequant/block_quantize.h.
#ifndef LANEQUANT_C_FLOAT_QUANTIZE_H_
#define LANEQUANT_C_FLOAT_QUANTIZE_H_

#include <stddef.h>
#include <stdint.h>

#include "lanequant/c_quantize.h"
#include "lanequant/c_types.h"
#include "lanequant/export.h"

#ifdef __cplusplus
extern "C" {
#endif

// A format in AIMET's terms, as lq::FloatFormat: {4, 3, 1, 0} is float8_e4m3fn.
typedef struct lq_float_format {
  int32_t exponent_bits, mantissa_bits;
  int32_t finite, unsigned_zero;  // 0 or 1
} lq_float_format;

typedef struct lq_float_quantizer {
  size_t struct_size;
  lq_float_format format;
  const lq_tensor* scale;  // f32, f16 or bf16; null: 1
  lq_sizes block_size;     // as lq_affine_quantizer
  int32_t overflows;       // 0: what lies beyond the largest value becomes it; 1: becomes infinite, or NaN
} lq_float_quantizer;

// The scale under which the largest value of the format stands for maxval (AIMET's calibration).
LQ_EXPORT lq_status lq_float_scale(const lq_float_format* format, float maxval, float* scale, lq_message* message);

// in: f32, f16 or bf16. out: the type of `in` or f32; may be the memory of `in`.
LQ_EXPORT lq_status lq_quantize_dequantize_float(const lq_tensor* in, const lq_float_quantizer* quantizer,
                                                 const lq_tensor* out, const lq_bulk_options* options,
                                                 lq_message* message);

// The codes themselves, for formats of 4, 6 and 8 bits: u8, one each, or packed: u4, u6 for those of 4 and 6 bits.
LQ_EXPORT lq_status lq_quantize_float(const lq_tensor* in, const lq_float_quantizer* quantizer, const lq_tensor* codes,
                                      const lq_bulk_options* options, lq_message* message);
LQ_EXPORT lq_status lq_dequantize_float(const lq_tensor* codes, const lq_float_quantizer* quantizer,
                                        const lq_tensor* out, const lq_bulk_options* options, lq_message* message);

// Block formats as the tools have them; the names are those of the functions in lanequant/block_quantize.h. Behind each
// the fields of lq_block_quantizer that it looks at, besides axis and block_size.
enum {
  LQ_ONNX_MX = 0,            // element, ties
  LQ_TORCH_MX = 1,           // element, exponent
  LQ_ONNX_BFP = 2,           // bit_width, ties
  LQ_ONNX_COMPILER_BFP = 3,  // ties
  LQ_ONNX_BFP_PRIME = 4,     // bit_width, ties
  LQ_TORCH_BFP16 = 5,        // none
  LQ_TORCH_MX_PAIRS = 6      // bit_width; block_size is needed
};
// As lq::BlockElement, lq::BlockExponent, lq::TieRounding.
enum { LQ_E2M1 = 0, LQ_E2M3 = 1, LQ_E3M2 = 2, LQ_E4M3 = 3, LQ_E5M2 = 4, LQ_INTEGER = 5 };
enum { LQ_EXPONENT_FLOOR = 0, LQ_EXPONENT_FLOOR_LOG2 = 1, LQ_EXPONENT_CEIL_LOG2 = 2, LQ_EXPONENT_EVEN = 3 };
enum { LQ_TIES_AWAY = 0, LQ_TIES_UP = 1, LQ_TIES_EVEN = 2 };

typedef struct lq_block_quantizer {
  size_t struct_size;
  int32_t format;  // LQ_ONNX_MX, ...
  int32_t element, exponent, ties, bit_width;
  int64_t block_size;  // 0: the format's own
  int64_t axis;        // blocks run along it; negative: from the last
} lq_block_quantizer;

// in, out: f32, f16 or bf16, the same type; may be the same memory.
LQ_EXPORT lq_status lq_quantize_dequantize_blocks(const lq_tensor* in, const lq_block_quantizer* quantizer,
                                                  const lq_tensor* out, const lq_bulk_options* options,
                                                  lq_message* message);

// Codes, and for each block along the axis a power of two (u8, E8M0). codes: u4 or u8 for LQ_E2M1, u6 or u8
// for LQ_E2M3 and LQ_E3M2, u8 for the other floats, s8 or s16 for integers. scales: the shape of `in` with one for each
// block along the axis.
LQ_EXPORT lq_status lq_quantize_blocks(const lq_tensor* in, const lq_block_quantizer* quantizer, const lq_tensor* codes,
                                       const lq_tensor* scales, const lq_bulk_options* options, lq_message* message);
LQ_EXPORT lq_status lq_dequantize_blocks(const lq_tensor* codes, const lq_tensor* scales,
                                         const lq_block_quantizer* quantizer, const lq_tensor* out,
                                         const lq_bulk_options* options, lq_message* message);

#ifdef __cplusplus
}
#endif

#endif  // LANEQUANT_C_FLOAT_QUANTIZE_H_
