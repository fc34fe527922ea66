#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/quantize/count_tasks.h"
#include "runtime/quantize/histogram.h"
#include "runtime/quantize/min_max.h"
#include "runtime/quantize/sqnr.h"
#include "runtime/quantize/statistic.h"

namespace lq {
namespace {

class HistogramStatistic final : public Analyzer::Statistic {
 public:
  using Statistic::Statistic;

  Status Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) override;
  Status Merge(const Statistic& other) override;
  bool empty() const override { return histograms_.empty(); }
  Status Compute(const BulkOptions& bulk, Calibration& encodings) const override;

 private:
  bool tf_enhanced() const { return options().scheme == CalibrationScheme::kTfEnhanced; }
  FloatRange RangeOf(const Histogram& histogram) const;

  std::vector<Histogram> histograms_;
};

// Of the finite values only; empty (min > max) if there are none.
FloatRange FiniteRange(const float* values, const ScaleMap& map, size_t group) {
  FloatRange range{std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
  map.ForEachRunOf(group, [&](size_t begin, size_t n) {
    for (size_t i = begin; i < begin + n; ++i) {
      if (!std::isfinite(values[i])) continue;
      range = {std::min(range.min, values[i]), std::max(range.max, values[i])};
    }
  });
  return range;
}

Result<std::vector<FloatRange>> FiniteRanges(const ConstTensorView& batch, const ScaleMap& map,
                                             const BulkOptions& bulk) {
  const GroupRanges all = MinMaxOf(batch, map, bulk);
  std::vector<FloatRange> ranges(map.scales());
  for (size_t i = 0; i < ranges.size(); ++i) {
    ranges[i] = {all.min[i], all.max[i]};
    if (std::isfinite(all.min[i]) && std::isfinite(all.max[i])) continue;
    ranges[i] = FiniteRange(batch.data<float>(), map, i);
    if (ranges[i].min <= ranges[i].max) continue;
    return InvalidArgument(
        fmt::format("batch: none of the {} values of encoding {} is finite", map.elements() / map.scales(), i));
  }
  return ranges;
}

Status HistogramStatistic::Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) {
  Result<std::vector<FloatRange>> ranges = FiniteRanges(batch, map, bulk);
  if (!ranges.ok()) return ranges.status();
  const bool first_batch = empty();
  if (first_batch) {
    histograms_.assign(map.scales(), tf_enhanced() ? Histogram(512, 3.0f) : Histogram(2048, std::nullopt));
  }
  const std::span<const float> values(batch.data<float>(), map.elements());
  if (histograms_.size() == 1) {
    histograms_[0].Grow((*ranges)[0]);
    const FloatRange range = histograms_[0].counted();
    const auto count = [&](std::span<const float> part, std::span<uint64_t> sums) { CountInto(range, part, sums); };
    const std::vector<uint64_t> counts = CountInTasks(values, histograms_[0].bins().count + 1, bulk, count);
    histograms_[0].Add(std::span(counts).first(counts.size() - 1));
    return OkStatus();
  }
  const size_t stretch = map.elements() / map.scales();
  RunTasks(ExecutorOf(bulk), histograms_.size(), [&](size_t group, size_t) {
    Histogram& histogram = histograms_[group];
    histogram.Grow((*ranges)[group]);
    std::vector<uint64_t> counts(histogram.bins().count + 1);
    const auto count = [&](size_t begin, size_t n) {
      CountInto(histogram.counted(), values.subspan(begin, n), counts);
    };
    if (first_batch) {
      map.ForEachRunOf(group, count);
    } else {
      count(group * stretch, stretch);  // AIMET's split (calibrate.h); the range is of the true one
    }
    histogram.Add(std::span(counts).first(counts.size() - 1));
  });
  return OkStatus();
}

Status HistogramStatistic::Merge(const Statistic& other) {
  const auto& from = static_cast<const HistogramStatistic&>(other);
  if (empty())
    histograms_ = from.histograms_;
  else if (!from.empty()) {
    for (size_t i = 0; i < histograms_.size(); ++i) histograms_[i].Merge(from.histograms_[i]);
  }
  return OkStatus();
}

FloatRange HistogramStatistic::RangeOf(const Histogram& histogram) const {
  if (options().scheme != CalibrationScheme::kPercentile)
    return LeastNoiseRange(histogram, steps(), options().symmetric);
  return TorchRange(histogram.Percentile(options().percentile), {steps(), options().symmetric, false, false});
}

Status HistogramStatistic::Compute(const BulkOptions& bulk, Calibration& encodings) const {
  RunTasks(ExecutorOf(bulk), histograms_.size(), [&](size_t group, size_t) {
    Store(TorchEncoding(RangeOf(histograms_[group]), options()), group, encodings);
  });
  return OkStatus();
}

}  // namespace

std::unique_ptr<Analyzer::Statistic> MakeHistogramStatistic(const AnalyzerOptions& options) {
  return std::make_unique<HistogramStatistic>(options);
}

}  // namespace lq
