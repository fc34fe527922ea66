#include "runtime/quantize/affine_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "runtime/quantize/bulk_checks.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int64_t kMaxCode = int64_t{1} << 32;

constexpr std::initializer_list<DType> kUnsigned = {DType::kU2, DType::kU4, DType::kU8, DType::kU16};
constexpr std::initializer_list<DType> kSigned = {DType::kS2, DType::kS4, DType::kS8, DType::kS16, DType::kS32};

bool IsIn(std::initializer_list<DType> types, DType dtype) {
  return std::find(types.begin(), types.end(), dtype) != types.end();
}

Status CheckCodeType(DType dtype) {
  if (IsIn(kUnsigned, dtype) || IsIn(kSigned, dtype)) return OkStatus();
  return InvalidArgument(
      fmt::format("codes: type {}, none of u2, s2, u4, s4, u8, s8, u16, s16 and s32", NameOf(dtype)));
}

Status CheckHoldsGrid(DType dtype, int64_t qmin, int64_t qmax) {
  const int64_t codes = int64_t{1} << BitsOf(dtype);
  const int64_t lowest = IsIn(kSigned, dtype) ? -codes / 2 : 0, highest = lowest + codes - 1;
  if (lowest <= qmin && qmax <= highest) return OkStatus();
  return InvalidArgument(fmt::format("codes: type {} holds {}..{}, not the grid of qmin {} and qmax {}", NameOf(dtype),
                                     lowest, highest, qmin, qmax));
}

// AIMET's functions take float64 tensors; ONNX's operators and aimet_onnx's do not.
Status CheckReals(const char* name, DType dtype, RoundingProfile profile) {
  if (dtype != DType::kF64) return CheckFloats(name, dtype);
  if (profile == RoundingProfile::kAimetDiv || profile == RoundingProfile::kAimetFakequant) return OkStatus();
  return Unsupported(fmt::format("{}: type f64; profile {} has f32, f16 and bf16 only", name,
                                 profile == RoundingProfile::kOnnx ? "onnx" : "aimet_onnx"));
}

// Scales and offsets of f64 would be rounded for tensors of narrower types: only those of f64 have them.
bool IsF64(const AffineTensors& tensors) { return tensors.in.dtype == DType::kF64 || tensors.out.dtype == DType::kF64; }

Status CheckTypes(const AffineTensors& tensors, const AffineQuantizer& quantizer) {
  switch (tensors.op) {
    case AffineOp::kQuantize:
      LQ_RETURN_IF_ERROR(CheckReals("in", tensors.in.dtype, quantizer.profile));
      LQ_RETURN_IF_ERROR(CheckCodeType(tensors.out.dtype));
      return CheckHoldsGrid(tensors.out.dtype, quantizer.qmin, quantizer.qmax);
    case AffineOp::kDequantize:
      LQ_RETURN_IF_ERROR(CheckCodeType(tensors.in.dtype));
      return CheckReals("out", tensors.out.dtype, quantizer.profile);
    case AffineOp::kQuantizeDequantize:
      break;
  }
  LQ_RETURN_IF_ERROR(CheckReals("in", tensors.in.dtype, quantizer.profile));
  if (tensors.in.dtype == tensors.out.dtype) return OkStatus();
  return InvalidArgument(
      fmt::format("out: type {}, but in has type {}", NameOf(tensors.out.dtype), NameOf(tensors.in.dtype)));
}

Status CheckGrid(const AffineQuantizer& quantizer) {
  if (quantizer.qmin >= quantizer.qmax) {
    return InvalidArgument(fmt::format("qmin {} is not below qmax {}", quantizer.qmin, quantizer.qmax));
  }
  if (quantizer.qmin >= -kMaxCode && quantizer.qmax <= kMaxCode) return OkStatus();
  return InvalidArgument(fmt::format("qmin {} or qmax {} is outside -2^32..2^32", quantizer.qmin, quantizer.qmax));
}

Status CheckShift(const AffineQuantizer& quantizer) {
  const float shift = quantizer.zero_point_shift;
  if (shift == 0.0f) return OkStatus();
  if (shift != 0.5f) return InvalidArgument(fmt::format("zero_point_shift is {}, neither 0 nor 0.5", shift));
  if (quantizer.profile != RoundingProfile::kOnnx) return OkStatus();
  return InvalidArgument(fmt::format("zero_point_shift is {}, but profile onnx has 0 only", shift));
}

// ONNX divides in the type of the scale: a tensor of another type would have to be rounded to it first.
Status CheckOnnxTypes(const AffineTensors& tensors, const AffineQuantizer& quantizer) {
  const bool divides = quantizer.profile == RoundingProfile::kOnnx && tensors.op != AffineOp::kDequantize;
  const DType scale = quantizer.scale.dtype, in = tensors.in.dtype;
  if (!divides || scale == DType::kF32 || scale == in) return OkStatus();
  return Unsupported(
      fmt::format("scale: type {} with in of type {}; profile onnx takes f32 or in's type", NameOf(scale), NameOf(in)));
}

}  // namespace

AffineNames NamesOf(AffineOp op) {
  switch (op) {
    case AffineOp::kQuantize:
      return {"in", "codes"};
    case AffineOp::kDequantize:
      return {"codes", "out"};
    case AffineOp::kQuantizeDequantize:
      break;
  }
  return {"in", "out"};
}

Status CheckAffineTensors(const AffineTensors& tensors, const AffineQuantizer& quantizer) {
  const AffineNames names = NamesOf(tensors.op);
  LQ_RETURN_IF_ERROR(CheckGrid(quantizer));
  LQ_RETURN_IF_ERROR(CheckTypes(tensors, quantizer));
  const bool in_place = tensors.op == AffineOp::kQuantizeDequantize;
  return CheckPair({names.in, tensors.in}, {names.out, tensors.out}, in_place);
}

Status CheckAffineQuantizer(const AffineTensors& tensors, const AffineQuantizer& quantizer) {
  LQ_RETURN_IF_ERROR(CheckShift(quantizer));
  const bool f64 = IsF64(tensors);
  if (!f64 || quantizer.scale.dtype != DType::kF64) LQ_RETURN_IF_ERROR(CheckFloats("scale", quantizer.scale.dtype));
  LQ_RETURN_IF_ERROR(CheckBytes("scale", quantizer.scale));
  LQ_RETURN_IF_ERROR(CheckOnnxTypes(tensors, quantizer));
  const ConstTensorView& offset = quantizer.offset;
  if (offset.bytes.empty()) return OkStatus();
  if (offset.dtype != DType::kS32 && offset.dtype != DType::kF32 && !(f64 && offset.dtype == DType::kF64)) {
    return InvalidArgument(fmt::format("offset: type {}, neither s32 nor f32", NameOf(offset.dtype)));
  }
  if (!(offset.shape == quantizer.scale.shape)) {
    return InvalidArgument(fmt::format("offset: shape {}, but scale has shape {}", offset.shape.ToString(),
                                       quantizer.scale.shape.ToString()));
  }
  return CheckBytes("offset", offset);
}

}  // namespace lq
