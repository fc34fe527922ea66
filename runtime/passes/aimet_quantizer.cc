#include "runtime/passes/aimet_quantizer.h"

#include <fmt/format.h>

#include "runtime/status_macros.h"

namespace lq {
namespace {

Result<const Constant*> FloatInput(const std::string& owner, const Graph& graph, const Node& node, size_t i,
                                   const ConstantUses& constants) {
  const Constant* constant = constants.Source(node.inputs[i]);
  if (constant != nullptr && constant->dtype == DType::kF32 && !constant->f32.empty()) return constant;
  return Unsupported(fmt::format("{}: its {} '{}' is no constant of floats", owner, i == 1 ? "scale" : "offset",
                                 graph.value(node.inputs[i]).name));
}

// AIMET's offsets of the node's own grid -> those of the unsigned one.
Status SetGrid(const std::string& owner, const Node& node, const Constant& offset, EncodingEntry& entry) {
  const int64_t qmin = node.Int("qmin", 0), qmax = node.Int("qmax", 255);
  constexpr int kMostBits = 32;
  const auto is_grid_of = [=](int bits) {
    const int64_t half = int64_t{1} << (bits - 1);
    return (qmin == 0 && qmax == 2 * half - 1) || (qmin == -half && qmax == half - 1);
  };
  int bits = 2;
  while (bits <= kMostBits && !is_grid_of(bits)) ++bits;
  if (bits > kMostBits) {
    return Unsupported(
        fmt::format("{}: a grid of {} to {}; supported: 0 to 2^bitwidth - 1, -2^(bitwidth - 1) to "
                    "2^(bitwidth - 1) - 1",
                    owner, qmin, qmax));
  }
  entry.bitwidth = bits;
  entry.is_symmetric = qmin < 0;
  entry.zero_point_shift = static_cast<double>(node.Float("zero_point_shift", 0));
  for (float value : offset.f32) entry.offset.push_back(static_cast<double>(value) + static_cast<double>(qmin));
  return OkStatus();
}

// Axes of the scales that are longer than 1, counted from the end: one of channels, or one of channels and one of
// blocks.
Status SetAxesFromEnd(const std::string& owner, const Node& node, const Shape& scale, EncodingEntry& entry) {
  if (scale.NumElements() == 1) return OkStatus();
  const std::vector<int64_t> blocks = node.Ints("block_size", std::vector<int64_t>(scale.rank(), 1));
  const auto rank = static_cast<int64_t>(scale.rank());
  bool fits = blocks.size() == scale.rank();
  for (int64_t d = 0; fits && d < rank; ++d) {
    const auto at = static_cast<size_t>(d);
    if (scale[at] == 1) continue;
    std::optional<int64_t>& axis = blocks[at] == 1 ? entry.channel_axis : entry.block_axis;
    fits = !axis.has_value() && blocks[at] >= 1;
    axis = d - rank;
    if (blocks[at] > 1) entry.block_size = blocks[at];
  }
  if (!fits) {
    return Unsupported(
        fmt::format("{}: scales of shape {} for blocks of ({}); supported: channels along one axis, "
                    "blocks along another",
                    owner, scale.ToString(), fmt::join(blocks, ", ")));
  }
  entry.type = entry.block_axis.has_value() ? EncodingType::kPerBlock : EncodingType::kPerChannel;
  if (entry.block_axis.has_value()) {
    entry.channel_axis.reset();  // the block array's shape says it
    entry.block_shape.assign(scale.dims().begin(), scale.dims().end());
  }
  return OkStatus();
}

}  // namespace

bool IsAimetQuantizer(const Node& node) { return node.op == "quantize_dequantize" && node.domain == "aimet"; }

Result<EncodingEntry> ReadAimetQuantizer(const Graph& graph, const Node& node, const ConstantUses& constants) {
  const std::string owner = graph.Describe(node);
  bool complete = node.inputs.size() == 3 && node.outputs.size() == 1 && node.outputs[0] != kAbsent;
  for (ValueId id : node.inputs) complete = complete && id != kAbsent;
  if (!complete) {
    return InvalidArgument(
        fmt::format("{}: {} inputs and {} outputs; it has 3 and 1", owner, node.inputs.size(), node.outputs.size()));
  }
  LQ_ASSIGN_OR_RETURN(const Constant* scale, FloatInput(owner, graph, node, 1, constants));
  LQ_ASSIGN_OR_RETURN(const Constant* offset, FloatInput(owner, graph, node, 2, constants));
  if (scale->f32.size() != offset->f32.size()) {
    return InvalidArgument(fmt::format("{}: {} scales, but {} offsets", owner, scale->f32.size(), offset->f32.size()));
  }
  EncodingEntry entry;
  entry.scale = scale->f32;
  LQ_RETURN_IF_ERROR(SetGrid(owner, node, *offset, entry));
  LQ_RETURN_IF_ERROR(SetAxesFromEnd(owner, node, scale->shape, entry));
  return entry;
}

}  // namespace lq
