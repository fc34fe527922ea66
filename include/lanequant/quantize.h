// Bulk affine quantizers: whole tensors to integer codes, back to reals, or to codes and back in one pass.
//   real = (q + offset + zero_point_shift) * scale,   q a whole number of [qmin, qmax]
// Every code and every float has the bits of the tool that the profile names, on every CPU and for any number of
// threads.
#ifndef LANEQUANT_QUANTIZE_H_
#define LANEQUANT_QUANTIZE_H_

#include <cstdint>
#include <span>
#include <string>

#include "lanequant/encoding.h"
#include "lanequant/executor.h"
#include "lanequant/export.h"
#include "lanequant/status.h"
#include "lanequant/target.h"
#include "lanequant/tensor.h"

namespace lq {

// A grid with the scales that belong to parts of a tensor. Everything it points to belongs to the caller.
//
// Which scale an element uses (AIMET's rule, dimensions counted from the last; a scale has no more than the tensor):
// - block_size empty: the scale's shape broadcasts over the tensor: () or (1) for the whole tensor, (c, 1, 1, 1) for
//   the first dimension of four, (c) for the last one.
// - block_size of one number b for each dimension of the scale: b consecutive indices share a scale, and
//   b * scale dimension = tensor dimension; -1 stands for tensor dimension / scale dimension. Leading dimensions that
//   the scale does not have share it. No block is ever cut short.
//
// The arithmetic (AIMET 2: affine.quantize, affine.dequantize, affine.quantize_dequantize; ONNX: QuantizeLinear,
// DequantizeLinear) rounds every step to one type:
// - kAimetDiv: the tensor's own type where it is fine enough for the grid (f16 up to 257 codes, bf16 up to 33, f32 up
//   to 2^21 + 1), else f32, else f64. Dequantize: the output's type.
// - kAimetFakequant, kAimetOnnx: f32. As AIMET, kAimetFakequant divides (kAimetDiv) where torch.fake_quantize does not
//   apply: under block_size, scales along several dimensions, a shift, an offset off the grid of one of several
//   channels. On tensors of f64 it computes in f64 with 1 / scale of f32, but the product of one scale is of f32.
// - kOnnx: the type of `scale` for the division, f32 for the product.
// Tensors of f64 (simulations in double precision) are for kAimetDiv and kAimetFakequant and run at the speed of plain
// loops.
struct AffineQuantizer {
  // f32, f16 or bf16, for tensors of f64 also f64; finite, > 0 (kOnnx: not 0), also when rounded to the type above
  ConstTensorView scale;
  // s32, or whole numbers of s32 as f32, for tensors of f64 also as f64; the shape of `scale`. No bytes: 0 everywhere
  ConstTensorView offset;
  std::span<const int64_t> block_size;
  int64_t qmin = 0, qmax = 255;   // qmin < qmax, both within 2^32; Dequantize does not look at them
  float zero_point_shift = 0.0f;  // 0 or 0.5 (AIMET, for 2-bit weights); kOnnx: 0
  RoundingProfile profile = RoundingProfile::kAimetDiv;
};

struct BulkOptions {
  Executor* executor = nullptr;           // nullptr: everything on the caller
  std::string max_isa = DefaultMaxIsa();  // the best target to use, as in PrepareOptions
};

// All three take tensors of 0 to 8 dimensions, copy none of them and write nothing if they return an error. `in` and
// `out` have one shape and do not overlap, but QuantizeDequantize may work in place.
// Errors (kInvalidArgument names the argument and the numbers): shapes that differ, overflow or do not fit the scale;
// types other than those named; bytes that do not hold a tensor; scales, offsets or a grid that AffineQuantizer
// excludes.

// in: f32, f64, f16 or bf16. codes: u2, s2, u4, s4, u8, s8, u16, s16 or s32, a type that holds the grid.
// NaN -> qmin; infinities saturate (torch.fake_quantize with several scales leaves +infinity to the CPU: qmax on Arm,
// qmin on x86).
LQ_EXPORT Status Quantize(const ConstTensorView& in, const AffineQuantizer& quantizer, const TensorView& codes,
                          const BulkOptions& options = {});

// codes: as above. out: f32, f64, f16 or bf16.
LQ_EXPORT Status Dequantize(const ConstTensorView& codes, const AffineQuantizer& quantizer, const TensorView& out,
                            const BulkOptions& options = {});

// in: f32, f64, f16 or bf16. out: the same type.
// NaN stays NaN under kAimetDiv and gives the real value of qmin under the others. No zero of the output is negative,
// unless a scale is.
LQ_EXPORT Status QuantizeDequantize(const ConstTensorView& in, const AffineQuantizer& quantizer, const TensorView& out,
                                    const BulkOptions& options = {});

// Signed symmetric codes with a scale for each block of elements along the last dimension, found from the data in the
// same pass: scale = min(largest |x|, FLT_MAX) / qmax, 1 where that is 0; q = clamp(rint(x / scale), -qmax, qmax), each
// step rounded to f32; qmax is 127 for s8, 7 for s4. Dequantize with `scales` and this block size gives the values. NaN
// does not count for the scale, its code is -qmax.
// in: f32. block_size: 32 or 64, divides the last dimension. codes: s8 or s4, the shape of `in`. scales: f32, the shape
// of `in` with one for each block. They do not overlap. Errors: as above.
LQ_EXPORT Status QuantizeDynamic(const ConstTensorView& in, int64_t block_size, const TensorView& codes,
                                 const TensorView& scales, const BulkOptions& options = {});

}  // namespace lq

#endif  // LANEQUANT_QUANTIZE_H_
