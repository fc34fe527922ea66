// Calibration from C: batches in, encodings out. Numerics, shapes and errors: lanequant/calibrate.h.
#ifndef LANEQUANT_C_CALIBRATE_H_
#define LANEQUANT_C_CALIBRATE_H_

#include <stddef.h>
#include <stdint.h>

#include "lanequant/c_quantize.h"
#include "lanequant/c_types.h"
#include "lanequant/export.h"

#ifdef __cplusplus
extern "C" {
#endif

// As lq::CalibrationTool and lq::CalibrationScheme.
enum { LQ_TOOL_AIMET_TORCH = 0, LQ_TOOL_AIMET_ONNX = 1, LQ_TOOL_ONNXRUNTIME = 2, LQ_TOOL_QUARK_TORCH = 3 };
enum { LQ_MIN_MAX = 0, LQ_PERCENTILE = 1, LQ_SQNR = 2, LQ_TF_ENHANCED = 3, LQ_ENTROPY = 4, LQ_MSE = 5 };

typedef struct lq_analyzer_options {
  size_t struct_size;
  int32_t tool, scheme;
  int64_t qmin, qmax;                     // the grid
  int32_t symmetric, unsigned_symmetric;  // 0 or 1
  float zero_point_shift;
  double percentile;     // LQ_PERCENTILE: 50 to 100
  lq_sizes scale_shape;  // empty: one encoding for the whole tensor
  lq_sizes block_size;   // empty: scale_shape broadcasts
} lq_analyzer_options;

// A running statistic. Calls on one analyzer must not overlap, but those that take it const may.
typedef struct lq_analyzer lq_analyzer;

LQ_EXPORT lq_status lq_analyzer_create(const lq_analyzer_options* options, lq_analyzer** analyzer, lq_message* message);
LQ_EXPORT void lq_analyzer_free(lq_analyzer* analyzer);

// Adds a batch: f32, or f16 with LQ_MIN_MAX of aimet_torch. An error leaves the analyzer as it was.
LQ_EXPORT lq_status lq_analyzer_update(lq_analyzer* analyzer, const lq_tensor* batch, const lq_bulk_options* options,
                                       lq_message* message);

// Adds what `other`, of equal options, has seen.
LQ_EXPORT lq_status lq_analyzer_merge(lq_analyzer* analyzer, const lq_analyzer* other, lq_message* message);

// The caller's arrays of `count` numbers each, row-major in scale_shape. An array that is null is not written.
typedef struct lq_calibration {
  size_t struct_size;
  size_t count;  // the product of scale_shape
  double *min, *max, *scale, *offset;
} lq_calibration;

// The encodings of what came so far. Errors: nothing came; another count.
LQ_EXPORT lq_status lq_analyzer_compute(const lq_analyzer* analyzer, const lq_calibration* calibration,
                                        const lq_bulk_options* options, lq_message* message);

#ifdef __cplusplus
}
#endif

#endif  // LANEQUANT_C_CALIBRATE_H_
