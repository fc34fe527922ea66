// What an Analyzer keeps: one class for each way to look at values.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_STATISTIC_H_
#define LANEQUANT_RUNTIME_QUANTIZE_STATISTIC_H_

#include <memory>
#include <utility>

#include "lanequant/calibrate.h"
#include "runtime/quantize/min_max.h"
#include "runtime/quantize/ranges.h"
#include "runtime/quantize/scale_map.h"

namespace lq {

class Analyzer::Statistic {
 public:
  explicit Statistic(AnalyzerOptions options) : options_(std::move(options)) {}
  virtual ~Statistic() = default;

  const AnalyzerOptions& options() const { return options_; }

  // `batch` has elements and bytes for them, of a float type; `map` is its own. An error changes nothing.
  virtual Status Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) = 0;
  // `other` has equal options, hence this class.
  virtual Status Merge(const Statistic& other) = 0;
  virtual bool empty() const = 0;
  // Not of an empty one. `encodings` has its shape and as many elements as that says.
  virtual Status Compute(const BulkOptions& bulk, Calibration& encodings) const = 0;

 protected:
  int64_t steps() const { return options_.qmax - options_.qmin; }

 private:
  AnalyzerOptions options_;
};

std::unique_ptr<Analyzer::Statistic> MakeMinMaxStatistic(const AnalyzerOptions& options);
std::unique_ptr<Analyzer::Statistic> MakeHistogramStatistic(const AnalyzerOptions& options);       // aimet_torch
std::unique_ptr<Analyzer::Statistic> MakeOnnxStatistic(const AnalyzerOptions& options);  // aimet_onnx
std::unique_ptr<Analyzer::Statistic> MakeOrtStatistic(const AnalyzerOptions& options);             // onnxruntime
std::unique_ptr<Analyzer::Statistic> MakeQuarkStatistic(const AnalyzerOptions& options);           // quark_torch

inline void Store(const ToolEncoding& encoding, size_t group, Calibration& encodings) {
  encodings.min[group] = encoding.min;
  encodings.max[group] = encoding.max;
  encodings.scale[group] = encoding.scale;
  encodings.offset[group] = encoding.offset;
}

// Of all tools but aimet_torch: an error that names the first encoding whose range has a NaN or an infinity.
Status CheckFinite(const GroupRanges& ranges);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_STATISTIC_H_
