// The histogram calibrations of onnxruntime.quantization, of whole tensors, with its defaults: percentile over 2048
// bins, entropy over 128 bins and 128 quantized ones.
#include <algorithm>

#include "runtime/quantize/numpy_histogram.h"
#include "runtime/quantize/ort_entropy.h"
#include "runtime/quantize/statistic.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kPercentileBins = 2048, kEntropyBins = 128, kEntropyCodes = 128;
// What ranges that grow may lead to. A search over n bins takes time of n^2.
constexpr size_t kMaxPercentileBins = 1 << 20, kMaxEntropyBins = 1 << 13;

class OrtStatistic final : public Analyzer::Statistic {
 public:
  using Statistic::Statistic;

  Status Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) override;
  Status Merge(const Statistic& other) override;
  bool empty() const override { return histogram_.counts.empty(); }
  Status Compute(const BulkOptions& bulk, Calibration& encodings) const override;

 private:
  FloatRange Percentile() const;

  NumpyHistogram histogram_;
  GroupRanges range_{1};
};

Status OrtStatistic::Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) {
  const GroupRanges range = MinMaxOf(batch, map, bulk);
  LQ_RETURN_IF_ERROR(CheckFinite(range));
  const std::span<const float> values(batch.data<float>(), map.elements());
  const FloatRange ends{range.min[0], range.max[0]};
  if (options().scheme == CalibrationScheme::kEntropy) {
    LQ_RETURN_IF_ERROR(CollectValues(values, ends, kEntropyBins, kMaxEntropyBins, bulk, histogram_));
  } else if (options().symmetric) {
    LQ_RETURN_IF_ERROR(CollectAbsolute(values, kPercentileBins, kMaxPercentileBins, bulk, histogram_));
  } else {
    LQ_RETURN_IF_ERROR(CollectValues(values, ends, kPercentileBins, kMaxPercentileBins, bulk, histogram_));
  }
  range_.Include(range);
  return OkStatus();
}

Status OrtStatistic::Merge(const Statistic& other) {
  const auto& from = static_cast<const OrtStatistic&>(other);
  if (from.empty()) return OkStatus();
  if (empty()) {
    histogram_ = from.histogram_;
  } else {
    LQ_RETURN_IF_ERROR(histogram_.Add(from.histogram_, "onnxruntime"));
  }
  range_.Include(from.range_);
  return OkStatus();
}

// Edges at shares of the counts, in float64.
FloatRange OrtStatistic::Percentile() const {
  uint64_t total = 0;
  for (const uint64_t count : histogram_.counts) total += count;
  std::vector<double> below(histogram_.counts.size());
  double sum = 0;
  for (size_t i = 0; i < below.size(); ++i) {
    sum += static_cast<double>(histogram_.counts[i]) / static_cast<double>(total);
    below[i] = sum;
  }
  const auto edge = [&](double share) {
    return histogram_.edges[static_cast<size_t>(std::lower_bound(below.begin(), below.end(), share) - below.begin())];
  };
  if (options().symmetric) {
    const float end = edge(options().percentile / 100);
    return {-end, end};
  }
  const double cut = (100 - options().percentile) / 200;
  return {edge(cut), edge(1 - cut)};
}

Status OrtStatistic::Compute(const BulkOptions&, Calibration& encodings) const {
  FloatRange range =
      options().scheme == CalibrationScheme::kEntropy ? LeastDivergenceRange(histogram_, kEntropyCodes) : Percentile();
  range = {std::max(range.min, range_.min[0]), std::min(range.max, range_.max[0])};
  Store(OrtEncoding(range, options()), 0, encodings);
  return OkStatus();
}

}  // namespace

std::unique_ptr<Analyzer::Statistic> MakeOrtStatistic(const AnalyzerOptions& options) {
  return std::make_unique<OrtStatistic>(options);
}

}  // namespace lq
