// The histogram of Quark's torch observers (PerTensorHistogramObserver over torch.histc) in float32.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_QUARK_HISTOGRAM_H_
#define LANEQUANT_RUNTIME_QUANTIZE_QUARK_HISTOGRAM_H_

#include <cstddef>
#include <span>

#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "runtime/quantize/edge_histogram.h"
#include "runtime/quantize/ranges.h"

namespace lq {

struct QuarkRule {
  bool magnitudes = true;   // symmetric: |x|, from 0 on
  bool skip_zeros = false;  // zeros neither count nor widen the range
  size_t first_bins = 2048;
  size_t max_bins = size_t{1} << 22;
};

// Later batches add bins of the first one's width at either end. As in Quark, counts there are stay in their bins by
// number, also where bins were added below them; and the ends of the bins are those of torch.linspace and torch.arange
// on x86 with FMA, to the bit. Edges are as many as bins, and one; growth at the lower end may leave one more or less.
// Counts are exact; Quark's are float32, which end at 2^24.
struct QuarkHistogram : EdgeHistogram {
  // Finite values, which lie in `range`. Errors, which leave the histogram as it was: more than max_bins; a range that
  // float32 cannot cut into them, or that bins of the first batch's width do not cover, where Quark's assertions fail.
  Status Update(std::span<const float> values, FloatRange range, const QuarkRule& rule, const BulkOptions& bulk);
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_QUARK_HISTOGRAM_H_
