// LPBQ from C: 4-bit codes, an integer scale per block, a float scale per group. Numerics, shapes and errors:
// lanequant/lpbq.h.
//   real = q * int_scale[block] * channel_scale[group],   int_scale in 1..2^(decompressed_bitwidth - bitwidth)
#ifndef LANEQUANT_C_LPBQ_H_
#define LANEQUANT_C_LPBQ_H_

#include <stddef.h>
#include <stdint.h>

#include "lanequant/c_quantize.h"
#include "lanequant/c_types.h"
#include "lanequant/export.h"

#ifdef __cplusplus
extern "C" {
#endif

// How a weight is cut.
typedef struct lq_lpbq_layout {
  size_t struct_size;
  int32_t bitwidth, decompressed_bitwidth;  // 4 and 8 in AIMET's examples
  lq_sizes scale_shape;
  lq_sizes block_size;      // in elements, one for each dimension of scale_shape; -1: derived
  lq_sizes block_grouping;  // in blocks, one for each dimension; -1: all of it; empty: 1 each
} lq_lpbq_layout;

// The scales of one weight; immutable.
typedef struct lq_lpbq_scales lq_lpbq_scales;

// From what the blocks would have by themselves, [scale_shape]: f32 computes as aimet_torch, f64 as aimet_onnx.
LQ_EXPORT lq_status lq_lpbq_derive(const lq_tensor* raw_scale, const lq_lpbq_layout* layout, lq_lpbq_scales** scales,
                                   lq_message* message);

// From an f32 weight, by the min-max calibration of `tool` (LQ_TOOL_AIMET_TORCH, ...: lanequant/c_calibrate.h).
LQ_EXPORT lq_status lq_lpbq_derive_of_weight(const lq_tensor* weight, const lq_lpbq_layout* layout, int32_t tool,
                                             const lq_bulk_options* options, lq_lpbq_scales** scales,
                                             lq_message* message);

// From a file's: int_scale, s32 [scale_shape], and channel_scale, f32 or f64 [scale_shape / block_grouping].
LQ_EXPORT lq_status lq_lpbq_make(const lq_lpbq_layout* layout, const lq_tensor* int_scale,
                                 const lq_tensor* channel_scale, lq_lpbq_scales** scales, lq_message* message);
LQ_EXPORT void lq_lpbq_free(lq_lpbq_scales* scales);

// What the handle holds; the memory is the handle's. Null gives nulls.
typedef struct lq_lpbq_view {
  size_t block_count, group_count;
  const uint32_t* int_scale;    // [block_count]
  const float* scale;           // [block_count], int_scale * channel_scale
  const double* channel_scale;  // [group_count]
  int32_t rank;
  int64_t group_shape[LQ_MAX_RANK];
} lq_lpbq_view;
LQ_EXPORT lq_lpbq_view lq_lpbq_look(const lq_lpbq_scales* scales);

// Weight (f32) -> codes: s2, s4 (packed), s8 or s16, whichever holds the bitwidth.
// profile: LQ_AIMET_DIV as aimet_torch, LQ_AIMET_ONNX as aimet_onnx.
LQ_EXPORT lq_status lq_lpbq_compress(const lq_tensor* weight, const lq_lpbq_scales* scales, int32_t profile,
                                     const lq_tensor* codes, const lq_bulk_options* options, lq_message* message);

// Codes -> s8: q * int_scale, for a decompressed_bitwidth up to 8; or f32: q * scale, AIMET's dequantized weight.
LQ_EXPORT lq_status lq_lpbq_expand(const lq_tensor* codes, const lq_lpbq_scales* scales, const lq_tensor* out,
                                   const lq_bulk_options* options, lq_message* message);

#ifdef __cplusplus
}
#endif

#endif  // LANEQUANT_C_LPBQ_H_
