// The histogram calibrations of Quark's torch flow, of whole tensors: PerTensorPercentileObserver over 4200 bins and
// PerTensorMSEObserver over 2048.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/quantize/quark_histogram.h"
#include "runtime/quantize/statistic.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kFirstMseBin = 2045;    // its search starts there
constexpr size_t kMaxMseBins = 1 << 13;  // a search over n bins takes time of n^2

class QuarkStatistic final : public Analyzer::Statistic {
 public:
  using Statistic::Statistic;

  Status Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) override;
  Status Merge(const Statistic& other) override;
  bool empty() const override { return histogram_.counts.empty(); }
  Status Compute(const BulkOptions& bulk, Calibration& encodings) const override;

 private:
  bool mse() const { return options().scheme == CalibrationScheme::kMse; }
  Result<FloatRange> Percentile() const;
  Result<float> LeastError() const;
  // Quark stops there, too.
  Status EdgesMissing() const {
    return InvalidArgument(fmt::format("{} bins of quark_torch got {} edges when the range grew downwards",
                                       histogram_.counts.size(), histogram_.edges.size()));
  }

  QuarkHistogram histogram_;
};

Status QuarkStatistic::Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) {
  const GroupRanges range = MinMaxOf(batch, map, bulk);
  LQ_RETURN_IF_ERROR(CheckFinite(range));
  QuarkRule rule;
  rule.magnitudes = options().symmetric;
  rule.skip_zeros = !mse();
  if (!mse()) rule.first_bins = 4200;
  if (mse()) rule.max_bins = kMaxMseBins;
  return histogram_.Update({batch.data<float>(), map.elements()}, {range.min[0], range.max[0]}, rule, bulk);
}

Status QuarkStatistic::Merge(const Statistic& other) {
  const auto& from = static_cast<const QuarkStatistic&>(other);
  if (from.empty()) return OkStatus();
  if (!empty()) return histogram_.Add(from.histogram_, "quark_torch");
  histogram_ = from.histogram_;
  return OkStatus();
}

// Edges at shares of the counts, in float32. Asymmetric as in Quark, which takes the lower share for the maximum, and
// the first edge for the minimum.
Result<FloatRange> QuarkStatistic::Percentile() const {
  float total = 0;
  for (const uint64_t count : histogram_.counts) total += static_cast<float>(count);
  if (total == 0) return FloatRange{0, 0};
  std::vector<float> below;
  double sum = 0;
  for (const uint64_t count : histogram_.counts) {
    sum += double{static_cast<float>(count) / total};
    below.push_back(static_cast<float>(sum));
  }
  const double p = options().percentile;
  const double share = options().symmetric ? std::min(p / 100, double{below.back()}) : (100 - p) / 200;
  const auto found = std::lower_bound(below.begin(), below.end(), static_cast<float>(share));
  const size_t bin = std::min(static_cast<size_t>(found - below.begin()), below.size() - 1);
  if (bin >= histogram_.edges.size()) return EdgesMissing();
  return FloatRange{options().symmetric ? 0 : histogram_.edges[0], histogram_.edges[bin]};
}

// The middle of a bin, from 2045 on, whose grid from 0 has the least squared error. Quark adds up in float32, this in
// float64: where two errors are equal to about 1e-6 it may take another bin, which lies within 1e-3; asymmetric, where
// the values below 0 make all errors large, within 2e-2 (seen: 1 case in 7, by up to 1.1e-2).
Result<float> QuarkStatistic::LeastError() const {
  if (histogram_.edges.size() != histogram_.counts.size() + 1) return EdgesMissing();
  std::vector<float> middle(histogram_.counts.size());
  for (size_t i = 0; i < middle.size(); ++i) middle[i] = (histogram_.edges[i + 1] + histogram_.edges[i]) / 2;
  const float low = static_cast<float>(options().qmin), high = static_cast<float>(options().qmax);
  float best = 0;
  double least = -1;
  for (size_t last = kFirstMseBin; last < middle.size(); ++last) {
    if (middle[last] < 0) {
      return InvalidArgument(
          fmt::format("bins around {}: quark_torch's mse takes ranges from 0 to a number above it", middle[last]));
    }
    const ToolEncoding grid = QuarkEncoding({0, middle[last]}, options());
    const float scale = static_cast<float>(grid.scale), inverse = 1 / scale, zero = -static_cast<float>(grid.offset);
    double error = 0;
    for (size_t i = 0; i < middle.size(); ++i) {
      const float code = std::clamp(zero + std::nearbyint(middle[i] * inverse), low, high);
      const float off = (code - zero) * scale - middle[i];
      error += double{off * off * static_cast<float>(histogram_.counts[i])};
    }
    if (least >= 0 && !(error < least)) continue;
    least = error;
    best = middle[last];
  }
  return best;
}

Status QuarkStatistic::Compute(const BulkOptions&, Calibration& encodings) const {
  FloatRange range{};
  if (mse()) {
    LQ_ASSIGN_OR_RETURN(range.max, LeastError());
  } else {
    LQ_ASSIGN_OR_RETURN(range, Percentile());
  }
  Store(QuarkEncoding(range, options()), 0, encodings);
  return OkStatus();
}

}  // namespace

std::unique_ptr<Analyzer::Statistic> MakeQuarkStatistic(const AnalyzerOptions& options) {
  return std::make_unique<QuarkStatistic>(options);
}

}  // namespace lq
