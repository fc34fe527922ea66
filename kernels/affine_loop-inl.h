// Per-target: walks a tensor under an AffineLayout in stretches that a vector loop takes in one go.

#if defined(LANEQUANT_KERNELS_AFFINE_LOOP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_AFFINE_LOOP_INL_H_
#undef LANEQUANT_KERNELS_AFFINE_LOOP_INL_H_
#else
#define LANEQUANT_KERNELS_AFFINE_LOOP_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/contracts_quantize.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

namespace affine {

// Kernel has, for elements of type In and pointers to results, Results:
//   bool PrepareRuns(scale, offset, n)  for the next n <= 64 runs; false: not for Uniform
//   void Uniform(in, n, k, out)         n elements of the k-th of these runs
//   void Runs(in, run, k, runs, out)    whole runs from the k-th on
//   bool PrepareRow(scale, offset, n)   for rows of n elements, each with its own scale; false: not for Row
//   void Row(in, n, at, out)            n elements, the first with scale[at]
//   void Batch(in, n, scale, offset, out)  n <= 64 elements, each with its own scale: any scale; arrays of 64
// Where it is called may decide its speed, not its result.
template <class Kernel>
class AffineLoop {
 public:
  using In = typename Kernel::In;
  using Results = typename Kernel::Results;

  // `n`: all elements of the calls to Run.
  AffineLoop(const AffineLayout& layout, size_t n, Kernel& kernel)
      : kernel_(kernel), layout_(layout), run_(layout.count == 1 ? std::max<size_t>(n, 1) : layout.run) {
    if (run_ >= kShortRun || layout.count == 1) {
      mode_ = Mode::kRuns;
    } else if (run_ == 1 && layout.count >= kShortRow) {
      PrepareRow(layout.scale, layout.offset, layout.count, n);
    } else if (layout.count <= kSpread / run_ && n >= kShortRow) {
      SpreadRow();
      PrepareRow(scale_, offset_, row_, n);
    }
  }

  // The next `count` elements.
  void Run(const In* in, size_t count, Results out) {
    while (count != 0) {
      const size_t taken = mode_ == Mode::kRuns  ? TakeRun(in, count, out)
                           : mode_ == Mode::kRow ? TakeRow(in, count, out)
                                                 : TakeBatch(in, count, out);
      in += taken;
      out += taken;
      count -= taken;
    }
  }

 private:
  enum class Mode { kRuns, kRow, kBatches };
  static constexpr size_t kGroup = 64;      // runs, and elements of a batch
  static constexpr size_t kShortRun = 16;   // elements that fill the widest vector
  static constexpr size_t kShortRow = 256;  // elements: shorter ones are repeated, so that few vectors are cut
  static constexpr size_t kSpread = 1024;   // elements of the longest row that is made of shorter runs or rows

  void PrepareRow(const float* scale, const int32_t* offset, size_t row, size_t n) {
    row_ = row;
    if (kernel_.PrepareRow(scale, offset, std::min(row, n))) mode_ = Mode::kRow;
  }

  // The scales of all runs, one for each element, over and over.
  void SpreadRow() {
    const size_t period = layout_.count * run_;
    row_ = std::max<size_t>(1, kShortRow / period) * period;
    for (size_t i = 0, at = 0; i < row_; i += run_, at = at + 1 == layout_.count ? 0 : at + 1) {
      std::fill_n(scale_ + i, run_, layout_.scale[at]);
      std::fill_n(offset_ + i, run_, layout_.offset[at]);
    }
  }

  size_t TakeRun(const In* in, size_t count, Results out) {
    if (at_ == group_) NextGroup();
    if (fast_ && within_ == 0 && count >= run_) {
      const size_t runs = std::min(group_ - at_, count / run_);
      kernel_.Runs(in, run_, at_, runs, out);
      at_ += runs;
      return runs * run_;
    }
    const size_t taken = std::min(run_ - within_, fast_ ? count : std::min(count, kGroup));
    if (fast_) {
      kernel_.Uniform(in, taken, at_, out);
    } else {
      std::fill_n(scale_, kGroup, layout_.scale[first_ + at_]);
      std::fill_n(offset_, kGroup, layout_.offset[first_ + at_]);
      kernel_.Batch(in, taken, scale_, offset_, out);
    }
    within_ += taken;
    if (within_ == run_) {
      within_ = 0;
      ++at_;
    }
    return taken;
  }

  void NextGroup() {
    at_ = 0;
    if (group_ == layout_.count) return;  // the same again
    first_ = first_ + group_ == layout_.count ? 0 : first_ + group_;
    group_ = std::min(kGroup, layout_.count - first_);
    fast_ = kernel_.PrepareRuns(layout_.scale + first_, layout_.offset + first_, group_);
  }

  size_t TakeRow(const In* in, size_t count, Results out) {
    const size_t taken = std::min(row_ - within_, count);
    kernel_.Row(in, taken, within_, out);
    within_ = within_ + taken == row_ ? 0 : within_ + taken;
    return taken;
  }

  size_t TakeBatch(const In* in, size_t count, Results out) {
    const size_t taken = std::min(kGroup, count);
    for (size_t i = 0; i < taken; ++i) {
      scale_[i] = layout_.scale[at_];
      offset_[i] = layout_.offset[at_];
      if (++within_ < run_) continue;
      within_ = 0;
      if (++at_ == layout_.count) at_ = 0;
    }
    kernel_.Batch(in, taken, scale_, offset_, out);
    return taken;
  }

  Kernel& kernel_;
  const AffineLayout layout_;
  const size_t run_;
  Mode mode_ = Mode::kBatches;
  bool fast_ = false;
  size_t row_ = 0, first_ = 0, group_ = 0;  // of runs: first_ .. first_ + group_ - 1 are prepared
  size_t at_ = 0, within_ = 0;              // the next run (of the group), the next element of it or of the row
  alignas(64) float scale_[kSpread + kGroup];
  alignas(64) int32_t offset_[kSpread + kGroup];
};

}  // namespace affine

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_AFFINE_LOOP_INL_H_
