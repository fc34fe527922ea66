// The scales and offsets of one call as kernels take them: checked, and rounded to the type of the arithmetic.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_AFFINE_TABLE_H_
#define LANEQUANT_RUNTIME_QUANTIZE_AFFINE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/contracts_quantize.h"
#include "lanequant/executor.h"
#include "lanequant/quantize.h"
#include "lanequant/status.h"

namespace lq {

class AffineTable {
 public:
  // Reads quantizer.scale and .offset, whose types, shapes and bytes have been checked. The caller's memory is used as
  // it is where it holds what kernels read; else the table has a copy.
  // Errors: scales that are 0 or not finite, or become so in the arithmetic's type; negative ones but for kOnnx;
  // offsets that are no whole numbers of int32, or that take codes of the grid out of +-2^24, where float32 has gaps
  // (kF64: out of int32).
  static Result<AffineTable> Make(const AffineQuantizer& quantizer, kernels::Arithmetic arithmetic, Executor& executor);

  const float* scale() const { return scale_.empty() ? scale_view_ : scale_.data(); }
  // nullptr: all offsets are 0.
  const int32_t* offset() const { return offset_.empty() ? offset_view_ : offset_.data(); }

 private:
  Status ReadScales(const AffineQuantizer& quantizer, kernels::Arithmetic arithmetic, Executor& executor);
  Status ReadOffsets(const AffineQuantizer& quantizer, kernels::Arithmetic arithmetic, Executor& executor);

  const float* scale_view_ = nullptr;
  const int32_t* offset_view_ = nullptr;
  std::vector<float> scale_;
  std::vector<int32_t> offset_;
};

// One value of a checked view: f32, f64, f16 or bf16; s32, f32 or f64.
double ScaleAt(const ConstTensorView& scale, size_t i);
double OffsetAt(const ConstTensorView& offset, size_t i);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_AFFINE_TABLE_H_
