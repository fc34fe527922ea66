// Where Resize of mode linear or cubic reads, and what it weighs each element with.
#ifndef LANEQUANT_RUNTIME_PLAN_RESIZE_TAPS_H_
#define LANEQUANT_RUNTIME_PLAN_RESIZE_TAPS_H_

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace lq {

// Up to four elements of one axis, whose sum is taken from the first to the last.
struct ResizeTaps {
  std::array<int64_t, 4> at;
  std::array<double, 4> weight;
  size_t count;
};

// Between the two neighbours of position `at`, which lies within the axis.
inline ResizeTaps LinearTaps(double at, int64_t length) {
  const double whole = std::floor(at), part = at - whole;
  const auto low = static_cast<int64_t>(whole);
  return {{low, std::min(low + 1, length - 1)}, {1 - part, part}, 2};
}

// ONNX Resize, cubic: the convolution of Keys (1981) with coefficient `a`. Elements beyond the ends repeat those there.
inline ResizeTaps CubicTaps(double at, int64_t length, double a) {
  const double whole = std::floor(at), part = at - whole;
  const auto near = [a](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };       // d <= 1
  const auto far = [a](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };  // 1 < d <= 2
  ResizeTaps taps{{}, {far(part + 1), near(part), near(1 - part), far(2 - part)}, 4};
  for (size_t i = 0; i < 4; ++i) {
    taps.at[i] = std::clamp<int64_t>(static_cast<int64_t>(whole) + static_cast<int64_t>(i) - 1, 0, length - 1);
  }
  return taps;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_RESIZE_TAPS_H_
