// Cuts a tensor under an AffineLayout into pieces that a vector loop takes in one go.
#ifndef LANEQUANT_KERNELS_AFFINE_PIECES_H_
#define LANEQUANT_KERNELS_AFFINE_PIECES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"

namespace lq::kernels {

// Elements begin .. begin + count - 1. Element begin + j uses scale[j], or scale[0] where the pieces are uniform.
struct AffinePiece {
  size_t begin, count;
  const float* scale;
  const int32_t* offset;
};

class AffinePieces {
 public:
  AffinePieces(const AffineLayout& layout, size_t n)
      : layout_(layout), n_(n), run_(layout.count == 1 ? n : layout.run), uniform_(run_ >= kShortRun || run_ == n) {}

  // Whether each piece has one scale.
  bool uniform() const { return uniform_; }

  // False at the end.
  bool Next(AffinePiece& piece) {
    if (begin_ == n_) return false;
    if (uniform_) {
      piece = {begin_, std::min(run_, n_ - begin_), layout_.scale + index_, layout_.offset + index_};
      Advance();
    } else if (run_ == 1 && layout_.count >= kBuffered) {
      piece = {begin_, std::min(layout_.count, n_ - begin_), layout_.scale, layout_.offset};
    } else {
      piece = {begin_, std::min(kBuffered, n_ - begin_), scale_, offset_};
      Spread(piece.count);
    }
    begin_ += piece.count;
    return true;
  }

 private:
  // Runs shorter than the widest vector of floats would leave its lanes empty.
  static constexpr size_t kShortRun = 16;
  static constexpr size_t kBuffered = 64;

  void Advance() { index_ = index_ + 1 == layout_.count ? 0 : index_ + 1; }

  // The next `count` elements' own scales, side by side.
  void Spread(size_t count) {
    for (size_t j = 0; j < count; ++j) {
      scale_[j] = layout_.scale[index_];
      offset_[j] = layout_.offset[index_];
      if (++within_ < run_) continue;
      within_ = 0;
      Advance();
    }
  }

  const AffineLayout layout_;
  const size_t n_, run_;
  const bool uniform_;
  size_t begin_ = 0, index_ = 0, within_ = 0;  // the next element, its scale, and where it is in its run
  float scale_[kBuffered];
  int32_t offset_[kBuffered];
};

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_AFFINE_PIECES_H_
