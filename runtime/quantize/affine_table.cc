#include "runtime/quantize/affine_table.h"

#include <fmt/format.h>

#include <algorithm>
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

// A tensor of many small blocks has so many scales and offsets that checking them one by one would show: 2 ms in the 15
// that 64 Mi elements take. Loops over kGroup of them, without a branch, become vector code.
constexpr size_t kGroup = 64;

// Index of the first of `n` values for which bad(i) holds, n if there is none.
template <class Bad>
size_t FirstBad(size_t n, const Bad& bad) {
  size_t i = 0;
  for (; i + kGroup <= n; i += kGroup) {
    uint32_t any = 0;
    for (size_t j = 0; j < kGroup; ++j) any |= bad(i + j) ? 1u : 0u;
    if (any != 0) break;
  }
  while (i < n && !bad(i)) ++i;
  return i;
}

// Zeros, infinities and NaN; negative numbers too unless the mask drops the sign.
size_t FirstBadScale(const float* scale, size_t n, bool may_be_negative) {
  constexpr uint32_t kInfinity = 0x7F800000;
  const uint32_t mask = may_be_negative ? 0x7FFFFFFF : 0xFFFFFFFF;
  return FirstBad(n, [=](size_t i) { return (std::bit_cast<uint32_t>(scale[i]) & mask) - 1 >= kInfinity - 1; });
}

Status ScaleError(const AffineQuantizer& quantizer, Arithmetic arithmetic, size_t i) {
  const float scale = ScaleAt(quantizer.scale, i);
  const bool onnx = quantizer.profile == RoundingProfile::kOnnx;
  if (FirstBadScale(&scale, 1, onnx) == 1) {
    return InvalidArgument(fmt::format("scale: element {} is {}, which becomes {} in {}, the type of the arithmetic", i,
                                       scale, RoundTo(arithmetic, scale), NameOf(arithmetic)));
  }
  return InvalidArgument(
      fmt::format("scale: element {} is {}, not a finite number {} 0", i, scale, onnx ? "other than" : "above"));
}

struct OffsetRange {
  int64_t lowest, highest;
};

// Offsets that keep every code of the grid where the arithmetic is exact; empty for grids that reach beyond by
// themselves. 0 is allowed even then: adding it is exact.
OffsetRange AllowedOffsets(const AffineQuantizer& quantizer, Arithmetic arithmetic) {
  constexpr int64_t kExact = 1 << 24;
  OffsetRange range = {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
  if (arithmetic == Arithmetic::kF64) return range;
  range.lowest = std::max(range.lowest, -kExact - quantizer.qmin);
  range.highest = std::min(range.highest, kExact - quantizer.qmax);
  if (arithmetic == Arithmetic::kF16) {  // infinite beyond
    range.lowest = std::max<int64_t>(range.lowest, -65504);
    range.highest = std::min<int64_t>(range.highest, 65504);
  }
  return range;
}

// Offsets that are numbers of the arithmetic's type as they are.
OffsetRange KeptOffsets(Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kF16) return {-2048, 2048};
  if (arithmetic == Arithmetic::kBF16) return {-256, 256};
  return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
}

// The first offset that is neither in the range nor 0.
size_t FirstOutside(const int32_t* offset, size_t n, OffsetRange range) {
  if (range.lowest > range.highest) range = {0, 0};
  const auto lowest = static_cast<uint32_t>(range.lowest), size = static_cast<uint32_t>(range.highest - range.lowest);
  return FirstBad(n, [=](size_t i) { return (static_cast<uint32_t>(offset[i]) - lowest > size) & (offset[i] != 0); });
}

Status OffsetError(const AffineQuantizer& quantizer, Arithmetic arithmetic, size_t i) {
  const OffsetRange range = AllowedOffsets(quantizer, arithmetic);
  return InvalidArgument(fmt::format(
      "offset: element {} is {}, not a whole number of {}..{}, with which codes {}..{} are exact in {}", i,
      OffsetAt(quantizer.offset, i), range.lowest, range.highest, quantizer.qmin, quantizer.qmax, NameOf(arithmetic)));
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
    for (size_t i = 0; i < count; ++i) scale_[i] = ScaleAt(view, i);
    RoundAllTo(arithmetic, scale_);
  }
  const size_t bad = FirstBadScale(scale(), count, may_be_negative);
  return bad == count ? OkStatus() : ScaleError(quantizer, arithmetic, bad);
}

Status AffineTable::ReadOffsets(const AffineQuantizer& quantizer, Arithmetic arithmetic) {
  const ConstTensorView& view = quantizer.offset;
  if (view.bytes.empty()) return OkStatus();
  const size_t count = static_cast<size_t>(view.shape.NumElements());
  const OffsetRange range = AllowedOffsets(quantizer, arithmetic);
  if (view.dtype == DType::kS32 && IsAligned<int32_t>(view)) {
    const int32_t* offset = view.data<int32_t>();
    const size_t bad = FirstOutside(offset, count, range);
    if (bad != count) return OffsetError(quantizer, arithmetic, bad);
    if (FirstOutside(offset, count, KeptOffsets(arithmetic)) == count) {
      offset_view_ = offset;
      return OkStatus();
    }
  }
  offset_.resize(count);
  const bool rounds = KeptOffsets(arithmetic).highest < std::numeric_limits<int32_t>::max();
  for (size_t i = 0; i < count; ++i) {
    const double value = OffsetAt(view, i);
    const bool whole = std::abs(value) <= 0x1p32 && value == std::floor(value);
    const int64_t offset = whole ? static_cast<int64_t>(value) : 0;
    const bool allowed = (offset >= range.lowest && offset <= range.highest) || offset == 0;
    if (!whole || !allowed) return OffsetError(quantizer, arithmetic, i);
    offset_[i] = static_cast<int32_t>(rounds ? double{RoundTo(arithmetic, static_cast<float>(value))} : value);
  }
  return OkStatus();
}

}  // namespace lq
