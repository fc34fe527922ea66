// What is left of quantizing to the codes of a float format once arguments are checked and scales are found.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_FLOAT_CODES_H_
#define LANEQUANT_RUNTIME_QUANTIZE_FLOAT_CODES_H_

#include "kernels/contracts_float.h"
#include "lanequant/quantize.h"
#include "lanequant/tensor.h"
#include "runtime/quantize/scale_map.h"

namespace lq {

struct FloatScales {
  const ScaleMap& map;
  const float* scale;

  kernels::AffineLayout Layout(const ScalePiece& piece) const {
    return {scale + piece.first, nullptr, piece.count, piece.run};
  }
};

// `rule`: grid, code, arithmetic and zero_point; its other fields are set here, piece by piece.
void WriteFloatCodes(const ConstTensorView& in, const kernels::QuantizeFloatArgs& rule, const FloatScales& scales,
                     const TensorView& codes, const BulkOptions& options);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_FLOAT_CODES_H_
