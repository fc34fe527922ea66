#include "runtime/quantize/affine_table.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/quantize/affine_arithmetic.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

using kernels::Arithmetic;

template <class T>
T Load(const ConstTensorView& view, size_t i) {
  T value;
  std::memcpy(&value, view.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

template <class T>
bool IsAligned(const ConstTensorView& view) {
  return reinterpret_cast<uintptr_t>(view.bytes.data()) % alignof(T) == 0;
}

float FloatOfF16(uint16_t bits) {
  // The fields of float16 in the places of float's: the exponent is then 112 too small, subnormals included.
  const float magnitude = std::bit_cast<float>((bits & 0x7FFFu) << 13) * 0x1p112f;
  const float value = (bits & 0x7C00u) != 0x7C00u ? magnitude
                      : (bits & 0x03FFu) == 0     ? std::numeric_limits<float>::infinity()
                                                  : std::numeric_limits<float>::quiet_NaN();
  return (bits & 0x8000u) != 0 ? -value : value;
}

bool IsUsable(float scale, bool may_be_negative) {
  return std::isfinite(scale) && (scale > 0 || (may_be_negative && scale < 0));
}

Status ScaleError(const AffineQuantizer& quantizer, Arithmetic arithmetic, size_t i) {
  const float scale = ScaleAt(quantizer.scale, i), rounded = RoundTo(arithmetic, scale);
  if (rounded != scale && !std::isnan(scale)) {
    return InvalidArgument(fmt::format("scale: element {} is {}, which becomes {} in {}, the type of the arithmetic", i,
                                       scale, rounded, NameOf(arithmetic)));
  }
  const bool onnx = quantizer.profile == RoundingProfile::kOnnx;
  return InvalidArgument(
      fmt::format("scale: element {} is {}, not a finite number {} 0", i, scale, onnx ? "other than" : "above"));
}

// Offsets that keep every code of the grid where the arithmetic is exact.
struct OffsetRange {
  double lowest, highest;
};

OffsetRange AllowedOffsets(const AffineQuantizer& quantizer, Arithmetic arithmetic) {
  constexpr double kExact = 1 << 24;
  OffsetRange range = {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
  if (arithmetic == Arithmetic::kF64) return range;
  range.lowest = std::max(range.lowest, -kExact - static_cast<double>(quantizer.qmin));
  range.highest = std::min(range.highest, kExact - static_cast<double>(quantizer.qmax));
  if (arithmetic == Arithmetic::kF16) {  // infinite beyond
    range.lowest = std::max(range.lowest, -65504.0);
    range.highest = std::min(range.highest, 65504.0);
  }
  return range;
}

}  // namespace

float ScaleAt(const ConstTensorView& scale, size_t i) {
  if (scale.dtype == DType::kF16) return FloatOfF16(Load<uint16_t>(scale, i));
  if (scale.dtype == DType::kBF16) return std::bit_cast<float>(uint32_t{Load<uint16_t>(scale, i)} << 16);
  return Load<float>(scale, i);
}

double OffsetAt(const ConstTensorView& offset, size_t i) {
  return offset.dtype == DType::kS32 ? static_cast<double>(Load<int32_t>(offset, i)) : double{Load<float>(offset, i)};
}

Result<AffineTable> AffineTable::Make(const AffineQuantizer& quantizer, Arithmetic arithmetic) {
  AffineTable table;
  LQ_RETURN_IF_ERROR(table.ReadScales(quantizer, arithmetic));
  LQ_RETURN_IF_ERROR(table.ReadOffsets(quantizer, arithmetic));
  return table;
}

Status AffineTable::ReadScales(const AffineQuantizer& quantizer, Arithmetic arithmetic) {
  const ConstTensorView& view = quantizer.scale;
  const size_t count = static_cast<size_t>(view.shape.NumElements());
  const bool may_be_negative = quantizer.profile == RoundingProfile::kOnnx;
  const bool rounds = arithmetic == Arithmetic::kF16 || arithmetic == Arithmetic::kBF16;
  if (view.dtype == DType::kF32 && IsAligned<float>(view) && !rounds) {
    scale_view_ = view.data<float>();
  } else {
    scale_.resize(count);
    for (size_t i = 0; i < count; ++i) scale_[i] = RoundTo(arithmetic, ScaleAt(view, i));
  }
  for (size_t i = 0; i < count; ++i) {
    if (!IsUsable(scale()[i], may_be_negative)) return ScaleError(quantizer, arithmetic, i);
  }
  return OkStatus();
}

Status AffineTable::ReadOffsets(const AffineQuantizer& quantizer, Arithmetic arithmetic) {
  const ConstTensorView& view = quantizer.offset;
  if (view.bytes.empty()) return OkStatus();
  const size_t count = static_cast<size_t>(view.shape.NumElements());
  const OffsetRange range = AllowedOffsets(quantizer, arithmetic);
  const bool rounds = arithmetic == Arithmetic::kF16 || arithmetic == Arithmetic::kBF16;
  const bool in_place = view.dtype == DType::kS32 && IsAligned<int32_t>(view) && !rounds;
  if (!in_place) offset_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const double offset = OffsetAt(view, i);
    // 0 is always allowed: adding it is exact.
    if (offset != std::floor(offset) || !((offset >= range.lowest && offset <= range.highest) || offset == 0)) {
      return InvalidArgument(
          fmt::format("offset: element {} is {}, not a whole number of {}..{}, with which codes {}..{} are exact in {}",
                      i, offset, range.lowest, range.highest, quantizer.qmin, quantizer.qmax, NameOf(arithmetic)));
    }
    if (!in_place) offset_[i] = static_cast<int32_t>(RoundTo(arithmetic, static_cast<float>(offset)));
  }
  if (in_place) offset_view_ = view.data<int32_t>();
  return OkStatus();
}

}  // namespace lq
