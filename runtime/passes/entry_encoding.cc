#include "runtime/passes/entry_encoding.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runtime/passes/block_layout.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

Status CheckBitwidth(const EncodingEntry& entry, int bitwidth) {
  if (bitwidth >= 2 && bitwidth <= 16) return OkStatus();
  return Unsupported(
      fmt::format("tensor '{}' is encoded in bitwidth {}; constants run in 2 to 16 bits", entry.name, bitwidth));
}

// File offsets are those of the unsigned grid: a symmetric 8-bit tensor has -128 there and 0 on the signed one.
Result<std::vector<int32_t>> ToOffsets(const EncodingEntry& entry) {
  const double shift = entry.is_symmetric ? std::ldexp(1, entry.bitwidth - 1) : 0;
  std::vector<int32_t> offsets;
  for (size_t i = 0; i < entry.offset.size(); ++i) {
    const double offset = entry.offset[i] + shift;
    if (!(std::abs(offset) <= 0x1p30) || std::trunc(offset) != offset) {
      return InvalidArgument(
          fmt::format("tensor '{}': offset {} is {}, not an integer in -2^30..2^30", entry.name, i, entry.offset[i]));
    }
    offsets.push_back(static_cast<int32_t>(offset));
  }
  return offsets;
}

Result<Encoding> ToPerTensor(const EncodingEntry& entry) {
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> offsets, ToOffsets(entry));
  if (entry.scale.size() != 1 || offsets.size() != 1) {
    return InvalidArgument(fmt::format("tensor '{}': {} scales and {} offsets; an encoding per tensor has 1",
                                       entry.name, entry.scale.size(), offsets.size()));
  }
  return Encoding(PerTensor{{entry.bitwidth, entry.is_symmetric}, entry.scale[0], offsets[0]});
}

Status CheckLpbqOffsets(const EncodingEntry& entry) {
  LQ_RETURN_IF_ERROR(CheckBitwidth(entry, entry.compressed_bitwidth));
  const double symmetric = -std::ldexp(1, entry.bitwidth - 1);
  for (size_t i = 0; i < entry.offset.size(); ++i) {
    if (entry.offset[i] == symmetric) continue;
    return Unsupported(fmt::format("tensor '{}': LPBQ offset {} is {}; supported: {} (symmetric)", entry.name, i,
                                   entry.offset[i], symmetric));
  }
  return OkStatus();
}

template <class T>
std::vector<T> Pick(const std::vector<T>& from, const std::vector<size_t>& order) {
  std::vector<T> out;
  for (size_t at : order) out.push_back(from[at]);
  return out;
}

// Blocks whose array says its shape.
Result<Encoding> ToBlocks(const EncodingEntry& entry, const Shape& tensor, const ConstantRole& role) {
  LQ_ASSIGN_OR_RETURN(const BlockLayout layout, FindBlockLayout(entry, tensor, role));
  if (entry.type == EncodingType::kLpbq) {
    LQ_RETURN_IF_ERROR(CheckLpbqOffsets(entry));
    return Encoding(Lpbq{entry.compressed_bitwidth, entry.bitwidth, layout.channel_axis, layout.block_axis,
                         entry.block_size, Pick(entry.scale, layout.channel_of_scale),
                         Pick(entry.per_block_int_scale, layout.order)});
  }
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> offsets, ToOffsets(entry));
  return Encoding(PerBlock{{entry.bitwidth, entry.is_symmetric},
                           layout.channel_axis,
                           layout.block_axis,
                           entry.block_size,
                           Pick(entry.scale, layout.order),
                           Pick(offsets, layout.order)});
}

// Blocks in a flat array of version 1.0.0: their order is OrderBlocks's to find.
Result<Encoding> ToFlatBlocks(const EncodingEntry& entry, const WeightAxes& axes) {
  if (entry.type == EncodingType::kLpbq) {
    LQ_RETURN_IF_ERROR(CheckLpbqOffsets(entry));
    return Encoding(Lpbq{entry.compressed_bitwidth, entry.bitwidth, axes.channel, *axes.block, entry.block_size,
                         entry.scale, entry.per_block_int_scale});
  }
  LQ_ASSIGN_OR_RETURN(std::vector<int32_t> offsets, ToOffsets(entry));
  return Encoding(PerBlock{{entry.bitwidth, entry.is_symmetric},
                           axes.channel,
                           *axes.block,
                           entry.block_size,
                           entry.scale,
                           std::move(offsets)});
}

}  // namespace

Result<Encoding> ToEncoding(const EncodingEntry& entry, const Shape& tensor, const ConstantRole& role) {
  LQ_RETURN_IF_ERROR(CheckBitwidth(entry, entry.bitwidth));
  // The older sim.export of aimet_torch calls the one scale of a PRelu's slopes PER_CHANNEL.
  const bool has_one_scale =
      entry.type == EncodingType::kPerChannel && entry.scale.size() == 1 && !role.axes.has_value();
  if (entry.type == EncodingType::kPerTensor || has_one_scale) return ToPerTensor(entry);
  const bool per_block = entry.type != EncodingType::kPerChannel;
  if (per_block && entry.block_axis.has_value()) return ToBlocks(entry, tensor, role);
  if (!entry.channel_axis.has_value() && (!role.axes.has_value() || (per_block && !role.axes->block.has_value()))) {
    return Unsupported(
        fmt::format("tensor '{}': an encoding per {} of a tensor that is no weight of a Conv, Gemm or "
                    "MatMul; supported there: per tensor",
                    entry.name, per_block ? "block" : "channel"));
  }
  if (per_block) return ToFlatBlocks(entry, *role.axes);
  size_t axis = 0;
  if (entry.channel_axis.has_value()) {
    LQ_ASSIGN_OR_RETURN(axis, FromEnd(entry.name, *entry.channel_axis, tensor));
  } else {
    axis = role.axes->channel;
  }
  LQ_ASSIGN_OR_RETURN(std::vector<int32_t> offsets, ToOffsets(entry));
  return Encoding(PerChannel{{entry.bitwidth, entry.is_symmetric}, axis, entry.scale, std::move(offsets)});
}

}  // namespace lq
