// ScaleMap: which scale each element of a tensor uses, and the pieces of the tensor that one kernel call can take.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_SCALE_MAP_H_
#define LANEQUANT_RUNTIME_QUANTIZE_SCALE_MAP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// Elements begin..begin + n; element begin + i uses scale first + (i / run) % count.
struct ScalePiece {
  size_t begin, n;
  size_t first, count, run;
};

// Splitting every dimension into (blocks, indices of a block) turns the tensor into nested loops, each of which either
// walks the scales or repeats them. Neighbours of one kind merge, so that what is left alternates. The innermost three
// loops, repeat (walk (repeat)), are what an AffineLayout describes: per tensor, per channel and blocks along one axis
// need no more, or one more.
class ScaleMap {
 public:
  // AIMET's rules (lanequant/quantize.h). `name` is the tensor's, for messages.
  static Result<ScaleMap> Make(const char* name, const Shape& tensor, const Shape& scale,
                               std::span<const int64_t> block_size);

  size_t elements() const { return elements_; }
  size_t scales() const { return scales_; }
  // Consecutive elements that share a scale.
  size_t run() const { return run_; }

  // Whether each scale is that of one run, and these lie in the scales' order.
  bool in_order() const { return elements_ == scales_ * run_; }
  // Calls use(begin, n) for each run of elements with this scale, in memory order.
  template <class Use>
  void ForEachRunOf(size_t scale, const Use& use) const {
    for (size_t i = 0; i < elements_ / scales_ / run_; ++i) use(RunBegin(scale, i), run_);
  }

  // The longest piece that begins at `begin` and ends no later than `end`; begin < end <= elements().
  ScalePiece At(size_t begin, size_t end) const;

 private:
  struct Loop {
    size_t size, step;  // step: of the scale index; 0 repeats
  };
  static constexpr size_t kMaxLoops = 2 * Shape::kMaxRank;

  void Add(Loop loop);
  // Takes the innermost loop off if it is of this kind; 1 if it is not.
  size_t TakeInner(bool repeats);
  // Where the scale's run number `i` begins.
  size_t RunBegin(size_t scale, size_t i) const;

  std::array<Loop, kMaxLoops> loops_{};       // outermost first
  size_t loop_count_ = 0, depth_ = 0;         // all of them, and those outside the innermost three
  size_t repeats_ = 1, count_ = 1, run_ = 1;  // the innermost three
  size_t elements_ = 0, scales_ = 0;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_SCALE_MAP_H_
