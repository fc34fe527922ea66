#include "runtime/passes/block_layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "runtime/axis.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

Result<size_t> FindChannelAxis(const EncodingEntry& entry, const Shape& tensor, size_t block_axis,
                               const ConstantRole& role) {
  std::optional<size_t> channel;
  if (entry.channel_axis.has_value()) {
    LQ_ASSIGN_OR_RETURN(channel, FromEnd(entry.name, *entry.channel_axis, tensor));
  }
  for (size_t axis = 0; axis < tensor.rank(); ++axis) {
    if (axis == block_axis || entry.block_shape[axis] == 1 || axis == channel) continue;
    if (channel.has_value()) {
      return Unsupported(
          fmt::format("tensor '{}': block scales of shape ({}) vary along axes {} and {} besides axis "
                      "{} of the blocks; supported: one axis of channels",
                      entry.name, fmt::join(entry.block_shape, ", "), *channel, axis, block_axis));
    }
    channel = axis;
  }
  if (!channel.has_value() && role.axes.has_value()) channel = role.axes->channel;
  if (!channel.has_value() || *channel == block_axis) {
    return Unsupported(fmt::format("tensor '{}': blocks along axis {} of shape {}, and no other axis of channels",
                                   entry.name, block_axis, tensor.ToString()));
  }
  return *channel;
}

}  // namespace

Result<size_t> FromEnd(const std::string& name, int64_t axis, const Shape& tensor) {
  if (const std::optional<size_t> at = FindAxis(axis, tensor.rank())) return *at;
  return InvalidArgument(
      fmt::format("tensor '{}': axis {} of its encoding does not exist in shape {}", name, axis, tensor.ToString()));
}

Result<BlockLayout> FindBlockLayout(const EncodingEntry& entry, const Shape& tensor, const ConstantRole& role) {
  LQ_ASSIGN_OR_RETURN(const size_t block_axis, FromEnd(entry.name, *entry.block_axis, tensor));
  if (entry.block_shape.size() != tensor.rank()) {
    return InvalidArgument(fmt::format("tensor '{}': block scales of {} dimensions for shape {} of {}", entry.name,
                                       entry.block_shape.size(), tensor.ToString(), tensor.rank()));
  }
  LQ_ASSIGN_OR_RETURN(const size_t channel_axis, FindChannelAxis(entry, tensor, block_axis, role));
  const int64_t channels = tensor[channel_axis], in_file = entry.block_shape[channel_axis];
  const int64_t scales = static_cast<int64_t>(entry.type == EncodingType::kLpbq ? entry.scale.size() : channels);
  if ((in_file != 1 && in_file != channels) || (scales != 1 && scales != channels)) {
    return InvalidArgument(fmt::format("tensor '{}': block scales of shape ({}) and {} channel scales for {} channels",
                                       entry.name, fmt::join(entry.block_shape, ", "), scales, channels));
  }
  BlockLayout layout{channel_axis, block_axis, {}, {}};
  // All other dimensions are 1: the array is a matrix in one of two orders.
  const size_t blocks = static_cast<size_t>(entry.block_shape[block_axis]);
  const bool channels_first = channel_axis < block_axis;
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    const size_t row = in_file == 1 ? 0 : c;
    for (size_t b = 0; b < blocks; ++b) {
      layout.order.push_back(channels_first ? row * blocks + b : b * static_cast<size_t>(in_file) + row);
    }
    layout.channel_of_scale.push_back(scales == 1 ? 0 : c);
  }
  return layout;
}

}  // namespace lq
