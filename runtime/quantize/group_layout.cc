#include "runtime/quantize/group_layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/status_macros.h"

namespace lq {
namespace {

// The block size along a dimension, or 0 if it does not fit.
int64_t BlockOf(int64_t dim, int64_t scales, std::span<const int64_t> block_size, size_t axis) {
  if (block_size.empty()) return scales == dim ? 1 : scales == 1 ? dim : 0;
  const int64_t block = block_size[axis];
  if (block == -1) return dim % scales == 0 ? dim / scales : 0;
  return block > 0 && dim % block == 0 && dim / block == scales ? block : 0;
}

Status CheckShapes(const std::string& what, const Shape& tensor, const Shape& scale_shape,
                   std::span<const int64_t> block_size) {
  if (tensor.NumElements() < 0) return InvalidArgument(fmt::format("{}: shape {} overflows", what, tensor.ToString()));
  for (int64_t dim : scale_shape.dims()) {
    if (dim < 1)
      return InvalidArgument(fmt::format("scale shape {} has the dimension {}", scale_shape.ToString(), dim));
  }
  if (scale_shape.rank() > tensor.rank()) {
    return InvalidArgument(fmt::format("{}: shape {} has {} dimensions, but scale shape {} has {}", what,
                                       tensor.ToString(), tensor.rank(), scale_shape.ToString(), scale_shape.rank()));
  }
  if (!block_size.empty() && block_size.size() != scale_shape.rank()) {
    return InvalidArgument(fmt::format("block_size has {} entries, but scale shape {} has {} dimensions",
                                       block_size.size(), scale_shape.ToString(), scale_shape.rank()));
  }
  return OkStatus();
}

}  // namespace

Result<GroupLayout> GroupLayout::Make(const std::string& what, const Shape& tensor, const Shape& scale_shape,
                                      std::span<const int64_t> block_size) {
  LQ_RETURN_IF_ERROR(CheckShapes(what, tensor, scale_shape, block_size));
  GroupLayout layout;
  const size_t lead = tensor.rank() - scale_shape.rank();
  // Fits, hence no overflow: scales are no more than elements along each dimension.
  size_t group_stride = 1;
  for (size_t axis = 0; axis < scale_shape.rank(); ++axis) {
    if (BlockOf(tensor[lead + axis], scale_shape[axis], block_size, axis) == 0) {
      return InvalidArgument(
          block_size.empty()
              ? fmt::format("{}: scale shape {} does not broadcast to shape {} along its dimension {}: {} and {}", what,
                            scale_shape.ToString(), tensor.ToString(), axis, scale_shape[axis], tensor[lead + axis])
              : fmt::format("{}: shape {} is not scale shape {} times block_size {} along dimension {}: {} and {} * {}",
                            what, tensor.ToString(), scale_shape.ToString(), fmt::join(block_size, ", "), axis,
                            tensor[lead + axis], scale_shape[axis], block_size[axis]));
    }
    group_stride *= static_cast<size_t>(scale_shape[axis]);
  }
  layout.groups_ = group_stride;
  for (size_t i = 0; i < lead; ++i) layout.Append(static_cast<size_t>(tensor[i]), 0);
  for (size_t axis = 0; axis < scale_shape.rank(); ++axis) {
    group_stride /= static_cast<size_t>(scale_shape[axis]);
    layout.Append(static_cast<size_t>(scale_shape[axis]), group_stride);
    layout.Append(static_cast<size_t>(tensor[lead + axis] / scale_shape[axis]), 0);
  }
  layout.Finish();
  return layout;
}

void GroupLayout::Append(size_t extent, size_t group_stride) {
  elements_ *= extent;
  if (extent == 1) return;
  Digit* last = digit_count_ == 0 ? nullptr : &digits_[digit_count_ - 1];
  if (last != nullptr && last->group_stride == extent * group_stride) {
    *last = {last->extent * extent, 0, group_stride};
  } else {
    digits_[digit_count_++] = {extent, 0, group_stride};
  }
}

void GroupLayout::Finish() {
  size_t stride = 1;
  for (size_t i = digit_count_; i-- > 0;) {
    digits_[i].element_stride = stride;
    stride *= digits_[i].extent;
  }
  // From the inside: a place in a block, the innermost block number (its group stride is 1), repeats of all that.
  outer_digits_ = digit_count_;
  const auto take = [&](bool block_number) {
    if (outer_digits_ == 0 || (digits_[outer_digits_ - 1].group_stride != 0) != block_number) return size_t{1};
    return digits_[--outer_digits_].extent;
  };
  run_ = take(false);
  count_ = take(true);
  stretch_ = run_ * count_ * take(false);
}

size_t GroupLayout::FirstGroup(size_t stretch) const {
  size_t group = 0;
  for (size_t i = outer_digits_; i-- > 0;) {
    group += stretch % digits_[i].extent * digits_[i].group_stride;
    stretch /= digits_[i].extent;
  }
  return group;
}

size_t GroupLayout::PieceOffset(size_t piece) const {
  size_t offset = 0;
  for (size_t i = digit_count_; i-- > 0;) {
    if (digits_[i].group_stride != 0 || digits_[i].element_stride == 1) continue;
    offset += piece % digits_[i].extent * digits_[i].element_stride;
    piece /= digits_[i].extent;
  }
  return offset;
}

}  // namespace lq
