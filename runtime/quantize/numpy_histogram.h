// The histograms of onnxruntime.quantization (HistogramCollector), which are numpy's: numpy.histogram of float32 values
// with float32 edges.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_NUMPY_HISTOGRAM_H_
#define LANEQUANT_RUNTIME_QUANTIZE_NUMPY_HISTOGRAM_H_

#include <cstddef>
#include <span>

#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "runtime/quantize/edge_histogram.h"
#include "runtime/quantize/ranges.h"

namespace lq {

// Increasing edges, one more than bins. Bin i counts edges[i] <= x < edges[i + 1]; the last has its upper edge, too.
struct NumpyHistogram : EdgeHistogram {
  float threshold = 0;  // of CollectValues: the largest |x| that has a bin; 0 where there are zeros only
};

// All below take finite values. Errors of the first two: numpy's "too many bins for data range", and growth to more
// than `max_bins`. They leave `histogram` as it was.

// HistogramCollector.collect_absolute_value: of |x|, from the smallest to the largest of the first batch; later ones
// add bins of the same width at the end.
Status CollectAbsolute(std::span<const float> values, size_t bins, size_t max_bins, const BulkOptions& bulk,
                       NumpyHistogram& histogram);

// HistogramCollector.collect_value: from -t to t, t the largest |x|; later batches add bins of the same width at both
// ends. `range`: of the values.
Status CollectValues(std::span<const float> values, FloatRange range, size_t bins, size_t max_bins,
                     const BulkOptions& bulk, NumpyHistogram& histogram);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_NUMPY_HISTOGRAM_H_
