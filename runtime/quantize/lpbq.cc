#include "lanequant/lpbq.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/quantize/lpbq_layout.h"
#include "runtime/quantize/scale_map.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {
namespace {

// int_scale, channel_scale and scale, computed in T.
template <class T>
Status Derive(std::span<const T> raw, const ScaleMap& groups, LpbqScales& scales) {
  const T steps = static_cast<T>(LargestIntScale(scales.layout));
  scales.int_scale.resize(groups.elements());
  scales.scale.resize(groups.elements());
  scales.channel_scale.resize(groups.scales());
  for (size_t group = 0; group < groups.scales(); ++group) {
    T largest = 0;
    groups.ForEachRunOf(group, [&](size_t begin, size_t n) {
      largest = std::max(largest, *std::max_element(raw.begin() + begin, raw.begin() + begin + n));
    });
    const T channel_scale = largest / steps;
    scales.channel_scale[group] = static_cast<double>(channel_scale);
    groups.ForEachRunOf(group, [&](size_t begin, size_t n) {
      for (size_t i = begin; i < begin + n; ++i) {
        const T integer = std::clamp(std::nearbyint(raw[i] / channel_scale), T{1}, steps);
        scales.int_scale[i] = static_cast<uint32_t>(integer);
        scales.scale[i] = static_cast<float>(integer * channel_scale);
      }
    });
  }
  return OkStatus();
}

template <class T>
Status CheckRawScales(std::span<const T> raw, const LpbqLayout& layout) {
  // The smallest scales divided by 2^k and the largest ones must still be float32 numbers.
  const double smallest = static_cast<double>(std::numeric_limits<float>::denorm_min()) * LargestIntScale(layout);
  for (size_t i = 0; i < raw.size(); ++i) {
    const double scale = static_cast<double>(raw[i]);
    if (scale >= smallest && scale <= double{std::numeric_limits<float>::max()}) continue;
    return InvalidArgument(
        fmt::format("raw_scale: element {} is {}, not a finite number of {} or more", i, scale, smallest));
  }
  return OkStatus();
}

Shape GroupShape(const LpbqLayout& layout) {
  Shape shape = layout.scale_shape;
  for (size_t i = 0; i < layout.block_grouping.size(); ++i) {
    shape[i] = layout.block_grouping[i] == -1 ? 1 : shape[i] / layout.block_grouping[i];
  }
  return shape;
}

// The group of each block.
Result<ScaleMap> Groups(const LpbqLayout& layout) {
  const std::vector<int64_t> whole(layout.scale_shape.rank(), -1);
  return ScaleMap::Make("int_scale", layout.scale_shape, GroupShape(layout), whole);
}

template <class T>
Status CheckCount(const char* what, const std::vector<T>& values, const Shape& shape) {
  if (static_cast<int64_t>(values.size()) == shape.NumElements()) return OkStatus();
  return InvalidArgument(fmt::format("{} has {} elements, but shape {} needs {}", what, values.size(), shape.ToString(),
                                     shape.NumElements()));
}

}  // namespace

Status CheckLpbqLayout(const LpbqLayout& layout) {
  const int bits = layout.bitwidth, decompressed = layout.decompressed_bitwidth;
  if (bits < 2 || bits > 16) return InvalidArgument(fmt::format("LPBQ: bitwidth {} is outside 2..16", bits));
  if (decompressed < bits || decompressed > bits + 16) {
    return InvalidArgument(
        fmt::format("LPBQ: decompressed_bitwidth {} is outside {}..{}", decompressed, bits, bits + 16));
  }
  const Shape& shape = layout.scale_shape;
  if (shape.NumElements() < 1) {
    return InvalidArgument(fmt::format("LPBQ: scale_shape {} has {} elements", shape.ToString(), shape.NumElements()));
  }
  const size_t rank = shape.rank(), groupings = layout.block_grouping.size();
  if (layout.block_size.size() != rank || (groupings != 0 && groupings != rank)) {
    return InvalidArgument(
        fmt::format("LPBQ: scale_shape {} has {} dimensions, but block_size {} and block_grouping {}", shape.ToString(),
                    rank, layout.block_size.size(), groupings));
  }
  for (size_t i = 0; i < groupings; ++i) {
    const int64_t grouping = layout.block_grouping[i];
    if (grouping == -1 || (grouping >= 1 && shape[i] % grouping == 0)) continue;
    return InvalidArgument(
        fmt::format("LPBQ: block_grouping {} does not divide the {} blocks of dimension {}", grouping, shape[i], i));
  }
  return OkStatus();
}

Result<LpbqScales> DeriveLpbq(const ConstTensorView& raw_scale, const LpbqLayout& layout) {
  LQ_RETURN_IF_ERROR(CheckLpbqLayout(layout));
  LQ_RETURN_IF_ERROR(CheckView("LPBQ", "raw_scale", raw_scale, layout.scale_shape));
  LQ_ASSIGN_OR_RETURN(const ScaleMap groups, Groups(layout));
  LpbqScales scales;
  scales.layout = layout;
  scales.group_shape = GroupShape(layout);
  if (raw_scale.dtype == DType::kF32) {
    const std::span<const float> raw(raw_scale.data<float>(), groups.elements());
    LQ_RETURN_IF_ERROR(CheckRawScales(raw, layout));
    LQ_RETURN_IF_ERROR(Derive(raw, groups, scales));
  } else if (raw_scale.dtype == DType::kF64) {
    const std::span<const double> raw(raw_scale.data<double>(), groups.elements());
    LQ_RETURN_IF_ERROR(CheckRawScales(raw, layout));
    LQ_RETURN_IF_ERROR(Derive(raw, groups, scales));
  } else {
    return InvalidArgument(fmt::format("raw_scale of type {}; f32 and f64 are supported", NameOf(raw_scale.dtype)));
  }
  return scales;
}

Result<LpbqScales> DeriveLpbqOfWeight(const ConstTensorView& weight, const LpbqLayout& layout, CalibrationTool tool,
                                      const BulkOptions& bulk) {
  LQ_RETURN_IF_ERROR(CheckLpbqLayout(layout));
  if (weight.dtype != DType::kF32) {
    return InvalidArgument(fmt::format("weight of type {}; f32 is supported", NameOf(weight.dtype)));
  }
  AnalyzerOptions options;
  options.tool = tool;
  options.qmax = (int64_t{1} << (layout.bitwidth - 1)) - 1;
  options.qmin = -options.qmax - 1;
  options.scale_shape = layout.scale_shape;
  options.block_size = layout.block_size;
  LQ_ASSIGN_OR_RETURN(Analyzer analyzer, Analyzer::Create(options));
  LQ_RETURN_IF_ERROR(analyzer.Update(weight, bulk));
  LQ_ASSIGN_OR_RETURN(const Calibration calibration, analyzer.Compute(bulk));
  if (tool == CalibrationTool::kAimetOnnx) {
    return DeriveLpbq({DType::kF64, layout.scale_shape, std::as_bytes(std::span(calibration.scale))}, layout);
  }
  const std::vector<float> raw(calibration.scale.begin(), calibration.scale.end());
  return DeriveLpbq({DType::kF32, layout.scale_shape, std::as_bytes(std::span(raw))}, layout);
}

Result<LpbqScales> MakeLpbqScales(const LpbqLayout& layout, std::vector<uint32_t> int_scale,
                                  std::vector<double> channel_scale) {
  LQ_RETURN_IF_ERROR(CheckLpbqLayout(layout));
  const Shape group_shape = GroupShape(layout);
  LQ_RETURN_IF_ERROR(CheckCount("int_scale", int_scale, layout.scale_shape));
  LQ_RETURN_IF_ERROR(CheckCount("channel_scale", channel_scale, group_shape));
  for (size_t i = 0; i < int_scale.size(); ++i) {
    if (int_scale[i] >= 1 && int_scale[i] <= LargestIntScale(layout)) continue;
    return InvalidArgument(
        fmt::format("int_scale: element {} is {}, outside 1..{}", i, int_scale[i], LargestIntScale(layout)));
  }
  const float largest = std::numeric_limits<float>::max() / static_cast<float>(LargestIntScale(layout));
  for (size_t i = 0; i < channel_scale.size(); ++i) {
    if (static_cast<float>(channel_scale[i]) > 0 && channel_scale[i] <= double{largest}) continue;
    return InvalidArgument(
        fmt::format("channel_scale: element {} is {}, not above 0 and at most {}", i, channel_scale[i], largest));
  }
  LQ_ASSIGN_OR_RETURN(const ScaleMap groups, Groups(layout));
  LpbqScales scales{layout, group_shape, std::move(int_scale), std::move(channel_scale), {}};
  scales.scale.resize(scales.int_scale.size());
  for (size_t group = 0; group < groups.scales(); ++group) {
    groups.ForEachRunOf(group, [&](size_t begin, size_t n) {
      for (size_t i = begin; i < begin + n; ++i) {
        // Of a float32 channel_scale this is also the float32 product: 25 + 24 bits are exact in float64.
        scales.scale[i] = static_cast<float>(static_cast<double>(scales.int_scale[i]) * scales.channel_scale[group]);
      }
    });
  }
  return scales;
}

}  // namespace lq
