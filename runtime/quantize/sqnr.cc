#include "runtime/quantize/sqnr.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lq {
namespace {

constexpr float kClippingPenalty = 3.0f;
constexpr int kSymmetricDeltas = 101, kAsymmetricDeltas = 17;
constexpr int64_t kOffsets = 21;

// Half to even. Clamping first, to beyond what tells clipped bins apart, changes no result; adding and subtracting
// 1.5 * 2^23 rounds what is below 2^22.
float RoundClamped(float t, float steps) {
  t = t < -1 ? -1 : t > steps + 1 ? steps + 1 : t;
  return steps < 0x1p22f ? (t + 0x1.8p23f) - 0x1.8p23f : std::nearbyint(t);
}

struct Noise {
  Noise(const Histogram& histogram, int64_t grid_steps) : steps(static_cast<float>(grid_steps)) {
    const float low = histogram.bins().Edge(0), width = histogram.bins().Edge(1) - low;
    const float first = low + width / 2;
    // Bins without a count add 0 to every sum, or NaN where the square of an error overflows.
    const float widest = 2 * std::max(std::abs(histogram.bins().high()), std::abs(low));
    const bool overflows = !std::isfinite(widest * widest * kClippingPenalty);
    for (size_t i = 0; i < histogram.counts().size(); ++i) {
      if (histogram.counts()[i] == 0 && !overflows) continue;
      middle.push_back(first + static_cast<float>(i) * width);
      count.push_back(histogram.counts()[i]);
    }
  }

  // Sums beyond float32 are infinite, as AIMET's.
  float Of(float delta, float offset) const {
    double sum = 0;
    for (size_t i = 0; i < middle.size(); ++i) {
      const float code = RoundClamped(middle[i] / delta - offset, steps);
      const float inside = code < 0 ? 0 : code > steps ? steps : code;
      const float error = (inside + offset) * delta - middle[i];
      const float noise = error * error * count[i];
      sum += double{code == inside ? noise : noise * kClippingPenalty};
    }
    return static_cast<float>(sum);
  }

  float steps;
  std::vector<float> middle, count;  // of bins that count
};

// Keeps the first of the best, for which torch.min takes a NaN: the very first where every cost is infinite, as of
// values above 1e19.
struct Quietest {
  void Try(const Noise& noise, float new_delta, float new_offset) {
    const float new_cost = noise.Of(new_delta, new_offset);
    const bool first_nan = std::isnan(new_cost) && !std::isnan(cost);
    if (!tried || new_cost < cost || first_nan) *this = {true, new_cost, new_delta, new_offset};
  }
  bool tried = false;
  float cost = 0, delta = 0, offset = 0;
};

Quietest SearchSymmetric(const Noise& noise, FloatRange range, int64_t steps) {
  const float widest = 2 * std::max(range.max, -range.min) / noise.steps;
  const float offset = -static_cast<float>((steps + 1) / 2);
  Quietest best;
  for (int j = 1; j <= kSymmetricDeltas; ++j) {
    best.Try(noise, std::max(widest * static_cast<float>(j) / 100, SmallestScale(steps)), offset);
  }
  return best;
}

// Whole offsets spread over the grid, and the one of the observed range.
std::vector<float> Offsets(float observed, int64_t steps) {
  const int64_t spread = std::min(steps + 2, kOffsets) - 1;
  const double step = static_cast<double>(steps) / static_cast<double>(spread - 1);
  std::vector<float> offsets;
  for (int64_t i = 0; i < spread; ++i) {
    offsets.push_back(std::nearbyint(static_cast<float>(-static_cast<double>(steps) + static_cast<double>(i) * step)));
  }
  offsets.push_back(observed);
  return offsets;
}

Quietest SearchAsymmetric(const Noise& noise, FloatRange range, int64_t steps) {
  const float smallest = SmallestScale(steps);
  const float widest = (range.max - range.min) / noise.steps;
  const float observed = std::nearbyint(range.min / widest);
  const float lowest = widest * observed, highest = lowest + widest * noise.steps;
  const std::vector<float> offsets = Offsets(observed, steps);
  Quietest best;
  for (int j = 1; j <= kAsymmetricDeltas; ++j) {
    const float delta = widest * static_cast<float>(j) / 16;
    for (const float offset : offsets) {
      const float low = std::max(lowest, delta * offset);
      const float high = std::min(highest, delta * offset + delta * noise.steps);
      const float inside = std::max((high - low) / noise.steps, smallest);
      best.Try(noise, inside, std::nearbyint(low / inside));
    }
  }
  return best;
}

}  // namespace

FloatRange LeastNoiseRange(const Histogram& histogram, int64_t steps, bool symmetric) {
  const Noise noise(histogram, steps);
  FloatRange range = histogram.range();
  range.min = std::min(range.min, 0.0f);
  range.max = std::max({range.max, 0.0f, range.min + SmallestScale(steps) * noise.steps});
  const Quietest best = symmetric ? SearchSymmetric(noise, range, steps) : SearchAsymmetric(noise, range, steps);
  const float min = best.offset * best.delta + 0.0f;  // never -0
  return {min, min + noise.steps * best.delta};
}

}  // namespace lq
