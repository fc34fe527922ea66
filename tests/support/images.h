// Random windows over images, and the way between the kernels' channels-last codes and the reference's channels-first
// values.
#ifndef LANEQUANT_TESTS_SUPPORT_IMAGES_H_
#define LANEQUANT_TESTS_SUPPORT_IMAGES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/contracts.h"
#include "tests/support/random.h"

namespace lq::testing {

struct RandomWindow {
  kernels::Window window;
  size_t pad_bottom, pad_right;
};

// Every window holds a cell of the input. `dilate`: with dilation (pools and convolutions that pad less than a window).
inline RandomWindow DrawWindow(Random& random, size_t max_channels) {
  for (;;) {
    kernels::Window w{};
    w.in_height = random.LogSize(1, 14);
    w.in_width = random.LogSize(1, 14);
    w.channels = random.LogSize(1, max_channels);
    w.kernel_height = random.LogSize(1, 5);
    w.kernel_width = random.LogSize(1, 5);
    w.stride_height = random.Size(1, 3);
    w.stride_width = random.Size(1, 3);
    w.dilation_height = random.Size(1, 2);
    w.dilation_width = random.Size(1, 2);
    w.pad_top = random.Size(0, w.kernel_height - 1);
    w.pad_left = random.Size(0, w.kernel_width - 1);
    const size_t pad_bottom = random.Size(0, w.kernel_height - 1), pad_right = random.Size(0, w.kernel_width - 1);
    const size_t high = w.in_height + w.pad_top + pad_bottom, wide = w.in_width + w.pad_left + pad_right;
    const size_t window_high = (w.kernel_height - 1) * w.dilation_height + 1;
    const size_t window_wide = (w.kernel_width - 1) * w.dilation_width + 1;
    if (high < window_high || wide < window_wide) continue;
    w.out_height = (high - window_high) / w.stride_height + 1;
    w.out_width = (wide - window_wide) / w.stride_width + 1;
    w.y_begin = 0;
    w.y_end = w.out_height;
    return {w, pad_bottom, pad_right};
  }
}

// [height][width][channels] codes -> [channels][height][width] values of q + offset.
template <class T>
std::vector<int32_t> Centred(const T* codes, size_t pixels, size_t channels, int32_t offset) {
  std::vector<int32_t> values(pixels * channels);
  for (size_t p = 0; p < pixels; ++p) {
    for (size_t c = 0; c < channels; ++c) values[c * pixels + p] = codes[p * channels + c] + offset;
  }
  return values;
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_IMAGES_H_
