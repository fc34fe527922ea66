#include "runtime/quantize/density_histogram.h"

#include <cmath>

namespace lq {

DensityHistogram DensityHistogram::Make(FloatRange range) {
  DensityHistogram histogram;
  float extent = range.max - range.min;
  if (extent == 0) extent = (range.max + 0.01f) - range.max;
  histogram.width = extent / static_cast<float>(kBinsOfFirstRange);
  histogram.first = static_cast<float>(std::floor((double{range.min} - double{extent}) / double{histogram.width}));
  return histogram;
}

bool DensityHistogram::usable() const { return std::isfinite(width) && width > 0; }

void DensityHistogram::CountInto(std::span<const float> values, Counts& counts) const {
  for (const float x : values) {
    const float bin = std::floor(x / width - first);
    if (bin >= 0 && bin < static_cast<float>(kBins)) ++counts[static_cast<size_t>(bin)];
  }
}

void DensityHistogram::Add(const Counts& counts, double share) {
  for (size_t i = 0; i < kBins; ++i) density[i] += static_cast<double>(counts[i]) * share;
  ++batches;
}

void DensityHistogram::Merge(const DensityHistogram& other) {
  for (size_t i = 0; i < kBins; ++i) density[i] += other.density[i];
  batches += other.batches;
}

}  // namespace lq
