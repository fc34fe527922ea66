#include "runtime/quantize/scale_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/status_macros.h"

namespace lq {
namespace {

// One dimension of the tensor: `scales` blocks of `block` indices.
struct Split {
  int64_t scales, block;
};

Result<Split> Broadcast(const char* name, const Shape& tensor, size_t axis, const Shape& scale, size_t i) {
  const int64_t dim = tensor[axis], scales = scale[i];
  if (scales == 1) return Split{1, dim};
  if (scales == dim) return Split{dim, 1};
  return InvalidArgument(
      fmt::format("scale: shape {} does not broadcast over {} of shape {}: {} scales along dimension {}, which is {}",
                  scale.ToString(), name, tensor.ToString(), scales, axis, dim));
}

Result<Split> Blocks(const char* name, const Shape& tensor, size_t axis, const Shape& scale, size_t i, int64_t block) {
  const int64_t dim = tensor[axis], scales = scale[i];
  if (block == -1) {
    if (scales != 0 && dim % scales == 0) return Split{scales, dim / scales};
    if (scales == 0 && dim == 0) return Split{0, 0};
    return InvalidArgument(
        fmt::format("block_size[{}]: {} scales do not divide dimension {} of {}, shape {}, which is {}", i, scales,
                    axis, name, tensor.ToString(), dim));
  }
  if (block < 1) return InvalidArgument(fmt::format("block_size[{}] is {}, neither above 0 nor -1", i, block));
  int64_t covered = 0;
  if (!__builtin_mul_overflow(block, scales, &covered) && covered == dim) return Split{scales, block};
  return InvalidArgument(
      fmt::format("block_size[{}]: {} scales for blocks of {} do not make up dimension {} of {}, shape {}, which is {}",
                  i, scales, block, axis, name, tensor.ToString(), dim));
}

Status CheckRanks(const char* name, const Shape& tensor, const Shape& scale, std::span<const int64_t> block_size) {
  if (!block_size.empty() && block_size.size() != scale.rank()) {
    return InvalidArgument(fmt::format("block_size: {} numbers for the {} dimensions of scale, shape {}",
                                       block_size.size(), scale.rank(), scale.ToString()));
  }
  if (scale.rank() > tensor.rank()) {
    return InvalidArgument(fmt::format("scale: {} dimensions, but {} has {}", scale.rank(), name, tensor.rank()));
  }
  return OkStatus();
}

}  // namespace

Result<ScaleMap> ScaleMap::Make(const char* name, const Shape& tensor, const Shape& scale,
                                std::span<const int64_t> block_size) {
  LQ_RETURN_IF_ERROR(CheckRanks(name, tensor, scale, block_size));
  ScaleMap map;
  map.elements_ = static_cast<size_t>(tensor.NumElements());
  map.scales_ = static_cast<size_t>(scale.NumElements());
  const size_t leading = tensor.rank() - scale.rank();
  size_t step = map.scales_;
  for (size_t axis = 0; axis < tensor.rank(); ++axis) {
    Split split = {1, tensor[axis]};
    if (axis >= leading) {
      const size_t i = axis - leading;
      LQ_ASSIGN_OR_RETURN(split, (block_size.empty() ? Broadcast(name, tensor, axis, scale, i)
                                                     : Blocks(name, tensor, axis, scale, i, block_size[i])));
    }
    if (map.elements_ == 0) continue;  // no division by an empty dimension, no loops
    step /= static_cast<size_t>(split.scales);
    map.Add({static_cast<size_t>(split.scales), step});
    map.Add({static_cast<size_t>(split.block), 0});
  }
  map.loop_count_ = map.depth_;
  map.run_ = map.TakeInner(true);
  map.count_ = map.TakeInner(false);
  map.repeats_ = map.TakeInner(true);
  return map;
}

void ScaleMap::Add(Loop loop) {
  if (loop.size == 1) return;
  // Scales are dense: where two loops that walk them meet, the outer one steps over all of the inner one.
  if (depth_ > 0 && (loops_[depth_ - 1].step == 0) == (loop.step == 0)) {
    loops_[depth_ - 1].size *= loop.size;
    loops_[depth_ - 1].step = loop.step;
  } else {
    loops_[depth_++] = loop;
  }
}

size_t ScaleMap::TakeInner(bool repeats) {
  if (depth_ == 0 || (loops_[depth_ - 1].step == 0) != repeats) return 1;
  return loops_[--depth_].size;
}

size_t ScaleMap::RunBegin(size_t scale, size_t i) const {
  size_t begin = 0, stride = 1;
  for (size_t inner = loop_count_; inner-- > 0; stride *= loops_[inner].size) {
    const Loop& loop = loops_[inner];
    if (loop.step != 0) {
      begin += scale / loop.step % loop.size * stride;
    } else if (stride != 1) {  // else the loop is the run itself
      begin += i % loop.size * stride;
      i /= loop.size;
    }
  }
  return begin;
}

ScalePiece ScaleMap::At(size_t begin, size_t end) const {
  const size_t cycle = count_ * run_, stretch = cycle * repeats_;
  size_t first = 0, outer = begin / stretch;
  for (size_t i = depth_; i-- > 0; outer /= loops_[i].size) first += outer % loops_[i].size * loops_[i].step;
  const size_t inside = begin % cycle;
  const size_t index = inside / run_, in_run = inside % run_;
  const size_t left = std::min(end - begin, stretch - begin % stretch);
  if (in_run != 0 || left <= run_ - in_run) {  // the rest of a run
    const size_t n = std::min(left, run_ - in_run);
    return {begin, n, first + index, 1, n};
  }
  if (index != 0) {  // the rest of a cycle
    const size_t n = std::min(left, cycle - inside);
    return {begin, n, first + index, (n + run_ - 1) / run_, run_};
  }
  return {begin, left, first, std::min(count_, (left + run_ - 1) / run_), run_};
}

}  // namespace lq
