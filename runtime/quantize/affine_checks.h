// What a call of a bulk affine quantizer may not be given. Every error names the argument and both numbers.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_AFFINE_CHECKS_H_
#define LANEQUANT_RUNTIME_QUANTIZE_AFFINE_CHECKS_H_

#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "runtime/quantize/affine_setup.h"

namespace lq {

// The tensors' names as public arguments.
struct AffineNames {
  const char *in, *out;
};
AffineNames NamesOf(AffineOp op);

// Types (codes that cannot hold the grid included), one shape, enough bytes, no overlap.
Status CheckAffineTensors(const AffineTensors& tensors, const AffineQuantizer& quantizer);

// The grid, the shift, types, shapes and bytes of scale and offset; not their values, nor whether they fit the tensor.
Status CheckAffineQuantizer(const AffineTensors& tensors, const AffineQuantizer& quantizer);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_AFFINE_CHECKS_H_
