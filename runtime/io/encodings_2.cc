// Versions 2.0.0 and 2.1.0: {"encodings": [{"name": "w", "output_dtype": "int8", "y_scale": [..], "axis": 0}]}, after
// ONNX QuantizeLinear: y_scale is a number (per tensor), a list (per channel, along `axis`) or lists in lists (per
// block of `axis`); y_zero_point likewise. LPBQ: per_block_int_scale times per_channel_float_scale; in 2.1.0 y_scale
// {"x": integers, "x_scale": floats, "axis": channels}, which is to be dequantized first.
#include <fmt/format.h>

#include <cmath>

#include "runtime/io/encodings_versions.h"
#include "runtime/io/json_fields.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

using json::Get;
using json::Nested;
using json::Require;
namespace dom = simdjson::dom;

constexpr double kMaxAxis = 1 << 10;  // whatever a file says; the tensor's rank bounds it later

// "int8", "uint4", "float8e4m3fn": the codes' grid; LPBQ entries have the compressed one.
Status ReadDtype(dom::object object, EncodingEntry& entry) {
  struct Name {
    std::string_view name;
    int bitwidth;
    bool is_signed, is_float;
  };
  constexpr Name kNames[] = {
      {"int2", 2, true, false},      {"uint2", 2, false, false},       {"int4", 4, true, false},
      {"uint4", 4, false, false},    {"int8", 8, true, false},         {"uint8", 8, false, false},
      {"int16", 16, true, false},    {"uint16", 16, false, false},     {"int32", 32, true, false},
      {"float4e2m1", 4, true, true}, {"float8e4m3fn", 8, true, true},  {"float8e4m3fnuz", 8, true, true},
      {"float8e5m2", 8, true, true}, {"float8e5m2fnuz", 8, true, true}};
  std::string_view text;
  LQ_RETURN_IF_ERROR(Require(object, "output_dtype", text, "a string"));
  for (const Name& known : kNames) {
    if (text != known.name) continue;
    entry.bitwidth = known.bitwidth;
    entry.is_symmetric = known.is_signed;
    entry.is_float = known.is_float;
    return OkStatus();
  }
  return Unsupported(
      fmt::format("output_dtype '{}'; supported: int2, int4, int8, int16, int32, uint2 to uint16", text.substr(0, 64)));
}

Result<std::optional<int64_t>> ReadAxis(dom::object object) {
  double number = 0;
  LQ_ASSIGN_OR_RETURN(const bool found, Get(object, "axis", number, "a number"));
  if (!found) return std::optional<int64_t>();
  int64_t axis = 0;
  LQ_RETURN_IF_ERROR(json::ToInteger(number, "'axis'", -kMaxAxis, kMaxAxis, axis));
  return std::optional<int64_t>(axis);
}

Result<Nested> RequireNested(dom::object object, std::string_view key) {
  dom::element element;
  LQ_RETURN_IF_ERROR(Require(object, key, element, "a number or a list"));
  LQ_ASSIGN_OR_RETURN(Nested nested, json::ToNested(element, key));
  if (nested.values.empty()) return InvalidArgument(fmt::format("'{}' is empty", key));
  return nested;
}

// y_zero_point on the codes' own grid -> offsets on the unsigned one.
Status ReadOffsets(dom::object object, const Nested& scale, EncodingEntry& entry) {
  const double grid = entry.is_symmetric ? std::ldexp(1, entry.bitwidth - 1) : 0;
  entry.offset.assign(scale.values.size(), -grid);
  dom::element element;
  LQ_ASSIGN_OR_RETURN(const bool found, Get(object, "y_zero_point", element, "a number or a list"));
  if (!found) return OkStatus();
  LQ_ASSIGN_OR_RETURN(const Nested zero_point, json::ToNested(element, "y_zero_point"));
  if (zero_point.shape != scale.shape) {
    return InvalidArgument(fmt::format("y_scale has {} numbers, y_zero_point {}, or they are nested differently",
                                       scale.values.size(), zero_point.values.size()));
  }
  for (size_t i = 0; i < entry.offset.size(); ++i) entry.offset[i] -= zero_point.values[i];
  SplitHalves(entry);
  return OkStatus();
}

// A float scale for the tensor, for each channel or for each block.
Status ReadFloatScale(dom::object object, std::optional<int64_t> axis, EncodingEntry& entry) {
  LQ_ASSIGN_OR_RETURN(const Nested scale, RequireNested(object, "y_scale"));
  for (double s : scale.values) entry.scale.push_back(static_cast<float>(s));
  LQ_RETURN_IF_ERROR(ReadOffsets(object, scale, entry));
  const bool has_blocks = entry.block_size > 0;
  if (has_blocks) {
    entry.type = EncodingType::kPerBlock;
    entry.block_axis = axis;
    entry.block_shape = scale.shape;
    return OkStatus();
  }
  if (scale.shape.size() > 1) {
    return InvalidArgument(fmt::format("y_scale is nested {} deep, but there is no block_size", scale.shape.size()));
  }
  const bool per_tensor = scale.shape.empty() || (scale.values.size() == 1 && !axis.has_value());
  entry.type = per_tensor ? EncodingType::kPerTensor : EncodingType::kPerChannel;
  if (!per_tensor) entry.channel_axis = axis;
  return OkStatus();
}

// Integer block scales and one float for each channel.
Status SetLpbq(const Nested& integers, const Nested& floats, EncodingEntry& entry) {
  if (!entry.is_symmetric) return Unsupported("integer block scales of unsigned codes; supported: int2, int4, int8");
  if (entry.block_size == 0) return InvalidArgument("integer block scales without 'block_size'");
  LQ_RETURN_IF_ERROR(json::ToScales(integers.values, entry.per_block_int_scale));
  entry.type = EncodingType::kLpbq;
  entry.block_shape = integers.shape;
  entry.compressed_bitwidth = entry.bitwidth;
  entry.bitwidth = DecompressedBits(entry.compressed_bitwidth, entry.per_block_int_scale);
  for (double s : floats.values) entry.scale.push_back(static_cast<float>(s));
  entry.offset.assign(entry.scale.size(), -std::ldexp(1, entry.bitwidth - 1));
  return OkStatus();
}

// 2.0.0. Both arrays have the tensor's rank; the float one varies along the channels alone.
Status ReadTwoScales(dom::object object, EncodingEntry& entry) {
  LQ_ASSIGN_OR_RETURN(const Nested integers, RequireNested(object, "per_block_int_scale"));
  LQ_ASSIGN_OR_RETURN(const Nested floats, RequireNested(object, "per_channel_float_scale"));
  if (integers.shape.size() != floats.shape.size()) {
    return InvalidArgument(fmt::format("per_block_int_scale is nested {} deep, per_channel_float_scale {}",
                                       integers.shape.size(), floats.shape.size()));
  }
  for (size_t axis = 0; axis < floats.shape.size(); ++axis) {
    if (floats.shape[axis] == 1) continue;
    if (entry.channel_axis.has_value()) {
      return Unsupported(fmt::format("per_channel_float_scale varies along axes {} and {}; supported: one axis",
                                     *entry.channel_axis, axis));
    }
    entry.channel_axis = static_cast<int64_t>(axis);
  }
  return SetLpbq(integers, floats, entry);
}

// 2.1.0
Status ReadQuantizedScale(dom::object scale, EncodingEntry& entry) {
  for (const char* key : {"x_zero_point", "block_size"}) {
    dom::element element;
    if (scale.at_key(key).get(element) != simdjson::SUCCESS || element.is_null()) continue;
    return Unsupported(fmt::format("y_scale with '{}'; supported: x, x_scale, input_dtype, axis", key));
  }
  LQ_ASSIGN_OR_RETURN(const Nested integers, RequireNested(scale, "x"));
  LQ_ASSIGN_OR_RETURN(const Nested floats, RequireNested(scale, "x_scale"));
  if (floats.shape.size() > 1) {
    return Unsupported(fmt::format("x_scale is nested {} deep; supported: a number or a list", floats.shape.size()));
  }
  LQ_ASSIGN_OR_RETURN(entry.channel_axis, ReadAxis(scale));
  return SetLpbq(integers, floats, entry);
}

Status ReadNumbers2(dom::object object, EncodingEntry& entry) {
  LQ_RETURN_IF_ERROR(ReadDtype(object, entry));
  if (entry.is_float) return OkStatus();
  LQ_ASSIGN_OR_RETURN(const std::optional<int64_t> axis, ReadAxis(object));
  dom::element element;
  LQ_ASSIGN_OR_RETURN(const bool has_blocks, Get(object, "block_size", element, "a number"));
  if (has_blocks) {
    LQ_RETURN_IF_ERROR(json::GetInteger(object, "block_size", 1, 0x1p53, entry.block_size));
    if (!axis.has_value()) return InvalidArgument("'block_size' without 'axis'");
    entry.block_axis = axis;
  }
  if (object.at_key("per_block_int_scale").get(element) == simdjson::SUCCESS) return ReadTwoScales(object, entry);
  dom::object scale;
  if (object.at_key("y_scale").get(element) == simdjson::SUCCESS && element.get(scale) == simdjson::SUCCESS) {
    return ReadQuantizedScale(scale, entry);
  }
  return ReadFloatScale(object, axis, entry);
}

}  // namespace

Status ReadEncodings2(const EncodingsText& text, EncodingEntries& entries) {
  return ReadEntryList(text, {"encodings", "a list, as versions 2.0.0 and 2.1.0 have it", ReadNumbers2}, entries);
}

}  // namespace lq
