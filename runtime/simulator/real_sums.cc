#include "runtime/simulator/real_sums.h"

#include <algorithm>
#include <cstdint>

namespace lq::simulator {
namespace {

// The outputs [begin, end) of a row whose cell `tap` lies inside the input: 0 <= o * stride + shift < in.
struct InsideRange {
  size_t begin, end;
};

InsideRange FindInside(size_t out, size_t in, size_t stride, int64_t shift) {
  const auto s = static_cast<int64_t>(stride);
  const int64_t first = shift >= 0 ? 0 : (-shift + s - 1) / s;
  const int64_t last = static_cast<int64_t>(in) - 1 - shift;  // largest o * stride
  const int64_t end = last < 0 ? 0 : std::min(static_cast<int64_t>(out), last / s + 1);
  return {static_cast<size_t>(std::min(first, end)), static_cast<size_t>(end)};
}

// Adds weight * image, shifted by one tap, to one output channel.
void AddTap(const reference::ConvGeometry& g, size_t tap, double weight, const double* image, double* out) {
  const size_t tap_y = tap / g.kernel_width, tap_x = tap % g.kernel_width;
  const auto shift_y = static_cast<int64_t>(tap_y * g.dilation_height) - static_cast<int64_t>(g.pad_top);
  const auto shift_x = static_cast<int64_t>(tap_x * g.dilation_width) - static_cast<int64_t>(g.pad_left);
  const InsideRange rows = FindInside(g.out_height, g.in_height, g.stride_height, shift_y);
  const InsideRange columns = FindInside(g.out_width, g.in_width, g.stride_width, shift_x);
  for (size_t y = rows.begin; y < rows.end; ++y) {
    const auto row = static_cast<size_t>(static_cast<int64_t>(y * g.stride_height) + shift_y);
    for (size_t x = columns.begin; x < columns.end; ++x) {
      const auto column = static_cast<size_t>(static_cast<int64_t>(x * g.stride_width) + shift_x);
      out[y * g.out_width + x] += weight * image[row * g.in_width + column];
    }
  }
}

}  // namespace

void ConvReal(const reference::ConvGeometry& g, std::span<const double> x, std::span<const double> w,
              std::span<double> y) {
  const size_t in_group = g.in_channels / g.groups, out_group = g.out_channels / g.groups;
  const size_t taps = g.kernel_height * g.kernel_width, in_image = g.in_height * g.in_width;
  std::fill(y.begin(), y.end(), 0.0);
  for (size_t b = 0; b < g.batch; ++b) {
    for (size_t n = 0; n < g.out_channels; ++n) {
      double* out = &y[(b * g.out_channels + n) * g.out_height * g.out_width];
      for (size_t c = 0; c < in_group; ++c) {
        const double* image = &x[(b * g.in_channels + n / out_group * in_group + c) * in_image];
        for (size_t tap = 0; tap < taps; ++tap) AddTap(g, tap, w[(n * in_group + c) * taps + tap], image, out);
      }
    }
  }
}

void MatmulReal(std::span<const double> x, std::span<const double> w, size_t m, size_t n, size_t k,
                std::span<double> y) {
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (size_t l = 0; l < k; ++l) sum += x[i * k + l] * w[j * k + l];
      y[i * n + j] = sum;
    }
  }
}

}  // namespace lq::simulator
