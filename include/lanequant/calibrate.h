// Calibration: from the values that a tensor takes in some batches to its encoding, as AIMET computes it.
#ifndef LANEQUANT_CALIBRATE_H_
#define LANEQUANT_CALIBRATE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "lanequant/export.h"
#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// Whose arithmetic, to the last bit: aimet_torch computes in float32, aimet_onnx in float64.
enum class CalibrationTool { kAimetTorch, kAimetOnnx };

enum class CalibrationScheme {
  kMinMax,      // AIMET post_training_tf: MinMaxEncodingAnalyzer
  kPercentile,  // post_training_percentile: a histogram's percentiles. aimet_onnx: agrees to 1e-6, its edges are
                // float32
  kSqnr,        // post_training_tf_enhanced of aimet_torch: SqnrEncodingAnalyzer, least quantization + clipping noise
  kTfEnhanced,  // TfEnhancedEncodingAnalyzer of aimet_torch: kSqnr with 512 bins and a range that may only triple
};

// `scale_shape` and `block_size` are AIMET's: with an empty block_size the shape broadcasts over the trailing
// dimensions of a batch, else block_size has one entry for each dimension of the shape (-1: the dimension divided by
// the number of scales) and further leading dimensions share scales. Rank 0: one encoding for the whole tensor.
struct AnalyzerOptions {
  CalibrationTool tool = CalibrationTool::kAimetTorch;
  CalibrationScheme scheme = CalibrationScheme::kMinMax;
  int64_t qmin = -128, qmax = 127;  // the grid; -127..127 is aimet_onnx's strict symmetric
  bool symmetric = true;
  bool unsigned_symmetric = false;  // aimet_onnx, symmetric: data without a negative value use the whole grid above 0
  float zero_point_shift = 0;       // 0, or 0.5 with kMinMax and symmetric
  double percentile = 100;          // kPercentile: 50..100
  Shape scale_shape;
  std::vector<int64_t> block_size;
};

// One element for each of scale_shape's, row-major: real = (q + offset + zero_point_shift) * scale, q on the options'
// grid. Of kAimetTorch every number is a float32. min and max are what the tool keeps beside scale and offset: the
// range before it is snapped to the grid (aimet_torch's parameters `min` and `max`) or after (aimet_onnx).
struct Calibration {
  Shape shape;
  std::vector<double> min, max, scale, offset;
};

// A running statistic of batches. Its memory does not grow with them: two floats for each encoding, or a histogram.
// NaN in the data makes min-max encodings NaN; histograms leave NaN out and count infinities in the outer bins, as the
// tools do. Values never depend on the executor.
class LQ_EXPORT Analyzer {
 public:
  // Errors: qmin >= qmax, a percentile outside 50..100, a combination of options that the tool does not have.
  static Result<Analyzer> Create(const AnalyzerOptions& options);
  Analyzer(Analyzer&&) noexcept;
  Analyzer& operator=(Analyzer&&) noexcept;
  ~Analyzer();

  // Adds a batch: f32, or f16 with aimet_torch's kMinMax (all batches alike: AIMET then rounds its result to float16).
  // Errors, all of which leave the analyzer as it was: a shape that the scales do not fit, no elements, a histogram of
  // values none of which is finite.
  // Of histograms with several encodings aimet_torch (2.42) counts batches after the first in the wrong one: it splits
  // them into as many equal stretches of memory as there are encodings. So does this.
  Status Update(const ConstTensorView& batch, const BulkOptions& bulk = {});

  // Adds what `other`, of equal options, has seen. kMinMax: as if its batches had come here. Histograms: as AIMET
  // re-bins its own when the range grows, so that a count may move by a bin against one analyzer that sees all batches.
  // Errors: other options, another float type; kPercentile of aimet_onnx, whose first batch fixes the bins: other bins.
  Status Merge(const Analyzer& other);

  // The encodings of what came so far. Errors: nothing came.
  Result<Calibration> Compute(const BulkOptions& bulk = {}) const;

  class Statistic;  // runtime/quantize/statistic.h

 private:
  explicit Analyzer(std::unique_ptr<Statistic> statistic);
  std::unique_ptr<Statistic> statistic_;
};

// A range on a grid, as aimet_torch derives it (QuantizeDequantize.set_range, get_scale, get_offset, get_min, get_max);
// min and max are the real numbers of qmin and qmax. max < min gives the scale of min..max swapped.
struct RangeEncoding {
  float scale, offset, min, max;
};
// Errors: qmin >= qmax or beyond int32.
LQ_EXPORT Result<RangeEncoding> RangeToEncoding(float min, float max, int64_t qmin, int64_t qmax, bool symmetric);

}  // namespace lq

#endif  // LANEQUANT_CALIBRATE_H_
