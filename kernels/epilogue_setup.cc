#include "kernels/epilogue_setup.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/round_up.h"

namespace lq::kernels {
namespace {

// 16.16 fixed point.
constexpr double kOne = 65536.0;

// t = acc * slope + intercept; `spread`: magnitudes, in codes, of the constants that may cancel on the way there.
struct Line {
  double slope, intercept, spread;
};

Line LineOf(const Epilogue& e, size_t channel) {
  const double step = e.to.scale;
  const double bias = e.bias != nullptr ? e.bias[channel] : 0.0;
  if (e.bn_mean == nullptr) return {e.scale[channel] / step, bias / step, std::abs(bias) / step};
  const double mean = e.bn_mean[channel], gain = e.bn_gain[channel], beta = e.bn_beta[channel];
  return {e.scale[channel] * gain / step, ((bias - mean) * gain + beta) / step,
          ((std::abs(bias) + std::abs(mean)) * std::abs(gain) + std::abs(beta)) / step};
}

// What the proof in epilogue-inl.h asks of a channel:
// - |C| + |o| < 2^15 keeps the window below 2^10, so that near-ties stay rare, and the constants within the fixed
// point;
// - magnitudes that cancel stay below 2^28 codes: twelve binary64 roundings of 2^-53 then stay below 2^-21 codes;
// - a slope whose products stay finite in float32 (|acc| < 2^31). A tiny one is fine: what underflows is below 2^-80
// codes.
bool IsFast(const Line& line, int32_t offset) {
  return std::abs(line.intercept) + std::abs(static_cast<double>(offset)) < 32768.0 && line.spread < 268435456.0 &&
         std::abs(line.slope) < 1e18;
}

}  // namespace

void SetUpFastEpilogue(size_t channels, float* fast_mul, float* fast_add, Epilogue* epilogue) {
  const int32_t offset = epilogue->to.offset;
  double largest = 0;  // |C| + |o|
  size_t fast_channels = 0;
  for (size_t c = 0; c < channels; ++c) {
    const Line line = LineOf(*epilogue, c);
    if (!IsFast(line, offset)) continue;
    ++fast_channels;
    largest = std::max(largest, std::abs(line.intercept) + std::abs(static_cast<double>(offset)));
  }
  const int32_t window = static_cast<int32_t>(std::ceil(4 * (261 + largest) / 256 + 1.125));
  for (size_t c = 0; c < channels; ++c) {
    const Line line = LineOf(*epilogue, c);
    // A channel without a fast way: U = 0, whose low half is always below 2 * window, so that it is always redone.
    const bool fast = IsFast(line, offset);
    fast_mul[c] = fast ? static_cast<float>(line.slope * kOne) : 0.0f;
    fast_add[c] = fast ? static_cast<float>((line.intercept - offset) * kOne + 32768.0 + window) : 0.0f;
  }
  // Lanes beyond the last channel: U = 2^15, never redone.
  const size_t padded = RoundUp(channels, 64);
  std::fill(fast_mul + channels, fast_mul + padded, 0.0f);
  std::fill(fast_add + channels, fast_add + padded, 32768.0f);
  epilogue->fast_mul = fast_mul;
  epilogue->fast_add = fast_add;
  epilogue->window = window;
  // With most lanes redone the fast way is only a detour.
  epilogue->fast = 2 * fast_channels >= channels;
}

}  // namespace lq::kernels
