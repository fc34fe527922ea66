// aimet_onnx's percentile analyzer, which no data pin to the last bit: its bin edges are float32 and so are these; of
// 35 recorded calibrations all agree to 1.2e-7, one unit in the last place of an edge.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/quantize/count_tasks.h"
#include "runtime/quantize/min_max.h"
#include "runtime/quantize/statistic.h"

namespace lq {
namespace {

constexpr size_t kBins = 1536, kBinsOfFirstRange = 512;

// Bins over three times the first batch's range: bin i begins at (i + first) * width. Batches count alike, whatever
// their sizes: `density` adds up their shares.
struct DensityHistogram {
  float width = 0, first = 0;
  std::array<double, kBins> density{};
  size_t batches = 0;

  float Edge(size_t i) const { return (static_cast<float>(i) + first) * width; }
};

DensityHistogram BinsFor(float min, float max) {
  DensityHistogram histogram;
  float range = max - min;
  if (range == 0) range = (max + 0.01f) - max;
  histogram.width = range / static_cast<float>(kBinsOfFirstRange);
  histogram.first = static_cast<float>(std::floor((double{min} - double{range}) / double{histogram.width}));
  return histogram;
}

class OnnxPercentileStatistic final : public Analyzer::Statistic {
 public:
  using Statistic::Statistic;

  Status Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) override;
  Status Merge(const Statistic& other) override;
  bool empty() const override { return histograms_.empty(); }
  void Compute(const BulkOptions& bulk, Calibration& encodings) const override;

 private:
  void StoreEncoding(size_t group, Calibration& encodings) const;

  std::vector<DensityHistogram> histograms_;
};

Status OnnxPercentileStatistic::Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) {
  const GroupRanges ranges = MinMaxOf(batch, map, bulk);
  for (size_t i = 0; i < ranges.min.size(); ++i) {
    const float width = BinsFor(ranges.min[i], ranges.max[i]).width;
    if ((std::isfinite(width) && width > 0) || (!empty() && histograms_[i].batches > 0)) continue;
    return InvalidArgument(fmt::format("batch: values of encoding {} range from {} to {}, which has no {} bins", i,
                                       ranges.min[i], ranges.max[i], kBinsOfFirstRange));
  }
  if (empty()) histograms_.resize(map.scales());
  const float* values = batch.data<float>();
  const double share = static_cast<double>(map.scales()) / static_cast<double>(map.elements());
  RunTasks(ExecutorOf(bulk), map.scales(), [&](size_t group, size_t) {
    const float min = ranges.min[group], max = ranges.max[group];
    DensityHistogram& histogram = histograms_[group];
    if (histogram.batches == 0 && min == 0 && max == 0) return;  // AIMET waits for a batch that has a range
    if (histogram.batches++ == 0) {
      histogram = BinsFor(min, max);
      histogram.batches = 1;
    }
    std::array<uint64_t, kBins> counts{};
    map.ForEachRunOf(group, [&](size_t begin, size_t n) {
      for (size_t i = begin; i < begin + n; ++i) {
        const float bin = std::floor(values[i] / histogram.width - histogram.first);
        if (bin >= 0 && bin < static_cast<float>(kBins)) ++counts[static_cast<size_t>(bin)];
      }
    });
    for (size_t i = 0; i < kBins; ++i) histogram.density[i] += static_cast<double>(counts[i]) * share;
  });
  return OkStatus();
}

Status OnnxPercentileStatistic::Merge(const Statistic& other) {
  const auto& from = static_cast<const OnnxPercentileStatistic&>(other);
  if (from.empty()) return OkStatus();
  if (empty()) histograms_.resize(from.histograms_.size());
  for (size_t i = 0; i < histograms_.size(); ++i) {
    const DensityHistogram &a = histograms_[i], &b = from.histograms_[i];
    if (a.batches == 0 || b.batches == 0 || (a.width == b.width && a.first == b.first)) continue;
    return InvalidArgument(fmt::format("bins of encoding {} are {} wide from {} on; the other's are {} wide from {} on",
                                       i, a.width, a.Edge(0), b.width, b.Edge(0)));
  }
  for (size_t i = 0; i < histograms_.size(); ++i) {
    DensityHistogram& to = histograms_[i];
    const DensityHistogram& more = from.histograms_[i];
    if (to.batches == 0) {
      to = more;
      continue;
    }
    for (size_t bin = 0; bin < kBins; ++bin) to.density[bin] += more.density[bin];
    to.batches += more.batches;
  }
  return OkStatus();
}

void OnnxPercentileStatistic::StoreEncoding(size_t group, Calibration& encodings) const {
  const DensityHistogram& histogram = histograms_[group];
  if (histogram.batches == 0) {  // zeros only: -1..1 whatever the grid, and two steps of 1 / n in it
    Store(OnnxEncoding(-1, 1, options()), group, encodings);
    if (!options().symmetric) return;
    const double delta = 2.0 / static_cast<double>(steps());
    encodings.min[group] = -static_cast<double>((steps() + 1) / 2) * delta;
    encodings.max[group] = static_cast<double>(steps() / 2) * delta;
    encodings.scale[group] = delta;
    return;
  }
  const double p = options().percentile / 100, batches = static_cast<double>(histogram.batches);
  size_t low = kBins, high = 0;
  double below = 0;
  for (size_t i = 0; i < kBins; ++i) {
    below += histogram.density[i] / batches;
    if (low == kBins && below >= 1 - p) low = i;
    if (below < p) high = i;
  }
  const float min = histogram.Edge(low == kBins ? 0 : low), max = histogram.Edge(high) + histogram.width;
  Store(OnnxEncoding(double{min}, std::max(double{max}, double{min} + double{histogram.width}), options()), group,
        encodings);
}

void OnnxPercentileStatistic::Compute(const BulkOptions&, Calibration& encodings) const {
  for (size_t i = 0; i < histograms_.size(); ++i) StoreEncoding(i, encodings);
}

}  // namespace

std::unique_ptr<Analyzer::Statistic> MakeOnnxPercentileStatistic(const AnalyzerOptions& options) {
  return std::make_unique<OnnxPercentileStatistic>(options);
}

}  // namespace lq
