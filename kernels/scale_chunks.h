// Cuts a tensor under an AffineLayout into pieces that a vector loop takes in one go.
#ifndef LANEQUANT_KERNELS_SCALE_CHUNKS_H_
#define LANEQUANT_KERNELS_SCALE_CHUNKS_H_

#include <algorithm>
#include <cstddef>

#include "kernels/contracts_quantize.h"

namespace lq::kernels {

// Elements begin .. begin + count - 1, of one multiple of kMost. uniform: all use *scale; else begin + j uses scale[j],
// and scale[0 .. kSpread - 1] may be read.
struct ScaleChunk {
  size_t begin, count;
  const float* scale;
  bool uniform;
};

class ScaleChunks {
 public:
  static constexpr size_t kMost = 1024;   // elements of a chunk
  static constexpr size_t kSpread = 128;  // of one that is not uniform

  ScaleChunks(const AffineLayout& layout, size_t n) : layout_(layout), n_(n), run_(layout.count == 1 ? n : layout.run) {
    std::fill_n(spread_, kSpread, layout.scale[0]);
  }

  // False at the end.
  bool Next(ScaleChunk& chunk) {
    if (begin_ == n_) return false;
    const bool uniform = run_ >= kShortRun || run_ == n_;
    if (uniform) {
      const size_t count = std::min({run_ - within_, kMost - begin_ % kMost, n_ - begin_});
      chunk = {begin_, count, layout_.scale + index_, true};
      Advance(count);
    } else {
      chunk = {begin_, std::min(kSpread, n_ - begin_), spread_, false};
      Spread(chunk.count);
    }
    begin_ += chunk.count;
    return true;
  }

 private:
  static constexpr size_t kShortRun = 16;  // shorter ones would leave lanes empty

  void Spread(size_t count) {
    for (size_t j = 0; j < count;) {
      const size_t part = run_ == 1 ? std::min(count - j, layout_.count - index_) : std::min(count - j, run_ - within_);
      if (run_ == 1) {
        std::copy_n(layout_.scale + index_, part, spread_ + j);
        index_ = index_ + part == layout_.count ? 0 : index_ + part;
      } else {
        std::fill_n(spread_ + j, part, layout_.scale[index_]);
        Advance(part);
      }
      j += part;
    }
  }

  // Within the run, to its end at most.
  void Advance(size_t count) {
    within_ += count;
    if (within_ < run_) return;
    within_ = 0;
    index_ = index_ + 1 == layout_.count ? 0 : index_ + 1;
  }

  const AffineLayout layout_;
  const size_t n_, run_;
  size_t begin_ = 0, index_ = 0, within_ = 0;  // the next element, its scale, and where it is in its run
  alignas(64) float spread_[kSpread];
};

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_SCALE_CHUNKS_H_
