// The grid with the least noise for a histogram: aimet_torch's SqnrEncodingAnalyzer.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_SQNR_H_
#define LANEQUANT_RUNTIME_QUANTIZE_SQNR_H_

#include <cstdint>

#include "runtime/quantize/histogram.h"

namespace lq {

// The range of the candidate (101 symmetric, or 17 * 21 asymmetric ones) with the smallest sum over bins of squared
// error * count, clipped bins three times. AIMET adds these up in float32, this in float64: where two candidates are
// within the rounding of its sums (about 1e-6 of them) AIMET may take the other one.
FloatRange LeastNoiseRange(const Histogram& histogram, int64_t steps, bool symmetric);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_SQNR_H_
