#include "runtime/passes/entry_encoding.h"

#include <fmt/format.h>

#include <cmath>

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

Result<Encoding> ToLpbq(const EncodingEntry& entry, const WeightAxes& axes) {
  LQ_RETURN_IF_ERROR(CheckBitwidth(entry, entry.compressed_bitwidth));
  const double symmetric = -std::ldexp(1, entry.bitwidth - 1);
  for (size_t i = 0; i < entry.offset.size(); ++i) {
    if (entry.offset[i] == symmetric) continue;
    return Unsupported(fmt::format("tensor '{}': LPBQ offset {} is {}; supported: {} (symmetric)", entry.name, i,
                                   entry.offset[i], symmetric));
  }
  return Encoding(Lpbq{entry.compressed_bitwidth, entry.bitwidth, axes.channel, *axes.block, entry.block_size,
                       entry.scale, entry.per_block_int_scale});
}

}  // namespace

Result<Encoding> ToEncoding(const EncodingEntry& entry, const ConstantRole& role) {
  LQ_RETURN_IF_ERROR(CheckBitwidth(entry, entry.bitwidth));
  if (entry.type == EncodingType::kPerTensor) return ToPerTensor(entry);
  const bool per_block = entry.type != EncodingType::kPerChannel;
  if (!role.axes.has_value() || (per_block && !role.axes->block.has_value())) {
    return Unsupported(
        fmt::format("tensor '{}': an encoding per {} of a tensor that is no weight of a Conv, Gemm or "
                    "MatMul; supported there: per tensor",
                    entry.name, per_block ? "block" : "channel"));
  }
  if (entry.type == EncodingType::kLpbq) return ToLpbq(entry, *role.axes);
  LQ_ASSIGN_OR_RETURN(std::vector<int32_t> offsets, ToOffsets(entry));
  const Grid grid{entry.bitwidth, entry.is_symmetric};
  if (!per_block) return Encoding(PerChannel{grid, role.axes->channel, entry.scale, std::move(offsets)});
  return Encoding(
      PerBlock{grid, role.axes->channel, *role.axes->block, entry.block_size, entry.scale, std::move(offsets)});
}

}  // namespace lq
