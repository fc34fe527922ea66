#include "runtime/quantize/affine_setup.h"

#include <algorithm>
#include <utility>

#include "runtime/quantize/affine_arithmetic.h"
#include "runtime/quantize/affine_checks.h"
#include "runtime/quantize/bulk_tasks.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

using kernels::Arithmetic;

// torch.fake_quantize knows one scale, or one for each index of one dimension, and in the latter case only zero points
// on the grid. AIMET divides everywhere else.
bool FakequantApplies(const AffineQuantizer& quantizer) {
  const Shape& shape = quantizer.scale.shape;
  if (!quantizer.block_size.empty() || quantizer.zero_point_shift != 0.0f) return false;
  if (std::count_if(shape.dims().begin(), shape.dims().end(), [](int64_t dim) { return dim != 1; }) > 1) return false;
  const int64_t scales = shape.NumElements();
  if (scales == 1) return true;
  if (quantizer.offset.bytes.empty()) return quantizer.qmin <= 0 && quantizer.qmax >= 0;
  for (int64_t i = 0; i < scales; ++i) {
    const double zero_point = -OffsetAt(quantizer.offset, static_cast<size_t>(i));
    if (zero_point < static_cast<double>(quantizer.qmin) || zero_point > static_cast<double>(quantizer.qmax)) {
      return false;
    }
  }
  return true;
}

Arithmetic ChooseArithmetic(const AffineTensors& tensors, const AffineQuantizer& quantizer, RoundingProfile profile) {
  const bool dequantize = tensors.op == AffineOp::kDequantize;
  switch (profile) {
    case RoundingProfile::kAimetDiv:
      return dequantize ? ArithmeticOf(tensors.out.dtype)
                        : DivisionArithmetic(tensors.in.dtype, quantizer.qmin, quantizer.qmax);
    case RoundingProfile::kOnnx:
      return dequantize ? Arithmetic::kF32 : ArithmeticOf(quantizer.scale.dtype);
    case RoundingProfile::kAimetFakequant:
    case RoundingProfile::kAimetOnnx:
      break;
  }
  return Arithmetic::kF32;
}

}  // namespace

RoundingProfile FormulaOf(const AffineQuantizer& quantizer) {
  const bool divides = quantizer.profile == RoundingProfile::kAimetFakequant && !FakequantApplies(quantizer);
  return divides ? RoundingProfile::kAimetDiv : quantizer.profile;
}

Result<AffineSetup> MakeAffineSetup(const AffineTensors& tensors, const AffineQuantizer& quantizer,
                                    Executor& executor) {
  LQ_RETURN_IF_ERROR(CheckAffineTensors(tensors, quantizer));
  LQ_RETURN_IF_ERROR(CheckAffineQuantizer(tensors, quantizer));
  const char* name = NamesOf(tensors.op).in;
  LQ_ASSIGN_OR_RETURN(ScaleMap map,
                      ScaleMap::Make(name, tensors.in.shape, quantizer.scale.shape, quantizer.block_size));
  const RoundingProfile profile = FormulaOf(quantizer);
  const Arithmetic arithmetic = ChooseArithmetic(tensors, quantizer, profile);
  LQ_ASSIGN_OR_RETURN(AffineTable table, AffineTable::Make(quantizer, arithmetic, executor));
  std::vector<int32_t> zeros;
  if (table.offset() == nullptr) zeros.resize(std::min(map.scales(), MaxScalesOfTask(map)));
  return AffineSetup{profile,          arithmetic,       std::move(map),
                     std::move(table), std::move(zeros), IsWorthStreaming(tensors.in, tensors.out)};
}

kernels::FloatType FloatTypeOf(DType dtype) {
  return dtype == DType::kF16    ? kernels::FloatType::kF16
         : dtype == DType::kBF16 ? kernels::FloatType::kBF16
                                 : kernels::FloatType::kF32;
}

kernels::CodeType CodeTypeOf(DType dtype) {
  using kernels::CodeType;
  constexpr std::pair<DType, CodeType> kTypes[] = {
      {DType::kU8, CodeType::kU8},   {DType::kS8, CodeType::kS8},   {DType::kU16, CodeType::kU16},
      {DType::kS16, CodeType::kS16}, {DType::kS32, CodeType::kS32}, {DType::kU4, CodeType::kU4},
      {DType::kS4, CodeType::kS4},   {DType::kU2, CodeType::kU2},   {DType::kS2, CodeType::kS2}};
  for (const auto& [have, type] : kTypes) {
    if (have == dtype) return type;
  }
  return CodeType::kU8;  // unreachable: the type has been checked
}

}  // namespace lq
