#include "runtime/quantize/affine_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "runtime/half.h"
#include "runtime/quantize/affine_arithmetic.h"
#include "runtime/quantize/first_bad.h"
#include "runtime/run_tasks.h"
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

// Zeros, infinities and NaN; negative numbers too unless the mask drops the sign.
auto IsBadScale(const float* scale, bool may_be_negative) {
  constexpr uint32_t kInfinity = 0x7F800000;
  const uint32_t mask = may_be_negative ? 0x7FFFFFFF : 0xFFFFFFFF;
  return [=](size_t i) { return (std::bit_cast<uint32_t>(scale[i]) & mask) - 1 >= kInfinity - 1; };
}

Status ScaleError(const AffineQuantizer& quantizer, Arithmetic arithmetic, size_t i) {
  const auto scale = static_cast<float>(ScaleAt(quantizer.scale, i));
  const bool onnx = quantizer.profile == RoundingProfile::kOnnx;
  if (!IsBadScale(&scale, onnx)(0)) {
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

// What is neither in the range nor 0.
auto IsOutside(const int32_t* offset, OffsetRange range) {
  if (range.lowest > range.highest) range = {0, 0};
  const auto lowest = static_cast<uint32_t>(range.lowest), size = static_cast<uint32_t>(range.highest - range.lowest);
  return [=](size_t i) { return (static_cast<uint32_t>(offset[i]) - lowest > size) & (offset[i] != 0); };
}

bool IsWholeAndAllowed(double offset, OffsetRange range) {
  if (!(std::abs(offset) <= 0x1p32) || offset != std::floor(offset)) return false;
  const auto whole = static_cast<int64_t>(offset);
  return (whole >= range.lowest && whole <= range.highest) || whole == 0;
}

Status OffsetError(const AffineQuantizer& quantizer, Arithmetic arithmetic, size_t i) {
  const OffsetRange range = AllowedOffsets(quantizer, arithmetic);
  if (range.lowest > range.highest) {
    return InvalidArgument(fmt::format("offset: element {} is {}, but codes {}..{} are exact in {} with 0 only", i,
                                       OffsetAt(quantizer.offset, i), quantizer.qmin, quantizer.qmax,
                                       NameOf(arithmetic)));
  }
  return InvalidArgument(fmt::format(
      "offset: element {} is {}, not a whole number of {}..{}, with which codes {}..{} are exact in {}", i,
      OffsetAt(quantizer.offset, i), range.lowest, range.highest, quantizer.qmin, quantizer.qmax, NameOf(arithmetic)));
}

}  // namespace

double ScaleAt(const ConstTensorView& scale, size_t i) {
  if (scale.dtype == DType::kF64) return Load<double>(scale, i);
  if (scale.dtype == DType::kF16) return WidenHalf(Load<uint16_t>(scale, i));
  if (scale.dtype == DType::kBF16) return WidenBfloat(Load<uint16_t>(scale, i));
  return Load<float>(scale, i);
}

double OffsetAt(const ConstTensorView& offset, size_t i) {
  if (offset.dtype == DType::kS32) return Load<int32_t>(offset, i);
  return offset.dtype == DType::kF64 ? Load<double>(offset, i) : double{Load<float>(offset, i)};
}

Result<AffineTable> AffineTable::Make(const AffineQuantizer& quantizer, Arithmetic arithmetic, Executor& executor) {
  AffineTable table;
  LQ_RETURN_IF_ERROR(table.ReadScales(quantizer, arithmetic, executor));
  LQ_RETURN_IF_ERROR(table.ReadOffsets(quantizer, arithmetic, executor));
  return table;
}

Status AffineTable::ReadScales(const AffineQuantizer& quantizer, Arithmetic arithmetic, Executor& executor) {
  const ConstTensorView& view = quantizer.scale;
  const size_t count = static_cast<size_t>(view.shape.NumElements());
  const bool may_be_negative = quantizer.profile == RoundingProfile::kOnnx;
  const bool rounds = arithmetic == Arithmetic::kF16 || arithmetic == Arithmetic::kBF16;
  if (view.dtype == DType::kF32 && IsAligned<float>(view) && !rounds) {
    scale_view_ = view.data<float>();
  } else {
    scale_.resize(count);
    RunRanges(executor, count, kTableGrain, [&](Range range) {
      for (size_t i = range.begin; i < range.end; ++i) scale_[i] = static_cast<float>(ScaleAt(view, i));
      RoundAllTo(arithmetic, std::span(scale_).subspan(range.begin, range.end - range.begin));
    });
  }
  const size_t bad = FirstBad(executor, count, IsBadScale(scale(), may_be_negative));
  return bad == count ? OkStatus() : ScaleError(quantizer, arithmetic, bad);
}

Status AffineTable::ReadOffsets(const AffineQuantizer& quantizer, Arithmetic arithmetic, Executor& executor) {
  const ConstTensorView& view = quantizer.offset;
  if (view.bytes.empty()) return OkStatus();
  const size_t count = static_cast<size_t>(view.shape.NumElements());
  const OffsetRange range = AllowedOffsets(quantizer, arithmetic);
  if (view.dtype == DType::kS32 && IsAligned<int32_t>(view)) {
    const int32_t* offset = view.data<int32_t>();
    const size_t bad = FirstBad(executor, count, IsOutside(offset, range));
    if (bad != count) return OffsetError(quantizer, arithmetic, bad);
    if (FirstBad(executor, count, IsOutside(offset, KeptOffsets(arithmetic))) == count) {
      offset_view_ = offset;
      return OkStatus();
    }
  }
  const auto is_bad = [&](size_t i) { return !IsWholeAndAllowed(OffsetAt(view, i), range); };
  const size_t bad = FirstBad(executor, count, is_bad);
  if (bad != count) return OffsetError(quantizer, arithmetic, bad);
  offset_.resize(count);
  const bool rounds = KeptOffsets(arithmetic).highest < std::numeric_limits<int32_t>::max();
  RunRanges(executor, count, kTableGrain, [&](Range part) {
    for (size_t i = part.begin; i < part.end; ++i) {
      const double value = OffsetAt(view, i);
      offset_[i] = static_cast<int32_t>(rounds ? double{RoundTo(arithmetic, static_cast<float>(value))} : value);
    }
  });
  return OkStatus();
}

}  // namespace lq
