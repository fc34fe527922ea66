#include "lanequant/float_quantize.h"

#include "lanequant/block_quantize.h"
#include "lanequant/c_float_quantize.h"
#include "runtime/c_api/arguments.h"
#include "runtime/c_api/bulk_call.h"
#include "runtime/c_api/call.h"
#include "runtime/status_macros.h"

using namespace lq;         // NOLINT(google-build-using-namespace): these functions are lq's, in C's only namespace
using namespace lq::c_api;  // NOLINT(google-build-using-namespace)

namespace {

Result<FloatFormat> ReadFormat(const lq_float_format& format) {
  LQ_RETURN_IF_ERROR(CheckEnum("finite", format.finite, 2));
  LQ_RETURN_IF_ERROR(CheckEnum("unsigned_zero", format.unsigned_zero, 2));
  return FloatFormat{format.exponent_bits, format.mantissa_bits, format.finite != 0, format.unsigned_zero != 0};
}

Result<FloatQuantizer> ReadQuantizer(const lq_float_quantizer* given) {
  LQ_ASSIGN_OR_RETURN(const lq_float_quantizer read, ReadStruct("quantizer", given));
  FloatQuantizer quantizer;
  LQ_ASSIGN_OR_RETURN(quantizer.format, ReadFormat(read.format));
  LQ_ASSIGN_OR_RETURN(quantizer.scale, ReadOptionalTensor("scale", read.scale));
  LQ_ASSIGN_OR_RETURN(quantizer.block_size, ReadSizes("block_size", read.block_size));
  LQ_RETURN_IF_ERROR(CheckEnum("overflows", read.overflows, 2));
  quantizer.saturate = read.overflows == 0;
  return quantizer;
}

BlockFormat MakeFormat(const lq_block_quantizer& read) {
  const auto element = static_cast<BlockElement>(read.element);
  const auto ties = static_cast<TieRounding>(read.ties);
  switch (read.format) {
    case LQ_ONNX_MX:
      return OnnxMx(element, ties);
    case LQ_TORCH_MX:
      return TorchMx(element, static_cast<BlockExponent>(read.exponent));
    case LQ_ONNX_BFP:
      return OnnxBfp(read.bit_width, ties);
    case LQ_ONNX_COMPILER_BFP:
      return OnnxCompilerBfp(ties);
    case LQ_ONNX_BFP_PRIME:
      return OnnxBfpPrime(read.bit_width, ties);
    case LQ_TORCH_BFP16:
      return TorchBfp16();
    default:
      return TorchMxPairs(read.bit_width, read.block_size);
  }
}

struct BlockQuantizer {
  BlockFormat format;
  int64_t axis;
};

Result<BlockQuantizer> ReadBlockQuantizer(const lq_block_quantizer* given) {
  LQ_ASSIGN_OR_RETURN(const lq_block_quantizer read, ReadStruct("quantizer", given));
  LQ_RETURN_IF_ERROR(CheckEnum("block format", read.format, 7));
  LQ_RETURN_IF_ERROR(CheckEnum("element", read.element, 6));
  LQ_RETURN_IF_ERROR(CheckEnum("exponent", read.exponent, 4));
  LQ_RETURN_IF_ERROR(CheckEnum("ties", read.ties, 3));
  if (read.bit_width < 0 || read.bit_width > 32) {
    return InvalidArgument("bit_width " + std::to_string(read.bit_width) + " is not in 0 to 32");
  }
  BlockFormat format = MakeFormat(read);
  if (read.block_size != 0) format.block_size = read.block_size;
  return BlockQuantizer{format, read.axis};
}

}  // namespace

lq_status lq_float_scale(const lq_float_format* format, float maxval, float* scale, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("format", format));
    LQ_RETURN_IF_ERROR(CheckPointer("scale", scale));
    LQ_ASSIGN_OR_RETURN(const FloatFormat read, ReadFormat(*format));
    LQ_ASSIGN_OR_RETURN(*scale, FloatScale(read, maxval));
    return OkStatus();
  });
}

lq_status lq_quantize_dequantize_float(const lq_tensor* in, const lq_float_quantizer* quantizer, const lq_tensor* out,
                                       const lq_bulk_options* options, lq_message* message) {
  return CallBulk<lq_float_quantizer>(QuantizeDequantizeFloat, ReadQuantizer,
                                      {"in", in, quantizer, "out", out, options}, message);
}

lq_status lq_quantize_float(const lq_tensor* in, const lq_float_quantizer* quantizer, const lq_tensor* codes,
                            const lq_bulk_options* options, lq_message* message) {
  return CallBulk<lq_float_quantizer>(QuantizeFloat, ReadQuantizer, {"in", in, quantizer, "codes", codes, options},
                                      message);
}

lq_status lq_dequantize_float(const lq_tensor* codes, const lq_float_quantizer* quantizer, const lq_tensor* out,
                              const lq_bulk_options* options, lq_message* message) {
  return CallBulk<lq_float_quantizer>(DequantizeFloat, ReadQuantizer, {"codes", codes, quantizer, "out", out, options},
                                      message);
}

lq_status lq_quantize_dequantize_blocks(const lq_tensor* in, const lq_block_quantizer* quantizer, const lq_tensor* out,
                                        const lq_bulk_options* options, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_ASSIGN_OR_RETURN(const TensorView from, ReadTensor("in", in));
    LQ_ASSIGN_OR_RETURN(const BlockQuantizer blocks, ReadBlockQuantizer(quantizer));
    LQ_ASSIGN_OR_RETURN(const TensorView to, ReadTensor("out", out));
    LQ_ASSIGN_OR_RETURN(const BulkOptions bulk, ReadBulkOptions(options));
    return QuantizeDequantizeBlocks(from, blocks.format, blocks.axis, to, bulk);
  });
}

lq_status lq_quantize_blocks(const lq_tensor* in, const lq_block_quantizer* quantizer, const lq_tensor* codes,
                             const lq_tensor* scales, const lq_bulk_options* options, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_ASSIGN_OR_RETURN(const TensorView from, ReadTensor("in", in));
    LQ_ASSIGN_OR_RETURN(const BlockQuantizer blocks, ReadBlockQuantizer(quantizer));
    LQ_ASSIGN_OR_RETURN(const TensorView to, ReadTensor("codes", codes));
    LQ_ASSIGN_OR_RETURN(const TensorView powers, ReadTensor("scales", scales));
    LQ_ASSIGN_OR_RETURN(const BulkOptions bulk, ReadBulkOptions(options));
    return QuantizeBlocks(from, blocks.format, blocks.axis, to, powers, bulk);
  });
}

lq_status lq_dequantize_blocks(const lq_tensor* codes, const lq_tensor* scales, const lq_block_quantizer* quantizer,
                               const lq_tensor* out, const lq_bulk_options* options, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_ASSIGN_OR_RETURN(const TensorView from, ReadTensor("codes", codes));
    LQ_ASSIGN_OR_RETURN(const TensorView powers, ReadTensor("scales", scales));
    LQ_ASSIGN_OR_RETURN(const BlockQuantizer blocks, ReadBlockQuantizer(quantizer));
    LQ_ASSIGN_OR_RETURN(const TensorView to, ReadTensor("out", out));
    LQ_ASSIGN_OR_RETURN(const BulkOptions bulk, ReadBulkOptions(options));
    return DequantizeBlocks(from, powers, blocks.format, blocks.axis, to, bulk);
  });
}
