// The histogram calibrations of aimet_onnx, percentile and TF-enhanced.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/quantize/count_tasks.h"
#include "runtime/quantize/density_histogram.h"
#include "runtime/quantize/min_max.h"
#include "runtime/quantize/onnx_tf_enhanced.h"
#include "runtime/quantize/statistic.h"

namespace lq {
namespace {

class OnnxStatistic final : public Analyzer::Statistic {
 public:
  using Statistic::Statistic;

  Status Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) override;
  Status Merge(const Statistic& other) override;
  bool empty() const override { return histograms_.empty(); }
  Status Compute(const BulkOptions& bulk, Calibration& encodings) const override;

 private:
  Status CheckRanges(const GroupRanges& ranges) const;
  ToolEncoding EncodingOf(const DensityHistogram& histogram) const;
  ToolEncoding EncodingOfZeros() const;
  FloatRange Percentile(const DensityHistogram& histogram) const;

  std::vector<DensityHistogram> histograms_;
};

Status OnnxStatistic::CheckRanges(const GroupRanges& ranges) const {
  for (size_t i = 0; i < ranges.min.size(); ++i) {
    if (DensityHistogram::Make({ranges.min[i], ranges.max[i]}).usable()) continue;
    if (!empty() && histograms_[i].batches > 0) continue;
    return InvalidArgument(fmt::format("batch: values of encoding {} range from {} to {}, which has no {} bins", i,
                                       ranges.min[i], ranges.max[i], DensityHistogram::kBinsOfFirstRange));
  }
  return OkStatus();
}

Status OnnxStatistic::Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) {
  const GroupRanges ranges = MinMaxOf(batch, map, bulk);
  if (Status status = CheckRanges(ranges); !status.ok()) return status;
  if (empty()) histograms_.resize(map.scales());
  const std::span<const float> values(batch.data<float>(), map.elements());
  const double share = static_cast<double>(map.scales()) / static_cast<double>(map.elements());
  RunTasks(ExecutorOf(bulk), map.scales(), [&](size_t group, size_t) {
    const FloatRange range{ranges.min[group], ranges.max[group]};
    DensityHistogram& histogram = histograms_[group];
    if (histogram.batches == 0 && range.min == 0 && range.max == 0) return;  // AIMET waits for one that has a range
    if (histogram.batches == 0) histogram = DensityHistogram::Make(range);
    DensityHistogram::Counts counts{};
    map.ForEachRunOf(group, [&](size_t begin, size_t n) { histogram.CountInto(values.subspan(begin, n), counts); });
    histogram.Add(counts, share);
  });
  return OkStatus();
}

Status OnnxStatistic::Merge(const Statistic& other) {
  const auto& from = static_cast<const OnnxStatistic&>(other);
  if (from.empty()) return OkStatus();
  if (empty()) histograms_.resize(from.histograms_.size());
  for (size_t i = 0; i < histograms_.size(); ++i) {
    const DensityHistogram &a = histograms_[i], &b = from.histograms_[i];
    if (a.batches == 0 || b.batches == 0 || a.HasBinsOf(b)) continue;
    return InvalidArgument(fmt::format("bins of encoding {} are {} wide from {} on; the other's are {} wide from {} on",
                                       i, a.width, a.Edge(0), b.width, b.Edge(0)));
  }
  for (size_t i = 0; i < histograms_.size(); ++i) {
    if (histograms_[i].batches == 0) {
      histograms_[i] = from.histograms_[i];
    } else {
      histograms_[i].Merge(from.histograms_[i]);
    }
  }
  return OkStatus();
}

FloatRange OnnxStatistic::Percentile(const DensityHistogram& histogram) const {
  constexpr size_t kBins = DensityHistogram::kBins;
  const double p = options().percentile / 100, batches = static_cast<double>(histogram.batches);
  size_t low = kBins, high = 0;
  double below = 0;
  for (size_t i = 0; i < kBins; ++i) {
    below += histogram.density[i] / batches;
    if (low == kBins && below >= 1 - p) low = i;
    if (below < p) high = i;
  }
  const float min = histogram.Edge(low == kBins ? 0 : low);
  return {min, histogram.Edge(high) + histogram.width};
}

// -1..1 whatever the grid, and two steps of 1 / n in it.
ToolEncoding OnnxStatistic::EncodingOfZeros() const {
  if (!options().symmetric) return OnnxEncoding(-1, 1, options());
  const double delta = 2.0 / static_cast<double>(steps()), below = static_cast<double>((steps() + 1) / 2);
  return {-below * delta, static_cast<double>(steps() / 2) * delta, delta, OnnxEncoding(-1, 1, options()).offset};
}

ToolEncoding OnnxStatistic::EncodingOf(const DensityHistogram& histogram) const {
  if (histogram.batches == 0) return EncodingOfZeros();
  if (options().scheme == CalibrationScheme::kTfEnhanced) return LeastCostEncoding(histogram, options());
  const FloatRange range = Percentile(histogram);
  return OnnxEncoding(double{range.min}, std::max(double{range.max}, double{range.min} + double{histogram.width}),
                      options());
}

Status OnnxStatistic::Compute(const BulkOptions& bulk, Calibration& encodings) const {
  RunTasks(ExecutorOf(bulk), histograms_.size(),
           [&](size_t group, size_t) { Store(EncodingOf(histograms_[group]), group, encodings); });
  return OkStatus();
}

}  // namespace

std::unique_ptr<Analyzer::Statistic> MakeOnnxStatistic(const AnalyzerOptions& options) {
  return std::make_unique<OnnxStatistic>(options);
}

}  // namespace lq
