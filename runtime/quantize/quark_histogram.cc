#include "runtime/quantize/quark_histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "runtime/quantize/count_tasks.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

struct Ends {
  double low = 0, high = 0;
};

// torch.linspace of `bins` + 1 values: from both ends to the middle, each by one FMA.
std::vector<float> LinspaceF32(float low, float high, size_t bins) {
  const float step = (high - low) / static_cast<float>(bins);
  std::vector<float> edges(bins + 1);
  for (size_t i = 0; i < edges.size(); ++i) {
    edges[i] = i < edges.size() / 2 ? std::fma(step, static_cast<float>(i), low)
                                    : std::fma(-step, static_cast<float>(bins - i), high);
  }
  return edges;
}

// torch.arange: float64, of which vectors of 8 round their first element before they add to it; the values behind the
// last pair of vectors are computed one by one.
std::vector<float> Arange(double start, double end, double step) {
  constexpr size_t kLanes = 8;
  const size_t count = static_cast<size_t>(std::ceil((end - start) / step));
  const size_t in_vectors = count - count % (2 * kLanes);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const double base = double{static_cast<float>(start + step * static_cast<double>(i / kLanes * kLanes))};
    const double value =
        i < in_vectors ? base + static_cast<double>(i % kLanes) * step : start + step * static_cast<double>(i);
    values[i] = static_cast<float>(value);
  }
  return values;
}

// Of the values other than 0; 0..0 if there are none.
Ends NonZeroEnds(std::span<const float> values) {
  Ends ends;
  bool any = false;
  for (const float x : values) {
    if (x == 0) continue;
    ends.low = any ? std::min(ends.low, double{x}) : double{x};
    ends.high = any ? std::max(ends.high, double{x}) : double{x};
    any = true;
  }
  return ends;
}

// The range that the batch asks for; one of no width is widened.
Ends EndsOf(std::span<const float> values, FloatRange range, const QuarkRule& rule, size_t bins) {
  Ends ends{double{range.min}, double{range.max}};
  if (rule.magnitudes) {
    ends = {0, std::max(-ends.low, ends.high)};
  } else if (rule.skip_zeros && (range.min == 0 || range.max == 0)) {
    ends = NonZeroEnds(values);
  }
  if (ends.low == ends.high) ends.high += std::max(std::abs(ends.low), 1.0) * static_cast<double>(bins) * 0x1p-23;
  return ends;
}

// torch.histc from the first to the last edge.
Result<std::vector<uint64_t>> Count(std::span<const float> values, Ends ends, const QuarkRule& rule, size_t bins,
                                    const BulkOptions& bulk) {
  const float low = static_cast<float>(ends.low), high = static_cast<float>(ends.high),
              factor = static_cast<float>(bins);
  if (!std::isfinite((high - low) * factor)) {
    return InvalidArgument(fmt::format("batch: {}..{} is too wide for {} bins of float32", low, high, bins));
  }
  return CountInTasks(values, bins, bulk, [&](std::span<const float> part, std::span<uint64_t> counts) {
    for (const float value : part) {
      const float x = rule.magnitudes ? std::abs(value) : value;
      if ((rule.skip_zeros && x == 0) || x < low || x > high) continue;
      ++counts[std::min(static_cast<size_t>((x - low) * factor / (high - low)), bins - 1)];
    }
  });
}

// Edges around `ends` too. `bins` is the number of bins as Quark counts it.
Status Grow(Ends ends, const QuarkRule& rule, std::vector<float>& edges, size_t& bins) {
  const float width = edges[1] - edges[0], low = static_cast<float>(ends.low), high = static_cast<float>(ends.high);
  if (low < edges.front()) {
    const float more = std::ceil((edges.front() - low) / width);
    LQ_RETURN_IF_ERROR(CheckBins(static_cast<double>(bins) + double{more}, rule.max_bins));
    bins += static_cast<size_t>(more);
    edges = Arange(ends.low - double{width}, double{edges.back()}, double{width});
  }
  if (high > edges.back()) {
    const float wide = edges[1] - edges[0], more = std::ceil((high - edges.back()) / wide);
    LQ_RETURN_IF_ERROR(CheckBins(static_cast<double>(bins) + double{more}, rule.max_bins));
    bins += static_cast<size_t>(more);
    edges = Arange(double{edges.front()}, ends.high + double{wide}, double{wide});
  }
  if (low >= edges.front() && high <= edges.back()) return OkStatus();
  return InvalidArgument(fmt::format("batch: {}..{} is not covered by {} bins from {} to {}, {} wide in float32",
                                     ends.low, ends.high, bins, edges.front(), edges.back(), width));
}

}  // namespace

Status QuarkHistogram::Update(std::span<const float> values, FloatRange range, const QuarkRule& rule,
                              const BulkOptions& bulk) {
  size_t bins = counts.empty() ? rule.first_bins : counts.size();
  Ends ends = EndsOf(values, range, rule, bins);
  if (counts.empty()) {
    LQ_ASSIGN_OR_RETURN(counts, Count(values, ends, rule, bins, bulk));
    edges = LinspaceF32(static_cast<float>(ends.low), static_cast<float>(ends.high), bins);
    return OkStatus();
  }
  std::vector<float> grown = edges;
  LQ_RETURN_IF_ERROR(Grow(ends, rule, grown, bins));
  ends = {double{grown.front()}, double{grown.back()}};
  LQ_ASSIGN_OR_RETURN(std::vector<uint64_t> sums, Count(values, ends, rule, bins, bulk));
  for (size_t i = 0; i < counts.size(); ++i) sums[i] += counts[i];
  edges = std::move(grown);
  counts = std::move(sums);
  return OkStatus();
}

}  // namespace lq
