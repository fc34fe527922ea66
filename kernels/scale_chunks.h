// The scales of a tensor's elements side by side, a few elements at a time: one vector loop for every AffineLayout.
#ifndef LANEQUANT_KERNELS_SCALE_CHUNKS_H_
#define LANEQUANT_KERNELS_SCALE_CHUNKS_H_

#include <algorithm>
#include <cstddef>

#include "kernels/contracts_quantize.h"

namespace lq::kernels {

// Elements begin .. begin + count - 1; begin + j uses scale[j]. All of scale[0 .. kChunk - 1] may be read.
struct ScaleChunk {
  size_t begin, count;
  const float* scale;
};

class ScaleChunks {
 public:
  static constexpr size_t kChunk = 64;

  ScaleChunks(const AffineLayout& layout, size_t n) : layout_(layout), n_(n), run_(layout.count == 1 ? n : layout.run) {
    std::fill_n(scale_, kChunk, layout.scale[0]);
  }

  // False at the end.
  bool Next(ScaleChunk& chunk) {
    if (begin_ == n_) return false;
    chunk = {begin_, std::min(kChunk, n_ - begin_), scale_};
    begin_ += chunk.count;
    if (run_ == 1) {
      CopyScales(chunk.count);
    } else if (filled_ == index_ && chunk.count <= run_ - within_) {
      Advance(chunk.count);  // still the scale of the chunk before
    } else {
      FillRuns(chunk.count);
    }
    return true;
  }

 private:
  static constexpr size_t kMixed = ~size_t{0};

  void CopyScales(size_t count) {
    for (size_t j = 0; j < count;) {
      const size_t part = std::min(count - j, layout_.count - index_);
      std::copy_n(layout_.scale + index_, part, scale_ + j);
      index_ = index_ + part == layout_.count ? 0 : index_ + part;
      j += part;
    }
  }

  void FillRuns(size_t count) {
    if (count <= run_ - within_) {  // all of it: the next chunk may be longer
      std::fill_n(scale_, kChunk, layout_.scale[index_]);
      filled_ = index_;
      return Advance(count);
    }
    filled_ = kMixed;
    for (size_t j = 0; j < count;) {
      const size_t part = std::min(run_ - within_, count - j);
      std::fill_n(scale_ + j, part, layout_.scale[index_]);
      Advance(part);
      j += part;
    }
  }

  void Advance(size_t count) {
    within_ += count;
    if (within_ < run_) return;
    within_ = 0;
    index_ = index_ + 1 == layout_.count ? 0 : index_ + 1;
  }

  const AffineLayout layout_;
  const size_t n_, run_;
  size_t begin_ = 0, index_ = 0, within_ = 0;  // the next element, its scale, and where it is in its run
  size_t filled_ = 0;                          // the scale that fills all of scale_, or kMixed
  alignas(64) float scale_[kChunk];
};

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_SCALE_CHUNKS_H_
