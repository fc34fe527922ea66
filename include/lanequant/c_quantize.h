// Bulk affine quantizers from C. Numerics, shapes and errors: lanequant/quantize.h.
//   real = (q + offset + zero_point_shift) * scale,   q a whole number of [qmin, qmax]
#ifndef LANEQUANT_C_QUANTIZE_H_
#define LANEQUANT_C_QUANTIZE_H_

#include <stddef.h>
#include <stdint.h>

#include "lanequant/c_types.h"
#include "lanequant/export.h"

#ifdef __cplusplus
extern "C" {
#endif

// As lq::RoundingProfile.
enum {
  LQ_AIMET_DIV = 0,        // rint(x / scale) - offset: AIMET's division path
  LQ_AIMET_FAKEQUANT = 1,  // rint(x * (1 / scale)) - offset: torch.fake_quantize, AIMET without gradients
  LQ_AIMET_ONNX = 2,       // clamp first, offset before rounding, halves go up: the op of aimet_onnx
  LQ_ONNX = 3              // ONNX QuantizeLinear
};

// How a bulk function runs. Null: one thread, the best target that the environment's LQ_MAX_ISA allows.
typedef struct lq_bulk_options {
  size_t struct_size;
  lq_executor* executor;  // null: the caller's thread
  const char* max_isa;    // null: as above; "": any
} lq_bulk_options;

typedef struct lq_affine_quantizer {
  size_t struct_size;
  const lq_tensor* scale;   // f32, f16 or bf16; for f64 values also f64
  const lq_tensor* offset;  // s32, or whole numbers of f32 (f64), of the shape of `scale`; null: 0 everywhere
  lq_sizes block_size;      // empty: the scale's shape broadcasts; else one for each of its dimensions, -1: derived
  int64_t qmin, qmax;
  float zero_point_shift;  // 0 or 0.5
  int32_t profile;         // LQ_AIMET_DIV, ...
} lq_affine_quantizer;

// in: f32, f64 (not LQ_AIMET_ONNX and LQ_ONNX), f16 or bf16. codes: u2, s2, u4, s4, u8, s8, u16, s16 or s32, a type
// that holds the grid.
LQ_EXPORT lq_status lq_quantize(const lq_tensor* in, const lq_affine_quantizer* quantizer, const lq_tensor* codes,
                                const lq_bulk_options* options, lq_message* message);

// codes: as above. out: as `in` above.
LQ_EXPORT lq_status lq_dequantize(const lq_tensor* codes, const lq_affine_quantizer* quantizer, const lq_tensor* out,
                                  const lq_bulk_options* options, lq_message* message);

// in: as above. out: the same type; may be the memory of `in`.
LQ_EXPORT lq_status lq_quantize_dequantize(const lq_tensor* in, const lq_affine_quantizer* quantizer,
                                           const lq_tensor* out, const lq_bulk_options* options, lq_message* message);

#ifdef __cplusplus
}
#endif

#endif  // LANEQUANT_C_QUANTIZE_H_
