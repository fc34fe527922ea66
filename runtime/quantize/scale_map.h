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

  std::array<Loop, kMaxLoops> loops_{};  // those outside the innermost three, outermost first
  size_t depth_ = 0;
  size_t repeats_ = 1, count_ = 1, run_ = 1;  // the innermost three
  size_t elements_ = 0, scales_ = 0;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_SCALE_MAP_H_
