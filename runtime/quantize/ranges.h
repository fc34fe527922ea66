// From a range of observed values to an encoding, in the arithmetic of each tool. NaN goes in and comes out.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_RANGES_H_
#define LANEQUANT_RUNTIME_QUANTIZE_RANGES_H_

#include <cstdint>

#include "lanequant/calibrate.h"

namespace lq {

struct FloatRange {
  float min, max;
};

Status CheckCodeRange(int64_t qmin, int64_t qmax);

// What an aimet_torch analyzer makes of the range that it saw: zero inside, not too narrow, symmetric where asked for.
struct TorchRangeRule {
  int64_t steps = 255;  // of the grid, less one under a zero_point_shift
  bool symmetric = true;
  bool all_four = false;  // MinMaxEncodingAnalyzer: the largest value of a 2-bit weight may lie beyond the top code
  bool float16 = false;   // of float16 data: the result is float16
};
FloatRange TorchRange(FloatRange observed, const TorchRangeRule& rule);

// The smallest scale that aimet_torch and aimet_onnx use on a grid of this many steps.
float SmallestScale(int64_t steps);

// One encoding of a Calibration. `range` is what an analyzer found, without zero perhaps; of aimet_torch it comes from
// TorchRange or a search.
struct ToolEncoding {
  double min, max, scale, offset;
};
ToolEncoding TorchEncoding(FloatRange range, const AnalyzerOptions& options);  // RangeToEncoding
// QcQuantizeOp.compute_encodings, in float64.
ToolEncoding OnnxEncoding(double min, double max, const AnalyzerOptions& options);
// onnxruntime.quantization compute_scale_zp: float64, the scale rounded to float32 at the end.
ToolEncoding OrtEncoding(FloatRange range, const AnalyzerOptions& options);
// quark.torch observers, in float32.
ToolEncoding QuarkEncoding(FloatRange range, const AnalyzerOptions& options);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_RANGES_H_
