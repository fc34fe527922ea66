#include "runtime/patches.h"

#include <algorithm>
#include <cstring>

namespace lq {
namespace {

// One row of kernel cells of one window: `y` is the input row, `x0` the input column of cell 0 (both may lie outside).
void GatherRow(const PatchSpec& spec, const uint8_t* image, ptrdiff_t y, ptrdiff_t x0, uint8_t* out) {
  const kernels::Window& w = spec.window;
  const size_t cell = spec.group_channels;
  const auto height = static_cast<ptrdiff_t>(w.in_height), width = static_cast<ptrdiff_t>(w.in_width);
  const auto step = static_cast<ptrdiff_t>(w.dilation_width), cells = static_cast<ptrdiff_t>(w.kernel_width);
  if (y < 0 || y >= height) {
    std::memset(out, spec.zero_code, w.kernel_width * cell);
    return;
  }
  const uint8_t* row = image + static_cast<size_t>(y) * w.in_width * w.channels + spec.first_channel;
  const bool inside = x0 >= 0 && x0 + (cells - 1) * step < width;
  if (inside && step == 1 && cell == w.channels) {  // contiguous: the common case
    std::memcpy(out, row + static_cast<size_t>(x0) * cell, w.kernel_width * cell);
    return;
  }
  for (ptrdiff_t i = 0; i < cells; ++i, out += cell) {
    const ptrdiff_t x = x0 + i * step;
    if (x < 0 || x >= width) {
      std::memset(out, spec.zero_code, cell);
    } else {
      std::memcpy(out, row + static_cast<size_t>(x) * w.channels, cell);
    }
  }
}

}  // namespace

void GatherPatches(const PatchSpec& spec, const uint8_t* in, size_t first, size_t count, uint8_t* out) {
  const kernels::Window& w = spec.window;
  const size_t pixels = w.out_height * w.out_width;
  const size_t image_bytes = w.in_height * w.in_width * w.channels;
  for (size_t i = first; i < first + count; ++i, out += spec.row_stride) {
    const uint8_t* image = in + i / pixels * image_bytes;
    const size_t oy = i % pixels / w.out_width, ox = i % w.out_width;
    const auto y0 = static_cast<ptrdiff_t>(oy * w.stride_height) - static_cast<ptrdiff_t>(w.pad_top);
    const auto x0 = static_cast<ptrdiff_t>(ox * w.stride_width) - static_cast<ptrdiff_t>(w.pad_left);
    for (size_t ky = 0; ky < w.kernel_height; ++ky) {
      GatherRow(spec, image, y0 + static_cast<ptrdiff_t>(ky * w.dilation_height), x0,
                out + ky * w.kernel_width * spec.group_channels);
    }
  }
}

}  // namespace lq
