// The range whose codes tell the least about a histogram that its bins did not: onnxruntime's entropy calibration.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_ORT_ENTROPY_H_
#define LANEQUANT_RUNTIME_QUANTIZE_ORT_ENTROPY_H_

#include "runtime/quantize/numpy_histogram.h"

namespace lq {

// HistogramCollector.get_entropy_threshold with `codes` quantized bins: the first of the ranges around zero with the
// smallest Kullback-Leibler divergence. onnxruntime adds up in float32, this in float64: where two divergences are
// equal to about 1e-6 it may take the other range.
FloatRange LeastDivergenceRange(const NumpyHistogram& histogram, size_t codes);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_ORT_ENTROPY_H_
