// The affine quantizers of float64 tensors. AIMET simulates in float64 to have no rounding of its own: calls are rare
// and accuracy is what they are for, so plain loops serve, shared out over the executor like the kernels' calls.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_AFFINE_F64_H_
#define LANEQUANT_RUNTIME_QUANTIZE_AFFINE_F64_H_

#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// As the public functions of the same names, for float tensors of float64.
Status QuantizeF64(const ConstTensorView& in, const AffineQuantizer& quantizer, const TensorView& codes,
                   const BulkOptions& options);
Status DequantizeF64(const ConstTensorView& codes, const AffineQuantizer& quantizer, const TensorView& out,
                     const BulkOptions& options);
Status QuantizeDequantizeF64(const ConstTensorView& in, const AffineQuantizer& quantizer, const TensorView& out,
                             const BulkOptions& options);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_AFFINE_F64_H_
