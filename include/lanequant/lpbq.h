// LPBQ: blockwise scales that are small integers times one float per group (AIMET GroupedBlockQuantizeDequantize, in
// aimet_onnx QSpec.lpbq). Codes q of `bitwidth` bits, signed and symmetric:
//   real = q * scale[block],   scale[block] = int_scale[block] * channel_scale[group],   int_scale in 1..2^k
// with k = decompressed_bitwidth - bitwidth, so that q * int_scale lies on the signed grid of decompressed_bitwidth.
#ifndef LANEQUANT_LPBQ_H_
#define LANEQUANT_LPBQ_H_

#include <cstdint>
#include <vector>

#include "lanequant/calibrate.h"
#include "lanequant/encoding.h"
#include "lanequant/export.h"
#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// How a weight is cut. One entry for each dimension of scale_shape: block_size is in elements (-1: the dimension
// divided by the number of scales), block_grouping in blocks (-1: all of that dimension; empty: 1 each, no sharing).
struct LpbqLayout {
  int bitwidth = 4, decompressed_bitwidth = 8;  // 2..16, bitwidth <= decompressed_bitwidth <= bitwidth + 16
  Shape scale_shape;
  std::vector<int64_t> block_size, block_grouping;
};

struct LpbqScales {
  LpbqLayout layout;
  Shape group_shape;                  // scale_shape / block_grouping
  std::vector<uint32_t> int_scale;    // [scale_shape], AIMET's per_block_int_scale
  std::vector<double> channel_scale;  // [group_shape], AIMET's per_channel_float_scale; of aimet_torch float32 numbers
  std::vector<float> scale;           // [scale_shape], int_scale * channel_scale in the tool's type, then float32
};

// `raw_scale` is what the blocks would have by themselves, [scale_shape]: f32 computes in float32 as aimet_torch, f64
// in float64 as aimet_onnx. channel_scale = largest of the group / 2^k, int_scale = clamp(rint(raw / channel_scale), 1,
// 2^k). Errors: groups that do not divide the blocks, a raw scale that is not finite or not above 0.
LQ_EXPORT Result<LpbqScales> DeriveLpbq(const ConstTensorView& raw_scale, const LpbqLayout& layout);

// The same from an f32 weight: raw scales by the tool's min-max calibration on the grid of `bitwidth` bits.
LQ_EXPORT Result<LpbqScales> DeriveLpbqOfWeight(const ConstTensorView& weight, const LpbqLayout& layout,
                                                CalibrationTool tool, const BulkOptions& bulk = {});

// Scales as a file has them (encodings 1.0.0 and 2.x): int_scale [scale_shape] and channel_scale [group_shape].
// Errors: sizes, integer scales outside 1..2^k, channel scales that are not finite or not above 0.
LQ_EXPORT Result<LpbqScales> MakeLpbqScales(const LpbqLayout& layout, std::vector<uint32_t> int_scale,
                                            std::vector<double> channel_scale);

// Weight (f32) -> codes of its shape: s2 or s4 (packed), s8 or s16, whichever holds `bitwidth` bits. `profile`: how the
// weight is divided by `scale` and rounded; kAimetDiv as aimet_torch, kAimetOnnx as aimet_onnx.
LQ_EXPORT Status LpbqCompress(const ConstTensorView& weight, const LpbqScales& scales, RoundingProfile profile,
                              const TensorView& codes, const BulkOptions& bulk = {});

// Codes (s2, s4, s8 or s16) -> s8: q * int_scale, for decompressed_bitwidth <= 8; or f32: fl32(q * scale), AIMET's
// dequantized weight.
LQ_EXPORT Status LpbqExpand(const ConstTensorView& codes, const LpbqScales& scales, const TensorView& out,
                            const BulkOptions& bulk = {});

}  // namespace lq

#endif  // LANEQUANT_LPBQ_H_
