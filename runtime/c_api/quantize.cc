#include "lanequant/quantize.h"

#include "lanequant/c_quantize.h"
#include "runtime/c_api/arguments.h"
#include "runtime/c_api/bulk_call.h"
#include "runtime/status_macros.h"

using namespace lq;         // NOLINT(google-build-using-namespace): these functions are lq's, in C's only namespace
using namespace lq::c_api;  // NOLINT(google-build-using-namespace)

namespace {

Result<AffineQuantizer> ReadQuantizer(const lq_affine_quantizer* given) {
  LQ_ASSIGN_OR_RETURN(const lq_affine_quantizer read, ReadStruct("quantizer", given));
  AffineQuantizer quantizer;
  LQ_ASSIGN_OR_RETURN(quantizer.scale, ReadTensor("scale", read.scale));
  LQ_ASSIGN_OR_RETURN(quantizer.offset, ReadOptionalTensor("offset", read.offset));
  LQ_ASSIGN_OR_RETURN(quantizer.block_size, ReadSizes("block_size", read.block_size));
  LQ_ASSIGN_OR_RETURN(quantizer.profile, ReadProfile(read.profile));
  quantizer.qmin = read.qmin;
  quantizer.qmax = read.qmax;
  quantizer.zero_point_shift = read.zero_point_shift;
  return quantizer;
}

}  // namespace

lq_status lq_quantize(const lq_tensor* in, const lq_affine_quantizer* quantizer, const lq_tensor* codes,
                      const lq_bulk_options* options, lq_message* message) {
  return CallBulk<lq_affine_quantizer>(Quantize, ReadQuantizer, {"in", in, quantizer, "codes", codes, options},
                                       message);
}

lq_status lq_dequantize(const lq_tensor* codes, const lq_affine_quantizer* quantizer, const lq_tensor* out,
                        const lq_bulk_options* options, lq_message* message) {
  return CallBulk<lq_affine_quantizer>(Dequantize, ReadQuantizer, {"codes", codes, quantizer, "out", out, options},
                                       message);
}

lq_status lq_quantize_dequantize(const lq_tensor* in, const lq_affine_quantizer* quantizer, const lq_tensor* out,
                                 const lq_bulk_options* options, lq_message* message) {
  return CallBulk<lq_affine_quantizer>(QuantizeDequantize, ReadQuantizer, {"in", in, quantizer, "out", out, options},
                                       message);
}
