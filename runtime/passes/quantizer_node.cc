#include "runtime/passes/quantizer_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "runtime/io/onnx_element.h"
#include "runtime/passes/node_inputs.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

bool IsOfKnownDomain(const Node& node) { return node.domain.empty() || node.domain == "com.microsoft"; }

Status CheckForm(const std::string& owner, const Node& node) {
  constexpr std::string_view kKnown[] = {"axis", "block_size", "output_dtype", "saturate"};  // the last: of float8
  for (const auto& [name, attribute] : node.attributes) {
    const bool known = std::find(std::begin(kKnown), std::end(kKnown), name) != std::end(kKnown);
    if (known && std::holds_alternative<int64_t>(attribute)) continue;
    return Unsupported(fmt::format(
        "{}: attribute '{}' is not supported, or no integer; supported: axis, block_size, output_dtype", owner, name));
  }
  if (HasInput(node, 0) && HasInput(node, 1) && node.inputs.size() <= 3 && node.outputs.size() == 1 &&
      node.outputs[0] != kAbsent) {
    return OkStatus();
  }
  return InvalidArgument(
      fmt::format("{}: {} inputs and {} outputs; it has 2 or 3 and 1", owner, node.inputs.size(), node.outputs.size()));
}

Result<const Constant*> RequireConstant(const std::string& owner, const Graph& graph, const Node& node, size_t i,
                                        const char* what, DType dtype) {
  const Constant* constant = ConstantInput(graph, node, i);
  const std::string& name = graph.value(node.inputs[i]).name;
  if (constant == nullptr) {
    return Unsupported(
        fmt::format("{}: its {} '{}' is computed or a graph input; supported: constants", owner, what, name));
  }
  if (constant->dtype == dtype) return constant;
  return InvalidArgument(
      fmt::format("{}: its {} '{}' is {}, not {}", owner, what, name, NameOf(constant->dtype), NameOf(dtype)));
}

Status SetGrid(const std::string& owner, DType codes, EncodingEntry& entry) {
  switch (codes) {
    case DType::kU2:
    case DType::kU4:
    case DType::kU8:
    case DType::kU16:
      entry.is_symmetric = false;
      break;
    case DType::kS2:
    case DType::kS4:
    case DType::kS8:
    case DType::kS16:
    case DType::kS32:
      entry.is_symmetric = true;
      break;
    default:
      return Unsupported(
          fmt::format("{}: codes of type {}; supported: u2, s2, u4, s4, u8, s8, u16, s16, s32", owner, NameOf(codes)));
  }
  entry.bitwidth = static_cast<int>(BitsOf(codes));
  return OkStatus();
}

// Which axes the scales belong to. One scale is one for the tensor, whatever its shape.
Status SetAxes(const std::string& owner, const Node& node, const Shape& scale, EncodingEntry& entry) {
  entry.block_size = node.Int("block_size", 0);
  if (entry.block_size < 0) return InvalidArgument(fmt::format("{}: block_size is {}", owner, entry.block_size));
  if (entry.block_size > 0) {
    entry.type = EncodingType::kPerBlock;
    entry.block_axis = node.Int("axis", 1);
    entry.block_shape.assign(scale.dims().begin(), scale.dims().end());
    return OkStatus();
  }
  if (scale.NumElements() == 1) return OkStatus();
  if (scale.rank() != 1) {
    return InvalidArgument(fmt::format("{}: scales of shape {} without block_size", owner, scale.ToString()));
  }
  entry.type = EncodingType::kPerChannel;
  entry.channel_axis = node.Int("axis", 1);
  return OkStatus();
}

// Zero points on the codes' own grid -> offsets on the unsigned one.
Status SetOffsets(const std::string& owner, const Graph& graph, const Node& node, size_t scales, EncodingEntry& entry) {
  entry.offset.assign(scales, entry.is_symmetric ? -std::ldexp(1, entry.bitwidth - 1) : 0);
  if (!HasInput(node, 2)) return OkStatus();
  LQ_ASSIGN_OR_RETURN(const Constant* zero_point, RequireConstant(owner, graph, node, 2, "zero point", DType::kS64));
  if (zero_point->s64.size() != scales) {
    return InvalidArgument(fmt::format("{}: {} zero points, but {} scales", owner, zero_point->s64.size(), scales));
  }
  for (size_t i = 0; i < scales; ++i) entry.offset[i] -= static_cast<double>(zero_point->s64[i]);
  return OkStatus();
}

// The scale is itself quantized: integers for the blocks, a float for each channel.
Status SetLpbq(const std::string& owner, const Graph& graph, const Node& maker, EncodingEntry& entry) {
  const std::string by = graph.Describe(maker);
  LQ_RETURN_IF_ERROR(CheckForm(by, maker));
  LQ_ASSIGN_OR_RETURN(const Constant* integers, RequireConstant(by, graph, maker, 0, "input", DType::kS64));
  LQ_ASSIGN_OR_RETURN(const Constant* floats, RequireConstant(by, graph, maker, 1, "scale", DType::kF32));
  EncodingEntry meta;
  LQ_RETURN_IF_ERROR(SetAxes(by, maker, floats->shape, meta));
  const Constant* zero_point = ConstantInput(graph, maker, 2);
  const bool has_zero_point = HasInput(maker, 2) && (zero_point == nullptr || zero_point->dtype != DType::kS64 ||
                                                     std::any_of(zero_point->s64.begin(), zero_point->s64.end(),
                                                                 [](int64_t z) { return z != 0; }));
  const double symmetric = -std::ldexp(1, entry.bitwidth - 1);
  const bool is_symmetric = entry.is_symmetric && std::all_of(entry.offset.begin(), entry.offset.end(),
                                                              [=](double offset) { return offset == symmetric; });
  if (entry.type != EncodingType::kPerBlock || meta.type == EncodingType::kPerBlock || has_zero_point ||
      !is_symmetric) {
    return Unsupported(
        fmt::format("{}: its scale is made by {}; supported: scales of blocks of signed codes, without "
                    "zero points, as an integer for each block times a float for each channel",
                    owner, by));
  }
  entry.scale = floats->f32;
  for (int64_t scale : integers->s64) {
    if (scale < 0 || scale > std::numeric_limits<uint32_t>::max()) {
      return InvalidArgument(fmt::format("{}: integer scale {} is negative or leaves 32 bits", by, scale));
    }
    entry.per_block_int_scale.push_back(static_cast<uint32_t>(scale));
  }
  entry.type = EncodingType::kLpbq;
  entry.channel_axis = meta.channel_axis;
  entry.compressed_bitwidth = entry.bitwidth;
  entry.bitwidth = DecompressedBits(entry.compressed_bitwidth, entry.per_block_int_scale);
  entry.offset.assign(entry.scale.size(), -std::ldexp(1, entry.bitwidth - 1));
  return OkStatus();
}

// ONNX Runtime calibrates what holds -inf, the mask of an attention, so; its run then has 0 * inf = NaN everywhere, and
// all codes behind the softmax are 0.
Status CheckCalibrated(const std::string& owner, const Constant& scale) {
  const bool is_finite = std::none_of(scale.f32.begin(), scale.f32.end(), [](float s) { return std::isinf(s); });
  if (is_finite) return OkStatus();
  return InvalidArgument(
      fmt::format("{}: its scale is infinite, calibrated from infinite values, and makes every value NaN; to mend: "
                  "mask by a finite number, as -10000, in the place of -inf before quantizing",
                  owner));
}

}  // namespace

bool IsQuantize(const Node& node) { return node.op == "QuantizeLinear" && IsOfKnownDomain(node); }
bool IsDequantize(const Node& node) { return node.op == "DequantizeLinear" && IsOfKnownDomain(node); }

std::optional<DType> CodesOf(const Graph& graph, const Node& node) {
  for (const size_t i : {2, 0}) {  // the zero point; the integers that a DequantizeLinear reads
    if (i == 0 && !IsDequantize(node)) continue;
    const Constant* constant = ConstantInput(graph, node, i);
    if (constant != nullptr) return constant->file_type;
  }
  const int64_t type = node.Int("output_dtype", 0);
  if (type == 0 || !IsQuantize(node)) return std::nullopt;
  const Result<OnnxType> known = CheckedOnnxType("", type);
  return known.ok() ? CodeType(*known) : DType::kS64;
}

Result<EncodingEntry> ReadQuantizer(const Graph& graph, const Node& node, const Node* scale_maker, DType codes) {
  const std::string owner = graph.Describe(node);
  LQ_RETURN_IF_ERROR(CheckForm(owner, node));
  EncodingEntry entry;
  LQ_RETURN_IF_ERROR(SetGrid(owner, CodesOf(graph, node).value_or(codes), entry));
  if (scale_maker != nullptr && HasInput(*scale_maker, 0) && graph.value(scale_maker->inputs[0]).constant.has_value()) {
    const Shape& shape = graph.value(scale_maker->inputs[0]).constant->shape;
    LQ_RETURN_IF_ERROR(SetAxes(owner, node, shape, entry));
    LQ_RETURN_IF_ERROR(SetOffsets(owner, graph, node, static_cast<size_t>(shape.NumElements()), entry));
    LQ_RETURN_IF_ERROR(SetLpbq(owner, graph, *scale_maker, entry));
    return entry;
  }
  LQ_ASSIGN_OR_RETURN(const Constant* scale, RequireConstant(owner, graph, node, 1, "scale", DType::kF32));
  if (scale->f32.empty()) return InvalidArgument(fmt::format("{}: no scale", owner));
  LQ_RETURN_IF_ERROR(CheckCalibrated(owner, *scale));
  LQ_RETURN_IF_ERROR(SetAxes(owner, node, scale->shape, entry));
  entry.scale = scale->f32;
  LQ_RETURN_IF_ERROR(SetOffsets(owner, graph, node, entry.scale.size(), entry));
  return entry;
}

}  // namespace lq
