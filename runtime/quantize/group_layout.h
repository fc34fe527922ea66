// GroupLayout: which scale each element of a tensor belongs to, by AIMET's rule (lanequant/calibrate.h). A group is the
// elements that share a scale; groups are numbered row-major over the scale's shape.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_GROUP_LAYOUT_H_
#define LANEQUANT_RUNTIME_QUANTIZE_GROUP_LAYOUT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

class GroupLayout {
 public:
  // `what` is the tensor's name in messages. Errors: the shapes do not fit, they overflow, no scales.
  static Result<GroupLayout> Make(const std::string& what, const Shape& tensor, const Shape& scale_shape,
                                  std::span<const int64_t> block_size);

  size_t elements() const { return elements_; }
  size_t groups() const { return groups_; }

  // In memory order the tensor is stretches of stretch() elements; element i of stretch s belongs to group
  // FirstGroup(s) + (i / run()) % count(). Per tensor, per channel and blocks along the last axis are one stretch.
  size_t run() const { return run_; }
  size_t count() const { return count_; }
  size_t stretch() const { return stretch_; }
  size_t FirstGroup(size_t stretch) const;
  // Whether the groups lie one after the other, each in one piece of run() elements.
  bool in_order() const { return elements_ == groups_ * run_; }

  // Calls use(begin, n) for each piece of memory that the group consists of, in memory order.
  template <class Use>
  void ForEachPiece(size_t group, const Use& use) const {
    size_t base = 0, pieces = 1, piece = 1;
    for (const Digit& digit : digits()) {
      if (digit.group_stride != 0) {
        base += group / digit.group_stride % digit.extent * digit.element_stride;
      } else if (digit.element_stride == 1) {
        piece = digit.extent;
      } else {
        pieces *= digit.extent;
      }
    }
    for (size_t i = 0; i < pieces; ++i) use(base + PieceOffset(i), piece);
  }

 private:
  // The row-major index of an element in mixed radix: each dimension is a block number and a place in the block,
  // neighbours merged where one count goes on into the next. Places in blocks have group_stride 0.
  struct Digit {
    size_t extent, element_stride, group_stride;
  };

  std::span<const Digit> digits() const { return {digits_.data(), digit_count_}; }
  void Append(size_t extent, size_t group_stride);
  void Finish();
  size_t PieceOffset(size_t piece) const;

  std::array<Digit, 2 * Shape::kMaxRank> digits_{};  // outermost first
  size_t digit_count_ = 0, outer_digits_ = 0;
  size_t elements_ = 1, groups_ = 1, run_ = 1, count_ = 1, stretch_ = 1;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_GROUP_LAYOUT_H_
