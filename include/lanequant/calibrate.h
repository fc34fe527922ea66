// Calibration: from the values that a tensor takes in some batches to its encoding, as AIMET, ONNX Runtime and Quark
// compute it.
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

// Whose arithmetic, to the last bit.
enum class CalibrationTool {
  kAimetTorch,   // float32
  kAimetOnnx,    // QcQuantizeOp: float64
  kOnnxRuntime,  // onnxruntime.quantization: float64, then a float32 scale. Quark's ONNX flow has its min-max
  kQuarkTorch,   // observers of quark.torch: float32; symmetric int8 has absmax / 127.5
};

enum class CalibrationScheme {
  kMinMax,      // all tools. AIMET: post_training_tf, MinMaxEncodingAnalyzer
  kPercentile,  // AIMET: post_training_percentile, of aimet_onnx to 1.2e-7. onnxruntime: PercentileCalibrater. Quark:
                // PerTensorPercentileObserver, whose own percentile is 99.99999999
  kSqnr,        // aimet_torch post_training_tf_enhanced, SqnrEncodingAnalyzer: least quantization and clipping noise
  kTfEnhanced,  // aimet_torch TfEnhancedEncodingAnalyzer: kSqnr with 512 bins and a range that grows only so far;
                // aimet_onnx post_training_tf_enhanced, to 2^-19
  kEntropy,     // onnxruntime EntropyCalibrater with its 128 bins
  kMse,         // Quark PerTensorMSEObserver: least squared error of the top 3 or more of 2048 bins
};

// `scale_shape` and `block_size` are AIMET's: with an empty block_size the shape broadcasts over the trailing
// dimensions of a batch, else block_size has one entry for each dimension of the shape (-1: the dimension divided by
// the number of scales) and further leading dimensions share scales. Rank 0: one encoding for the whole tensor.
struct AnalyzerOptions {
  CalibrationTool tool = CalibrationTool::kAimetTorch;
  CalibrationScheme scheme = CalibrationScheme::kMinMax;
  int64_t qmin = -128, qmax = 127;  // the grid; -127..127 is aimet_onnx's strict symmetric
  bool symmetric = true;
  bool unsigned_symmetric = false;  // aimet_onnx, symmetric kMinMax: all codes above 0 where no value is negative
  float zero_point_shift = 0;       // 0, or 0.5 with AIMET's symmetric kMinMax
  double percentile = 100;          // kPercentile: 50..100
  Shape scale_shape;
  std::vector<int64_t> block_size;
};

// One element for each of scale_shape's, row-major: real = (q + offset + zero_point_shift) * scale, q on the options'
// grid; offset = -zero_point. All numbers but those of kAimetOnnx are float32. min and max are the range that the tool
// keeps beside scale and offset: as its grid holds it (kAimetOnnx), widened to zero and made symmetric (kAimetTorch:
// the parameters `min` and `max`), widened to zero (kQuarkTorch), as found (kOnnxRuntime).
struct Calibration {
  Shape shape;
  std::vector<double> min, max, scale, offset;
};

// A running statistic of batches. Its memory does not grow with them: two floats for each encoding, or a histogram
// (of 8 or 12 KiB for each encoding; onnxruntime's and quark_torch's, of whole tensors only, have up to 2^22 bins).
// Values that are not finite: under kAimetTorch a NaN makes min-max encodings NaN, while histograms leave NaN out and
// count infinities in the outer bins; other tools refuse them. Results never depend on the executor.
class LQ_EXPORT Analyzer {
 public:
  // Errors: qmin >= qmax, a percentile outside 50..100, a combination of options that the tool does not have.
  static Result<Analyzer> Create(const AnalyzerOptions& options);
  Analyzer(Analyzer&&) noexcept;
  Analyzer& operator=(Analyzer&&) noexcept;
  ~Analyzer();

  // Adds a batch: f32, or f16 with aimet_torch's kMinMax (all batches alike: AIMET then rounds its result to float16).
  // A batch without elements adds nothing to aimet_torch's. Blocks of quark_torch: all batches count, as its other
  // observers have it; its PerGroupMinMaxObserver, made for weights, forgets all but the last.
  // Errors, all of which leave the analyzer as it was: a shape that the scales do not fit, no elements, values that are
  // not finite (see above; aimet_torch's histograms need one that is), bins that float32 cannot tell apart, or too
  // many. Of histograms with several encodings aimet_torch (2.42) counts batches after the first in the wrong one: it
  // splits them into as many equal stretches of memory as there are encodings. So does this.
  Status Update(const ConstTensorView& batch, const BulkOptions& bulk = {});

  // Adds what `other`, of equal options, has seen. kMinMax: as if its batches had come here. Histograms of aimet_torch:
  // as it re-bins its own when the range grows, so that a count may move by a bin against one analyzer that sees all.
  // Errors: other options, another float type; other bins in histograms of aimet_onnx (whose first batch fixes them),
  // onnxruntime and quark_torch, for which there is no rule, unless one side is empty.
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
