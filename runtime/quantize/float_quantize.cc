// The bulk float quantizers: each checks its arguments, then runs one kernel on every piece of the tensor.
#include "lanequant/float_quantize.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "runtime/quantize/affine_arithmetic.h"
#include "runtime/quantize/affine_setup.h"
#include "runtime/quantize/affine_table.h"
#include "runtime/quantize/bulk_checks.h"
#include "runtime/quantize/bulk_tasks.h"
#include "runtime/quantize/float_codes.h"
#include "runtime/quantize/float_format.h"
#include "runtime/quantize/packed_codes.h"
#include "runtime/quantize/scale_map.h"
#include "runtime/quantize/six_bit_codes.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {

namespace {

using kernels::Arithmetic;

constexpr float kOne = 1.0f;
constexpr size_t kPieceBytes = 512;

// Scales, and which element uses which.
struct Scales {
  ScaleMap map;
  AffineTable table;

  kernels::AffineLayout Layout(const ScalePiece& piece) const {
    return {table.scale() + piece.first, nullptr, piece.count, piece.run};
  }
};

Result<Scales> MakeScales(const char* name, const Shape& shape, const FloatQuantizer& quantizer,
                          const BulkOptions& options) {
  AffineQuantizer affine;
  affine.scale = quantizer.scale;
  affine.block_size = quantizer.block_size;
  if (quantizer.scale.bytes.empty()) {
    if (!quantizer.block_size.empty()) {
      return InvalidArgument(fmt::format("block_size: {} numbers, but there is no scale", quantizer.block_size.size()));
    }
    affine.scale = {DType::kF32, Shape(), std::as_bytes(std::span(&kOne, 1))};
  }
  LQ_RETURN_IF_ERROR(CheckFloats("scale", affine.scale.dtype));
  LQ_RETURN_IF_ERROR(CheckBytes("scale", affine.scale));
  LQ_ASSIGN_OR_RETURN(const ScaleMap map, ScaleMap::Make(name, shape, affine.scale.shape, affine.block_size));
  LQ_ASSIGN_OR_RETURN(AffineTable table, AffineTable::Make(affine, Arithmetic::kF32, ExecutorOf(options)));
  return Scales{map, std::move(table)};
}

bool HasScaleWithDimensions(const FloatQuantizer& quantizer) {
  return !quantizer.scale.bytes.empty() && quantizer.scale.shape.rank() != 0;
}

// PyTorch: a scale of rank 0 leaves the type of the tensor, any other makes it f32.
Result<Arithmetic> QuantizeDequantizeArithmetic(const ConstTensorView& in, const FloatQuantizer& quantizer,
                                                const FormatNumbers& numbers) {
  if (HasScaleWithDimensions(quantizer)) return Arithmetic::kF32;
  const Arithmetic arithmetic = ArithmeticOf(in.dtype);
  const bool clamps = quantizer.saturate || numbers.by_formula;
  if (arithmetic == Arithmetic::kF16 && clamps && std::isinf(RoundTo(arithmetic, numbers.largest))) {
    return InvalidArgument(fmt::format(
        "format: the largest value of {} is {}, beyond the 65504 of f16, in which a scale without dimensions "
        "computes",
        NameOf(quantizer.format), numbers.largest));
  }
  return arithmetic;
}

Status CheckCodes(const TensorView& codes, const FloatFormat& format) {
  LQ_RETURN_IF_ERROR(NumbersOf(format).status());
  if (!HasCodes(format)) {
    return Unsupported(fmt::format("format: {} has no codes of 4, 6 or 8 bits", NameOf(format)));
  }
  const bool four = format.bits() == 4, six = format.bits() == 6;
  const bool packed = (codes.dtype == DType::kU4 && four) || (codes.dtype == DType::kU6 && six);
  if (codes.dtype == DType::kU8 || packed) return OkStatus();
  return InvalidArgument(fmt::format("codes: type {}, but {} takes u8{}", NameOf(codes.dtype), NameOf(format),
                                     four  ? " or u4"
                                     : six ? " or u6"
                                           : ""));
}

}  // namespace

Status QuantizeDequantizeFloat(const ConstTensorView& in, const FloatQuantizer& quantizer, const TensorView& out,
                               const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_ASSIGN_OR_RETURN(const FormatNumbers numbers, NumbersOf(quantizer.format));
  LQ_RETURN_IF_ERROR(CheckFloats("in", in.dtype));
  LQ_RETURN_IF_ERROR(CheckPair({"in", in}, {"out", out}, true));
  LQ_ASSIGN_OR_RETURN(const Arithmetic arithmetic, QuantizeDequantizeArithmetic(in, quantizer, numbers));
  if (out.dtype != in.dtype && (out.dtype != DType::kF32 || !HasScaleWithDimensions(quantizer))) {
    return InvalidArgument(fmt::format("out: type {}, but in has type {}{}", NameOf(out.dtype), NameOf(in.dtype),
                                       out.dtype == DType::kF32 ? " and the scale no dimensions" : ""));
  }
  LQ_ASSIGN_OR_RETURN(const Scales scales, MakeScales("in", in.shape, quantizer, options));
  CarryTable carry;
  kernels::QuantizeDequantizeFloatArgs common{};
  common.in_type = FloatTypeOf(in.dtype);
  common.grid = GridOf(quantizer.format, quantizer.saturate, arithmetic, carry);
  common.arithmetic = arithmetic;
  common.out_type = FloatTypeOf(out.dtype);
  common.stream = IsWorthStreaming(in, out);
  const auto run = Best(kernels::QuantizeDequantizeFloatVariants(), options.max_isa).run;
  ForEachTask(scales.map, options, [&](Range range) {
    for (size_t i = range.begin; i < range.end;) {
      const ScalePiece piece = scales.map.At(i, range.end);
      kernels::QuantizeDequantizeFloatArgs args = common;
      args.in = in.bytes.data() + i * SizeOf(in.dtype);
      args.n = piece.n;
      args.layout = scales.Layout(piece);
      args.out = out.bytes.data() + i * SizeOf(out.dtype);
      run(args);
      i += piece.n;
    }
  });
  return OkStatus();
}

void WriteFloatCodes(const ConstTensorView& in, const kernels::QuantizeFloatArgs& rule, const FloatScales& scales,
                     const TensorView& codes, const BulkOptions& options) {
  const bool streams = IsWorthStreaming(in, codes);
  const auto run = Best(kernels::QuantizeFloatVariants(), options.max_isa).run;
  const auto run_piece = [&](const ScalePiece& piece, bool packed, uint8_t* out, bool stream) {
    kernels::QuantizeFloatArgs args = rule;
    args.in = in.bytes.data() + piece.begin * SizeOf(in.dtype);
    args.in_type = FloatTypeOf(in.dtype);
    args.n = piece.n;
    args.layout = scales.Layout(piece);
    args.packed = packed;
    args.out = out;
    args.stream = stream;
    run(args);
  };
  const size_t bits = BitsOf(codes.dtype);
  if (codes.dtype == DType::kU6) {
    return ForEachTask(scales.map, options, [&](Range range) {
      ForEachSixBitChunk(range, [&](Range chunk) {
        SixBitChunk bytes;
        ForEachPiece(scales.map, chunk, [&](const ScalePiece& piece) {
          run_piece(piece, false, &bytes[piece.begin - chunk.begin], false);
        });
        PackSixBits(bytes.data(), chunk.end - chunk.begin, codes.data<uint8_t>() + chunk.begin / 4 * 3);
      });
    });
  }
  ForEachTask(scales.map, options, [&](Range range) {
    ForEachCodePiece(scales.map, range, bits, [&](const ScalePiece& piece, bool direct) {
      if (direct) return run_piece(piece, bits == 4, codes.data<uint8_t>() + piece.begin * bits / 8, streams);
      std::array<uint8_t, kPieceBytes> bytes;
      run_piece(piece, false, bytes.data(), false);
      PackCodes(bytes.data(), piece.n, piece.begin, bits, codes.data<uint8_t>());
    });
  });
}

Status QuantizeFloat(const ConstTensorView& in, const FloatQuantizer& quantizer, const TensorView& codes,
                     const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(CheckCodes(codes, quantizer.format));
  LQ_RETURN_IF_ERROR(CheckFloats("in", in.dtype));
  LQ_RETURN_IF_ERROR(CheckPair({"in", in}, {"codes", codes}, false));
  LQ_ASSIGN_OR_RETURN(const Scales scales, MakeScales("in", in.shape, quantizer, options));
  const bool has_scale = !quantizer.scale.bytes.empty();
  CarryTable carry;
  kernels::QuantizeFloatArgs rule{};
  rule.arithmetic = has_scale && quantizer.scale.dtype == in.dtype ? ArithmeticOf(in.dtype) : Arithmetic::kF32;
  rule.grid = GridOf(quantizer.format, quantizer.saturate, Arithmetic::kF32, carry);
  rule.code = CodeOf(quantizer.format);
  rule.zero_point = has_scale && quantizer.format == kFloat4E2M1Fn;
  WriteFloatCodes(in, rule, {scales.map, scales.table.scale()}, codes, options);
  return OkStatus();
}

Status DequantizeFloat(const ConstTensorView& codes, const FloatQuantizer& quantizer, const TensorView& out,
                       const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(CheckCodes({codes.dtype, codes.shape, {}}, quantizer.format));
  LQ_RETURN_IF_ERROR(CheckFloats("out", out.dtype));
  LQ_RETURN_IF_ERROR(CheckPair({"codes", codes}, {"out", out}, false));
  LQ_ASSIGN_OR_RETURN(const Scales scales, MakeScales("codes", codes.shape, quantizer, options));
  kernels::DequantizeFloatArgs common{};
  common.mantissa_bits = quantizer.format.mantissa_bits, common.unsigned_zero = quantizer.format.unsigned_zero;
  common.code = CodeOf(quantizer.format), common.out_type = FloatTypeOf(out.dtype);
  common.stream = IsWorthStreaming(codes, out);
  const auto run = Best(kernels::DequantizeFloatVariants(), options.max_isa).run;
  const auto run_piece = [&](const ScalePiece& piece, bool packed, const uint8_t* in) {
    kernels::DequantizeFloatArgs args = common;
    args.in = in;
    args.packed = packed;
    args.n = piece.n;
    args.layout = scales.Layout(piece);
    args.out = out.bytes.data() + piece.begin * SizeOf(out.dtype);
    run(args);
  };
  const size_t bits = BitsOf(codes.dtype);
  ForEachTask(scales.map, options, [&](Range range) {
    if (codes.dtype == DType::kU6) {
      return ForEachSixBitChunk(range, [&](Range chunk) {
        SixBitChunk bytes;
        UnpackSixBits(codes.data<uint8_t>() + chunk.begin / 4 * 3, chunk.end - chunk.begin, bytes.data());
        ForEachPiece(scales.map, chunk,
                     [&](const ScalePiece& piece) { run_piece(piece, false, &bytes[piece.begin - chunk.begin]); });
      });
    }
    ForEachCodePiece(scales.map, range, bits, [&](const ScalePiece& piece, bool direct) {
      if (direct) return run_piece(piece, bits == 4, codes.data<uint8_t>() + piece.begin * bits / 8);
      std::array<uint8_t, kPieceBytes> bytes;
      UnpackCodes(codes.data<uint8_t>(), piece.begin, piece.n, bits, false, bytes.data());
      run_piece(piece, false, bytes.data());
    });
  });
  return OkStatus();
}

}  // namespace lq
