#include "runtime/quantize/ort_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lq {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Zeros become 1e-4, which the other elements make up for. Empty where that leaves nothing of one of these.
std::vector<float> Smoothed(std::span<const uint64_t> counts) {
  const size_t zeros = static_cast<size_t>(std::count(counts.begin(), counts.end(), uint64_t{0}));
  if (zeros == counts.size()) return {};
  const double share = 1e-4 * static_cast<double>(zeros) / static_cast<double>(counts.size() - zeros);
  std::vector<float> smoothed(counts.size());
  for (size_t i = 0; i < counts.size(); ++i) {
    smoothed[i] = static_cast<float>(counts[i]) + (counts[i] == 0 ? 1e-4f : -static_cast<float>(share));
    if (smoothed[i] <= 0) return {};
  }
  return smoothed;
}

float Divergence(std::span<const uint64_t> from, std::span<const uint64_t> to) {
  const std::vector<float> p = Smoothed(from), q = Smoothed(to);
  if (p.empty() || q.empty()) return kInfinity;
  const float p_sum = static_cast<float>(std::accumulate(p.begin(), p.end(), 0.0));
  const float q_sum = static_cast<float>(std::accumulate(q.begin(), q.end(), 0.0));
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const float share = p[i] / p_sum;
    sum += double{share * std::log(share / (q[i] / q_sum))};
  }
  return static_cast<float>(sum);
}

// Merged into `codes` bins, each of which is then shared out evenly, in whole numbers, over the bins of `counts` that
// it is made of; those beyond codes * (bins per code) stay 0. `occupied`: what counts as a bin to share with.
std::vector<uint64_t> MergedAndExpanded(std::span<const uint64_t> counts, std::span<const uint64_t> occupied,
                                        size_t codes) {
  const size_t merged = counts.size() / codes;
  std::vector<uint64_t> expanded(counts.size());
  for (size_t code = 0; code < codes; ++code) {
    const size_t begin = code * merged, end = begin + merged;
    const size_t last = code + 1 == codes ? counts.size() : end;
    const uint64_t sum = std::accumulate(counts.begin() + begin, counts.begin() + last, uint64_t{0});
    const uint64_t bins = static_cast<uint64_t>(
        std::count_if(occupied.begin() + begin, occupied.begin() + end, [](uint64_t count) { return count != 0; }));
    if (bins != 0) std::fill(expanded.begin() + begin, expanded.begin() + end, sum / bins);
  }
  return expanded;
}

}  // namespace

FloatRange LeastDivergenceRange(const NumpyHistogram& histogram, size_t codes) {
  const std::span<const uint64_t> counts = histogram.counts;
  const size_t bins = counts.size(), zero = bins / 2;
  FloatRange best{};
  float least = kInfinity;
  for (size_t reach = codes / 2; reach <= zero; ++reach) {
    const size_t begin = zero - reach, end = std::min(zero + reach + 1, bins);
    const std::span<const uint64_t> inside = counts.subspan(begin, end - begin);
    std::vector<uint64_t> clipped(inside.begin(), inside.end());
    clipped.front() += std::accumulate(counts.begin(), counts.begin() + begin, uint64_t{0});
    clipped.back() += std::accumulate(counts.begin() + end, counts.end(), uint64_t{0});
    const float divergence = Divergence(clipped, MergedAndExpanded(inside, clipped, codes));
    if (reach != codes / 2 && !(divergence < least)) continue;
    least = divergence;
    best = {histogram.edges[begin], histogram.edges[end]};
  }
  return best;
}

}  // namespace lq
