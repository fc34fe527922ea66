// The bulk affine quantizers: each prepares one set of kernel arguments and runs it on every piece of the tensor.
#include <array>

#include "lanequant/quantize.h"
#include "runtime/quantize/affine_f64.h"
#include "runtime/quantize/affine_setup.h"
#include "runtime/quantize/bulk_tasks.h"
#include "runtime/quantize/packed_codes.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {
namespace {

using kernels::CodeType;

constexpr size_t kShortPiece = 512;
using ShortCodes = std::array<uint8_t, kShortPiece>;

bool IsSigned(CodeType type) { return type == CodeType::kS4 || type == CodeType::kS2; }
CodeType ByteType(CodeType packed) { return IsSigned(packed) ? CodeType::kS8 : CodeType::kU8; }

}  // namespace

Status Quantize(const ConstTensorView& in, const AffineQuantizer& quantizer, const TensorView& codes,
                const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  if (in.dtype == DType::kF64) return QuantizeF64(in, quantizer, codes, options);
  LQ_ASSIGN_OR_RETURN(const AffineSetup setup,
                      MakeAffineSetup({AffineOp::kQuantize, in, codes}, quantizer, ExecutorOf(options)));
  const auto run = Best(kernels::QuantizeAffineVariants(), options.max_isa).run;
  const CodeType type = CodeTypeOf(codes.dtype);
  const size_t in_bytes = SizeOf(in.dtype), bits = BitsOf(codes.dtype);
  const auto run_piece = [&](const ScalePiece& piece, CodeType out_type, void* out) {
    run({.in = in.bytes.data() + piece.begin * in_bytes,
         .in_type = FloatTypeOf(in.dtype),
         .n = piece.n,
         .layout = setup.Layout(piece),
         .shift = quantizer.zero_point_shift,
         .qmin = quantizer.qmin,
         .qmax = quantizer.qmax,
         .profile = setup.profile,
         .arithmetic = setup.arithmetic,
         .type = out_type,
         .out = out,
         .stream = setup.stream && out_type == type});
  };
  ForEachTask(setup.map, options, [&](Range range) {
    ForEachCodePiece(setup.map, range, bits, [&](const ScalePiece& piece, bool direct) {
      if (direct) return run_piece(piece, type, codes.bytes.data() + piece.begin * bits / 8);
      ShortCodes bytes;
      run_piece(piece, ByteType(type), bytes.data());
      PackCodes(bytes.data(), piece.n, piece.begin, bits, codes.data<uint8_t>());
    });
  });
  return OkStatus();
}

Status Dequantize(const ConstTensorView& codes, const AffineQuantizer& quantizer, const TensorView& out,
                  const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  if (out.dtype == DType::kF64) return DequantizeF64(codes, quantizer, out, options);
  LQ_ASSIGN_OR_RETURN(const AffineSetup setup,
                      MakeAffineSetup({AffineOp::kDequantize, codes, out}, quantizer, ExecutorOf(options)));
  const auto run = Best(kernels::DequantizeAffineVariants(), options.max_isa).run;
  const CodeType type = CodeTypeOf(codes.dtype);
  const size_t out_bytes = SizeOf(out.dtype), bits = BitsOf(codes.dtype);
  const auto run_piece = [&](const ScalePiece& piece, CodeType in_type, const void* in) {
    run({.in = in,
         .type = in_type,
         .n = piece.n,
         .layout = setup.Layout(piece),
         .shift = quantizer.zero_point_shift,
         .arithmetic = setup.arithmetic,
         .out = out.bytes.data() + piece.begin * out_bytes,
         .out_type = FloatTypeOf(out.dtype),
         .stream = setup.stream});
  };
  ForEachTask(setup.map, options, [&](Range range) {
    ForEachCodePiece(setup.map, range, bits, [&](const ScalePiece& piece, bool direct) {
      if (direct) return run_piece(piece, type, codes.bytes.data() + piece.begin * bits / 8);
      ShortCodes bytes;
      UnpackCodes(codes.data<uint8_t>(), piece.begin, piece.n, bits, IsSigned(type), bytes.data());
      run_piece(piece, ByteType(type), bytes.data());
    });
  });
  return OkStatus();
}

Status QuantizeDequantize(const ConstTensorView& in, const AffineQuantizer& quantizer, const TensorView& out,
                          const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  if (in.dtype == DType::kF64) return QuantizeDequantizeF64(in, quantizer, out, options);
  LQ_ASSIGN_OR_RETURN(const AffineSetup setup,
                      MakeAffineSetup({AffineOp::kQuantizeDequantize, in, out}, quantizer, ExecutorOf(options)));
  const auto run = Best(kernels::QuantizeDequantizeAffineVariants(), options.max_isa).run;
  const size_t element_bytes = SizeOf(in.dtype);
  ForEachTask(setup.map, options, [&](Range range) {
    for (size_t i = range.begin; i < range.end;) {
      const ScalePiece piece = setup.map.At(i, range.end);
      run({.in = in.bytes.data() + i * element_bytes,
           .out = out.bytes.data() + i * element_bytes,
           .type = FloatTypeOf(in.dtype),
           .n = piece.n,
           .layout = setup.Layout(piece),
           .shift = quantizer.zero_point_shift,
           .qmin = quantizer.qmin,
           .qmax = quantizer.qmax,
           .profile = setup.profile,
           .arithmetic = setup.arithmetic,
           .stream = setup.stream});
      i += piece.n;
    }
  });
  return OkStatus();
}

}  // namespace lq
