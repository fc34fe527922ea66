#include <fmt/format.h>

#include <cmath>

#include "runtime/quantize/histogram.h"
#include "runtime/quantize/min_max.h"
#include "runtime/quantize/sqnr.h"
#include "runtime/quantize/statistic.h"
#include "runtime/run_tasks.h"

namespace lq {
namespace {

constexpr size_t kGrain = 1 << 16;

Executor& ExecutorOf(const BulkOptions& bulk) { return bulk.executor != nullptr ? *bulk.executor : SerialExecutor(); }

class HistogramStatistic final : public Analyzer::Statistic {
 public:
  using Statistic::Statistic;

  Status Update(const ConstTensorView& batch, const GroupLayout& layout, const BulkOptions& bulk) override;
  Status Merge(const Statistic& other) override;
  bool empty() const override { return histograms_.empty(); }
  void Compute(const BulkOptions& bulk, Calibration& encodings) const override;

 private:
  bool tf_enhanced() const { return options().scheme == CalibrationScheme::kTfEnhanced; }
  FloatRange RangeOf(const Histogram& histogram) const;

  std::vector<Histogram> histograms_;
};

// Of the finite values only; empty (min > max) if there are none.
FloatRange FiniteRange(const float* values, const GroupLayout& layout, size_t group) {
  FloatRange range{std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
  layout.ForEachPiece(group, [&](size_t begin, size_t n) {
    for (size_t i = begin; i < begin + n; ++i) {
      if (!std::isfinite(values[i])) continue;
      range = {std::min(range.min, values[i]), std::max(range.max, values[i])};
    }
  });
  return range;
}

Result<std::vector<FloatRange>> FiniteRanges(const ConstTensorView& batch, const GroupLayout& layout,
                                             const BulkOptions& bulk) {
  const GroupRanges all = MinMaxOf(batch, layout, bulk);
  std::vector<FloatRange> ranges(layout.groups());
  for (size_t i = 0; i < ranges.size(); ++i) {
    ranges[i] = {all.min[i], all.max[i]};
    if (std::isfinite(all.min[i]) && std::isfinite(all.max[i])) continue;
    ranges[i] = FiniteRange(batch.data<float>(), layout, i);
    if (ranges[i].min <= ranges[i].max) continue;
    return InvalidArgument(
        fmt::format("batch: none of the {} values of encoding {} is finite", layout.elements() / layout.groups(), i));
  }
  return ranges;
}

// One histogram: tasks count ranges of the values, whole numbers, so that their order does not matter.
void CountTensor(std::span<const float> values, Executor& executor, Histogram& histogram) {
  const size_t slots = histogram.bins().count + 1, n = values.size();
  const size_t tasks = executor.workers() == 1 ? 1 : std::clamp<size_t>(n / kGrain, 1, 2 * executor.workers());
  std::vector<uint64_t> counts(tasks * slots);
  RunTasks(executor, tasks, [&](size_t task, size_t) {
    const size_t begin = n / tasks * task, end = task + 1 == tasks ? n : begin + n / tasks;
    CountInto(histogram.bins(), values.subspan(begin, end - begin), std::span(counts).subspan(task * slots, slots));
  });
  for (size_t i = slots; i < counts.size(); ++i) counts[i % slots] += counts[i];
  histogram.Add(std::span(counts).first(slots - 1));
}

Status HistogramStatistic::Update(const ConstTensorView& batch, const GroupLayout& layout, const BulkOptions& bulk) {
  Result<std::vector<FloatRange>> ranges = FiniteRanges(batch, layout, bulk);
  if (!ranges.ok()) return ranges.status();
  const bool first_batch = empty();
  if (first_batch) {
    histograms_.assign(layout.groups(), tf_enhanced() ? Histogram(512, 3.0f) : Histogram(2048, std::nullopt));
  }
  const std::span<const float> values(batch.data<float>(), layout.elements());
  if (histograms_.size() == 1) {
    histograms_[0].Grow((*ranges)[0]);
    CountTensor(values, ExecutorOf(bulk), histograms_[0]);
    return OkStatus();
  }
  const size_t stretch = layout.elements() / layout.groups();
  RunTasks(ExecutorOf(bulk), histograms_.size(), [&](size_t group, size_t) {
    Histogram& histogram = histograms_[group];
    histogram.Grow((*ranges)[group]);
    std::vector<uint64_t> counts(histogram.bins().count + 1);
    const auto count = [&](size_t begin, size_t n) { CountInto(histogram.bins(), values.subspan(begin, n), counts); };
    if (first_batch) {
      layout.ForEachPiece(group, count);
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

void HistogramStatistic::Compute(const BulkOptions& bulk, Calibration& encodings) const {
  RunTasks(ExecutorOf(bulk), histograms_.size(), [&](size_t group, size_t) {
    const FloatRange range = RangeOf(histograms_[group]);
    StoreTorchEncoding(range.min, range.max, options(), group, encodings);
  });
}

}  // namespace

std::unique_ptr<Analyzer::Statistic> MakeHistogramStatistic(const AnalyzerOptions& options) {
  return std::make_unique<HistogramStatistic>(options);
}

}  // namespace lq
