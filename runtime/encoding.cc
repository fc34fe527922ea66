#include "lanequant/encoding.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int64_t kMaxCentred = int64_t{1} << 24;  // q + offset is exact in float32 up to here

Status CheckGrid(const std::string& name, int bitwidth) {
  if (bitwidth >= 2 && bitwidth <= 16) return OkStatus();
  return InvalidArgument(fmt::format("{}: bitwidth {} is outside 2..16", name, bitwidth));
}

Status CheckScales(const std::string& name, std::span<const float> scales) {
  for (size_t i = 0; i < scales.size(); ++i) {
    if (std::isfinite(scales[i]) && scales[i] > 0) continue;
    return InvalidArgument(fmt::format("{}: scale {} is {}, not a finite number above 0", name, i, scales[i]));
  }
  return OkStatus();
}

Status CheckOffsets(const std::string& name, Grid grid, std::span<const int32_t> offsets) {
  for (size_t i = 0; i < offsets.size(); ++i) {
    const int64_t offset = offsets[i];
    if (grid.qmin() + offset >= -kMaxCentred && grid.qmax() + offset <= kMaxCentred) continue;
    return InvalidArgument(fmt::format("{}: offset {} is {}: codes would leave -2^24..2^24", name, i, offset));
  }
  return OkStatus();
}

Status CheckCount(const std::string& name, const char* what, size_t have, int64_t want, const Shape& shape) {
  if (static_cast<int64_t>(have) == want) return OkStatus();
  return InvalidArgument(fmt::format("{}: {} {}s, but shape {} needs {}", name, have, what, shape.ToString(), want));
}

Status CheckAxis(const std::string& name, size_t axis, const Shape& shape) {
  if (axis < shape.rank()) return OkStatus();
  return InvalidArgument(fmt::format("{}: axis {} does not exist in shape {}", name, axis, shape.ToString()));
}

// The number of blocks along the block axis, after checking that they tile it.
Result<int64_t> CountBlocks(const std::string& name, size_t channel_axis, size_t block_axis, int64_t block_size,
                            const Shape& shape) {
  LQ_RETURN_IF_ERROR(CheckAxis(name, channel_axis, shape));
  LQ_RETURN_IF_ERROR(CheckAxis(name, block_axis, shape));
  if (channel_axis == block_axis) {
    return InvalidArgument(fmt::format("{}: channel axis and block axis are both {}", name, block_axis));
  }
  const int64_t dim = shape[block_axis];
  if (block_size < 1 || dim % block_size != 0) {
    return InvalidArgument(fmt::format("{}: block size {} does not divide dimension {} of shape {}, which is {}", name,
                                       block_size, block_axis, shape.ToString(), dim));
  }
  return dim / block_size;
}

Status Validate(const std::string& name, const PerTensor& e, const Shape&) {
  LQ_RETURN_IF_ERROR(CheckGrid(name, e.grid.bitwidth));
  LQ_RETURN_IF_ERROR(CheckScales(name, {&e.scale, 1}));
  return CheckOffsets(name, e.grid, {&e.offset, 1});
}

Status Validate(const std::string& name, const PerChannel& e, const Shape& shape) {
  LQ_RETURN_IF_ERROR(CheckGrid(name, e.grid.bitwidth));
  LQ_RETURN_IF_ERROR(CheckAxis(name, e.axis, shape));
  LQ_RETURN_IF_ERROR(CheckCount(name, "scale", e.scale.size(), shape[e.axis], shape));
  LQ_RETURN_IF_ERROR(CheckCount(name, "offset", e.offset.size(), shape[e.axis], shape));
  LQ_RETURN_IF_ERROR(CheckScales(name, e.scale));
  return CheckOffsets(name, e.grid, e.offset);
}

Status Validate(const std::string& name, const PerBlock& e, const Shape& shape) {
  LQ_RETURN_IF_ERROR(CheckGrid(name, e.grid.bitwidth));
  LQ_ASSIGN_OR_RETURN(const int64_t blocks, CountBlocks(name, e.channel_axis, e.block_axis, e.block_size, shape));
  const int64_t want = shape[e.channel_axis] * blocks;
  LQ_RETURN_IF_ERROR(CheckCount(name, "scale", e.scale.size(), want, shape));
  LQ_RETURN_IF_ERROR(CheckCount(name, "offset", e.offset.size(), want, shape));
  LQ_RETURN_IF_ERROR(CheckScales(name, e.scale));
  return CheckOffsets(name, e.grid, e.offset);
}

Status Validate(const std::string& name, const Lpbq& e, const Shape& shape) {
  LQ_RETURN_IF_ERROR(CheckGrid(name, e.bitwidth));
  LQ_RETURN_IF_ERROR(CheckGrid(name, e.decompressed_bitwidth));
  if (e.decompressed_bitwidth < e.bitwidth) {
    return InvalidArgument(fmt::format("{}: {} compressed bits do not fit {} decompressed ones", name, e.bitwidth,
                                       e.decompressed_bitwidth));
  }
  LQ_ASSIGN_OR_RETURN(const int64_t blocks, CountBlocks(name, e.channel_axis, e.block_axis, e.block_size, shape));
  const int64_t channels = shape[e.channel_axis];
  LQ_RETURN_IF_ERROR(CheckCount(name, "channel scale", e.channel_scale.size(), channels, shape));
  LQ_RETURN_IF_ERROR(CheckCount(name, "block scale", e.per_block_int_scale.size(), channels * blocks, shape));
  const uint32_t largest = uint32_t{1} << (e.decompressed_bitwidth - e.bitwidth);
  for (size_t i = 0; i < e.per_block_int_scale.size(); ++i) {
    const uint32_t scale = e.per_block_int_scale[i];
    if (scale >= 1 && scale <= largest) continue;
    return InvalidArgument(fmt::format("{}: integer scale {} is {}, outside 1..{}", name, i, scale, largest));
  }
  return CheckScales(name, e.channel_scale);
}

std::string DescribeGrid(Grid grid) { return fmt::format("{}{}", grid.is_signed ? 's' : 'u', grid.bitwidth); }

}  // namespace

Status ValidateEncoding(const std::string& name, const Encoding& encoding, const Shape& shape) {
  return std::visit([&](const auto& e) { return Validate(name, e, shape); }, encoding);
}

std::string Describe(const Encoding& encoding) {
  struct Visitor {
    std::string operator()(const PerTensor& e) const {
      return fmt::format("{} per tensor, scale {}, offset {}", DescribeGrid(e.grid), e.scale, e.offset);
    }
    std::string operator()(const PerChannel& e) const {
      return fmt::format("{} per channel, {} channels", DescribeGrid(e.grid), e.scale.size());
    }
    std::string operator()(const PerBlock& e) const {
      return fmt::format("{} per block of {}, {} scales", DescribeGrid(e.grid), e.block_size, e.scale.size());
    }
    std::string operator()(const Lpbq& e) const {
      return fmt::format("LPBQ s{} -> {} bits, {} channels, block {}", e.bitwidth, e.decompressed_bitwidth,
                         e.channel_scale.size(), e.block_size);
    }
  };
  return std::visit(Visitor{}, encoding);
}

}  // namespace lq
