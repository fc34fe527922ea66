#include "runtime/quantize/onnx_tf_enhanced.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lq {
namespace {

constexpr float kNarrowest = 0.01f;  // AIMET's MIN_RANGE
constexpr float kClippedWeight = 3.0f;
constexpr int kOffsetSteps = 20, kAsymmetricSteps = 17, kSymmetricSteps = 101;

struct Candidate {
  float delta, offset;
};

// Of the bins that hold something, zero included.
FloatRange Observed(const DensityHistogram& histogram) {
  size_t low = DensityHistogram::kBins - 1, high = 0;
  for (size_t i = 0; i < DensityHistogram::kBins; ++i) {
    if (histogram.density[i] == 0) continue;
    low = std::min(low, i);
    high = std::max(high, i);
  }
  const float min = std::min(histogram.Edge(low), 0.0f);
  return {min, std::max({histogram.Edge(high), 0.0f, min + kNarrowest})};
}

// Float32 counters that go up by a hundredth: the last of them are some units in the last place off j / 100.
std::vector<Candidate> SymmetricCandidates(FloatRange observed, float codes) {
  const float widest = 2 * std::max(observed.max, -observed.min) / codes, offset = std::floor(-codes / 2);
  std::vector<Candidate> candidates;
  float part = static_cast<float>(1.0 / 100);
  for (int j = 0; j < kSymmetricSteps && double{part} <= 1 + 1.0 / 100; ++j) {
    candidates.push_back({part * widest, offset});
    part = static_cast<float>(double{part} + 1.0 / 100);
  }
  return candidates;
}

std::vector<Candidate> AsymmetricCandidates(FloatRange observed, float codes) {
  const float widest = (observed.max - observed.min) / codes, observed_offset = std::round(observed.min / widest);
  const float lowest = widest * observed_offset, highest = lowest + widest * codes;
  std::vector<Candidate> candidates;
  for (int j = 1; j <= kAsymmetricSteps; ++j) {
    const float delta = static_cast<float>(j) / 16 * widest;
    for (int i = 0; i <= kOffsetSteps; ++i) {
      const float offset = static_cast<float>(std::trunc(-double{codes} + double{codes} / kOffsetSteps * i));
      const float low = delta * offset, high = low + delta * codes;
      if (low < lowest && high > highest) continue;
      const float inside = (std::min(high, highest) - std::max(low, lowest)) / codes;
      if (inside > 0) candidates.push_back({inside, std::round(std::max(low, lowest) / inside)});
    }
  }
  candidates.push_back({widest, observed_offset});
  return candidates;
}

// The occupied bins of a histogram, by their middles.
class Cost {
 public:
  explicit Cost(const DensityHistogram& histogram)
      : start_(histogram.Edge(0)),
        width_(histogram.Edge(1) - histogram.Edge(0)),
        batches_(static_cast<double>(histogram.batches)) {
    for (size_t i = 0; i < DensityHistogram::kBins; ++i) {
      if (histogram.density[i] != 0) bins_.push_back({i, Middle(i), histogram.density[i] / batches_});
    }
  }

  float Of(Candidate candidate, float codes) const {
    const float min = candidate.delta * candidate.offset, max = candidate.delta * codes + min;
    const size_t first = BinOf(min), last = BinOf(max);
    const float lowest = Middle(first), highest = Middle(last);
    float below = 0, above = 0, inside = 0;
    for (const Bin& bin : bins_) {
      if (bin.index < first) {
        Add(bin, lowest, below);
      } else if (bin.index >= last) {
        Add(bin, highest, above);
      } else {
        const float code = std::round(bin.middle / candidate.delta - candidate.offset);
        Add(bin, candidate.delta * (code + candidate.offset), inside);
      }
    }
    return kClippedWeight * (below + above) + inside;
  }

 private:
  struct Bin {
    size_t index;
    float middle;
    double density;
  };

  float Middle(size_t i) const { return start_ + static_cast<float>(i) * width_ + width_ / 2; }
  // The first one where bins are so narrow that they have no width in float32.
  size_t BinOf(float x) const {
    constexpr float kLast = static_cast<float>(DensityHistogram::kBins - 1);
    const float bin = (x - start_) / width_;
    return bin > 0 ? static_cast<size_t>(std::min(bin, kLast)) : 0;
  }
  static void Add(const Bin& bin, float becomes, float& sum) {
    const double error = double{bin.middle - becomes};
    sum = static_cast<float>(double{sum} + bin.density * (error * error));
  }

  float start_, width_;
  double batches_;
  std::vector<Bin> bins_;
};

}  // namespace

ToolEncoding LeastCostEncoding(const DensityHistogram& histogram, const AnalyzerOptions& options) {
  const float codes = static_cast<float>(options.qmax - options.qmin);
  const FloatRange observed = Observed(histogram);
  const Cost cost(histogram);
  Candidate best{};
  float least = 0;
  for (const Candidate& candidate :
       options.symmetric ? SymmetricCandidates(observed, codes) : AsymmetricCandidates(observed, codes)) {
    const float noise = cost.Of(candidate, codes);
    if (best.delta != 0 && !(noise < least)) continue;
    best = candidate;
    least = noise;
  }
  return {double{best.delta * best.offset}, double{best.delta * (best.offset + codes)}, double{best.delta},
          double{best.offset} - static_cast<double>(options.qmin)};
}

}  // namespace lq
