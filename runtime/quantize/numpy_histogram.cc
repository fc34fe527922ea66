#include "runtime/quantize/numpy_histogram.h"

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

// numpy.linspace in float32.
Result<std::vector<float>> Linspace(float start, float stop, size_t bins) {
  if (start == stop) {
    start -= 0.5f;
    stop += 0.5f;
  }
  const float count = static_cast<float>(bins), step = (stop - start) / count;
  std::vector<float> edges(bins + 1);
  for (size_t i = 0; i < bins; ++i) edges[i] = static_cast<float>(i) * step + start;
  edges[bins] = stop;
  for (size_t i = 0; i < bins; ++i) {
    if (edges[i] < edges[i + 1]) continue;
    return InvalidArgument(fmt::format("batch: {}..{} is too narrow for {} bins of float32", start, stop, bins));
  }
  return edges;
}

// The bin by the quotient, put right where the edges say otherwise; `bins` outside of all.
size_t UniformBin(float x, std::span<const float> edges) {
  const size_t bins = edges.size() - 1;
  if (x < edges.front() || x > edges.back()) return bins;
  const float place = (x - edges.front()) / (edges.back() - edges.front()) * static_cast<float>(bins);
  size_t bin = std::min(static_cast<size_t>(place), bins - 1);
  if (x < edges[bin]) --bin;
  if (x >= edges[bin + 1] && bin != bins - 1) ++bin;
  return bin;
}

// The same for edges that are not quite equidistant.
size_t SearchedBin(float x, std::span<const float> edges) {
  const size_t bins = edges.size() - 1;
  if (x < edges.front() || x > edges.back()) return bins;
  const auto above = std::upper_bound(edges.begin(), edges.end(), x);
  return std::min(static_cast<size_t>(above - edges.begin()) - 1, bins - 1);
}

template <class BinOf>
std::vector<uint64_t> Count(std::span<const float> values, size_t bins, const BulkOptions& bulk, const BinOf& bin_of) {
  std::vector<uint64_t> counts =
      CountInTasks(values, bins + 1, bulk, [&](std::span<const float> part, std::span<uint64_t> sums) {
        for (const float x : part) ++sums[bin_of(x)];
      });
  counts.resize(bins);
  return counts;
}

std::vector<uint64_t> CountUniform(std::span<const float> values, std::span<const float> edges,
                                   const BulkOptions& bulk) {
  return Count(values, edges.size() - 1, bulk, [&](float x) { return UniformBin(x, edges); });
}

void AddTo(std::vector<uint64_t>& counts, size_t begin, std::span<const uint64_t> more) {
  for (size_t i = 0; i < more.size(); ++i) counts[begin + i] += more[i];
}

// numpy.arange(start, stop, step) in float32, after the edges that are there.
Status AppendEdges(float start, float stop, float step, size_t max_bins, std::vector<float>& edges) {
  const double count = std::ceil(double{(stop - start) / step});
  LQ_RETURN_IF_ERROR(CheckBins(static_cast<double>(edges.size()) + count, max_bins));
  const float delta = (start + step) - start;
  for (size_t i = 0; static_cast<double>(i) < count; ++i) edges.push_back(start + static_cast<float>(i) * delta);
  return OkStatus();
}

// Python's a // b of float32 numbers above 0.
float FloorDivide(float a, float b) {
  const float quotient = (a - std::fmod(a, b)) / b, down = std::floor(quotient);
  return quotient - down > 0.5f ? down + 1 : down;
}

}  // namespace

Status CollectAbsolute(std::span<const float> values, size_t bins, size_t max_bins, const BulkOptions& bulk,
                       NumpyHistogram& histogram) {
  const auto [low, high] =
      std::minmax_element(values.begin(), values.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
  if (histogram.counts.empty()) {
    LQ_ASSIGN_OR_RETURN(histogram.edges, Linspace(std::abs(*low), std::abs(*high), bins));
    const std::span<const float> edges = histogram.edges;
    histogram.counts = Count(values, bins, bulk, [&](float x) { return UniformBin(std::abs(x), edges); });
    return OkStatus();
  }
  std::vector<float> edges = histogram.edges;
  if (std::abs(*high) > edges.back()) {
    const float width = edges[1] - edges[0];
    LQ_RETURN_IF_ERROR(AppendEdges(edges.back() + width, std::abs(*high) + width, width, max_bins, edges));
  }
  std::vector<uint64_t> counts =
      Count(values, edges.size() - 1, bulk, [&](float x) { return SearchedBin(std::abs(x), edges); });
  AddTo(counts, 0, histogram.counts);
  histogram = {{std::move(edges), std::move(counts)}, 0};
  return OkStatus();
}

Status CollectValues(std::span<const float> values, FloatRange range, size_t bins, size_t max_bins,
                     const BulkOptions& bulk, NumpyHistogram& histogram) {
  const float threshold = std::max(std::abs(range.min), std::abs(range.max));
  if (histogram.threshold == 0) {  // the first batch, or zeros only so far, whose counts stay in their places
    LQ_ASSIGN_OR_RETURN(std::vector<float> edges, Linspace(-threshold, threshold, bins));
    std::vector<uint64_t> counts = CountUniform(values, edges, bulk);
    AddTo(counts, 0, histogram.counts);
    histogram = {{std::move(edges), std::move(counts)}, threshold};
    return OkStatus();
  }
  if (threshold <= histogram.threshold) {
    AddTo(histogram.counts, 0, CountUniform(values, histogram.edges, bulk));
    return OkStatus();
  }
  const size_t old_bins = histogram.counts.size();
  const float stride = 2 * histogram.threshold / static_cast<float>(old_bins);
  const float more = FloorDivide(threshold - histogram.threshold, stride) + 1;
  LQ_RETURN_IF_ERROR(CheckBins(static_cast<double>(old_bins) + 2 * double{more}, max_bins));
  const size_t half = static_cast<size_t>(more);
  const float new_threshold = static_cast<float>(half) * stride + histogram.threshold;
  LQ_ASSIGN_OR_RETURN(std::vector<float> edges, Linspace(-new_threshold, new_threshold, old_bins + 2 * half));
  std::vector<uint64_t> counts = CountUniform(values, edges, bulk);
  AddTo(counts, half, histogram.counts);
  histogram = {{std::move(edges), std::move(counts)}, new_threshold};
  return OkStatus();
}

}  // namespace lq
