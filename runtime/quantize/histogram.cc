#include "runtime/quantize/histogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace lq {
namespace {

// The bin of v = (x - low) * bins / (high - low). Where that overflows torch.histc takes bin 0.
size_t BinAt(float v, size_t bins) {
  if (!std::isfinite(v) || v <= 0) return 0;
  return v < static_cast<float>(bins) ? static_cast<size_t>(v) : bins - 1;
}

size_t BinOf(float x, FloatRange range, size_t bins) {
  if (std::isnan(x)) return bins;
  if (x < range.min) return 0;
  if (x > range.max) return bins - 1;
  return BinAt((x - range.min) * static_cast<float>(bins) / (range.max - range.min), bins);
}

// Where nothing overflows, clamping v stands for the tests of BinOf: x < low has v < 0, x > high has
// v >= bins * (1 - 2^-22), which is above the last bin's lower edge. No branch, so that compilers make vectors of it.
void FastBins(const float* x, size_t n, FloatRange range, size_t bins, int32_t* index) {
  const float low = range.min, width = range.max - low, factor = static_cast<float>(bins), last = factor - 1;
  for (size_t i = 0; i < n; ++i) {
    float v = (x[i] - low) * factor / width;
    v = v < 0 ? 0 : v;
    v = v > last ? last : v;
    v = x[i] != x[i] ? factor : v;
    index[i] = static_cast<int32_t>(v);
  }
}

}  // namespace

Bins::Bins(FloatRange range, size_t bin_count)
    : low(range.min), width((range.max - range.min) / static_cast<float>(bin_count)), count(bin_count) {}

void CountInto(FloatRange range, std::span<const float> values, std::span<uint64_t> counts) {
  const size_t bins = counts.size() - 1;
  const float width = range.max - range.min;
  if (!(width > 0) || !std::isfinite(width * static_cast<float>(bins))) {
    for (const float x : values) ++counts[BinOf(x, range, bins)];
    return;
  }
  std::array<int32_t, 256> index;
  for (size_t begin = 0; begin < values.size(); begin += index.size()) {
    const size_t n = std::min(index.size(), values.size() - begin);
    FastBins(values.data() + begin, n, range, bins, index.data());
    for (size_t i = 0; i < n; ++i) ++counts[static_cast<size_t>(index[i])];
  }
}

Histogram::Histogram(size_t bin_count, std::optional<float> growth_limit)
    : bin_count_(bin_count), growth_limit_(growth_limit) {}

FloatRange Histogram::Union(FloatRange values) const {
  FloatRange next{std::min(bins_.low, values.min), std::max(bins_.high(), values.max)};
  if (growth_limit_) next = {std::max(next.min, limit_.min), std::min(next.max, limit_.max)};
  return next;
}

void Histogram::Grow(FloatRange values) {
  if (empty()) {
    range_ = values;
    if (values.min == values.max) values = {values.min - 0.5f, values.max + 0.5f};
    bins_ = Bins(values, bin_count_);
    counted_ = {bins_.low, bins_.high()};
    counts_.assign(bin_count_, 0.0f);
    if (growth_limit_) {
      const float margin = (bins_.high() - bins_.low) * *growth_limit_ / 2;
      limit_ = {bins_.low - margin, bins_.high() + margin};
    }
    return;
  }
  // AIMET compares the ends of the bins with the range, so that rounding alone, or the first batch's being constant,
  // moves counts: they may land in the bin beside.
  const FloatRange next = Union(values);
  const Bins next_bins(next, bin_count_);
  if (next.min != range_.min || next.max != range_.max) counts_ = MovedTo(next_bins);
  bins_ = next_bins;
  range_ = counted_ = next;
}

void Histogram::Add(std::span<const uint64_t> counts) {
  for (size_t i = 0; i < bin_count_; ++i) counts_[i] += static_cast<float>(counts[i]);
}

void Histogram::Merge(const Histogram& other) {
  if (other.empty()) return;
  if (empty()) {
    *this = other;
    return;
  }
  Grow({other.bins_.low, other.bins_.high()});
  const bool same = bins_.low == other.bins_.low && bins_.width == other.bins_.width;
  const std::vector<float> moved = same ? other.counts_ : other.MovedTo(bins_);
  for (size_t i = 0; i < bin_count_; ++i) counts_[i] += moved[i];
}

// A bin overlaps two of the new, wider ones: its count is shared out by where the first of these ends.
std::vector<float> Histogram::MovedTo(const Bins& bins) const {
  std::vector<float> moved(bin_count_, 0.0f);
  const float width = bins_.Edge(1) - bins_.Edge(0);  // rounded otherwise than bins_.width
  for (size_t i = 0; i < bin_count_; ++i) {
    if (counts_[i] == 0) continue;
    const float start = bins_.Edge(i), count = counts_[i];
    const size_t first = BinAt((start - bins.low) / bins.width, bin_count_);
    const float end = bins.low + bins.width * static_cast<float>(first + 1);
    const float share = std::nearbyint((end - start) / width * count);
    const float kept = share < count ? share : count;  // all of it where the old bins have no width
    moved[first] += kept;
    if (count > kept) moved[BinAt((start + bins.width - bins.low) / bins.width, bin_count_)] += count - kept;
  }
  return moved;
}

FloatRange Histogram::Percentile(double p) const {
  if (p == 100) return {bins_.low, bins_.high()};
  std::vector<float> below(bin_count_);
  double sum = 0;
  for (size_t i = 0; i < bin_count_; ++i) below[i] = static_cast<float>(sum += double{counts_[i]});
  const float total = below.back();
  const auto edge = [&](float rank) {
    return bins_.Edge(static_cast<size_t>(std::lower_bound(below.begin(), below.end(), rank) - below.begin()));
  };
  return {edge(total * static_cast<float>(1 - p / 100)), edge(total * static_cast<float>(p) / 100)};
}

}  // namespace lq
