// The grid with the least noise for a histogram: aimet_onnx's TF-enhanced analyzer.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_ONNX_TF_ENHANCED_H_
#define LANEQUANT_RUNTIME_QUANTIZE_ONNX_TF_ENHANCED_H_

#include "runtime/quantize/density_histogram.h"

namespace lq {

// The encoding of the candidate (101 symmetric ones, or 17 * 21 and the observed range) with the smallest sum over bins
// of density * squared error, three times where the grid ends. Sums are float32, bin after bin, as AIMET's are. The
// result is AIMET's but for the last places of the bins' edges (density_histogram.h): scales within 2^-19 of them.
ToolEncoding LeastCostEncoding(const DensityHistogram& histogram, const AnalyzerOptions& options);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_ONNX_TF_ENHANCED_H_
