// The histogram of aimet_torch's analyzers (its _HistogramObserver over torch.histc) in float32, and its percentile.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_HISTOGRAM_H_
#define LANEQUANT_RUNTIME_QUANTIZE_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "runtime/quantize/ranges.h"

namespace lq {

// Equal bins over low..high; the edges are float32 and need not end at the largest value seen.
struct Bins {
  Bins() = default;
  Bins(FloatRange range, size_t bin_count);

  float Edge(size_t i) const { return static_cast<float>(i) * width + low; }
  float high() const { return Edge(count); }

  float low = 0, width = 0;
  size_t count = 0;
};

// counts[i] += values in bin i of equal ones over `range`. What lies beyond an end goes to the bin there; NaN goes to
// the last element of `counts`, which has one more than there are bins.
void CountInto(FloatRange range, std::span<const float> values, std::span<uint64_t> counts);

class Histogram {
 public:
  // `growth_limit`: how much wider than the first range, in all, later ones may make it; none: without limit.
  Histogram(size_t bin_count, std::optional<float> growth_limit);

  // Makes room for values of this range, finite ones. Counts there are move to the new bins.
  void Grow(FloatRange values);
  // Counts of the present bins, one element for each.
  void Add(std::span<const uint64_t> counts);
  // All that `other` has: grows to its range and moves its counts as Grow moves its own.
  void Merge(const Histogram& other);

  bool empty() const { return counts_.empty(); }
  const Bins& bins() const { return bins_; }
  // What CountInto cuts into bins: for the first batch the edges, then the range, which may round to another last edge.
  FloatRange counted() const { return counted_; }
  std::span<const float> counts() const { return counts_; }
  // Of all values, but for what AIMET loses: after the second batch that of the bins.
  FloatRange range() const { return range_; }
  // Values between which the counts beyond percentile p (50..100) and below 100 - p are left out: edges.
  FloatRange Percentile(double p) const;

 private:
  FloatRange Union(FloatRange values) const;
  std::vector<float> MovedTo(const Bins& bins) const;

  size_t bin_count_;
  std::optional<float> growth_limit_;
  Bins bins_;
  FloatRange range_{}, counted_{}, limit_{};
  std::vector<float> counts_;  // float32, as torch.histc has them: exact up to 2^24
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_HISTOGRAM_H_
