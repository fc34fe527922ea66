#include "runtime/patches.h"

#include <algorithm>
#include <cstring>

namespace lq {
namespace {

// One row of kernel cells of one window: `y` is the input row, `x0` the input column of cell 0 (both may lie outside).
template <class T>
void GatherRow(const PatchSpec& spec, const T* image, ptrdiff_t y, ptrdiff_t x0, T* out) {
  const kernels::Window& w = spec.window;
  const size_t cell = spec.group_channels;
  const auto height = static_cast<ptrdiff_t>(w.in_height), width = static_cast<ptrdiff_t>(w.in_width);
  const auto step = static_cast<ptrdiff_t>(w.dilation_width), cells = static_cast<ptrdiff_t>(w.kernel_width);
  if (y < 0 || y >= height) {
    std::fill_n(out, w.kernel_width * cell, static_cast<T>(spec.zero_code));
    return;
  }
  const T* row = image + static_cast<size_t>(y) * w.in_width * w.channels + spec.first_channel;
  const bool inside = x0 >= 0 && x0 + (cells - 1) * step < width;
  if (inside && step == 1 && cell == w.channels) {  // contiguous: the common case
    std::memcpy(out, row + static_cast<size_t>(x0) * cell, w.kernel_width * cell * sizeof(T));
    return;
  }
  for (ptrdiff_t i = 0; i < cells; ++i, out += cell) {
    const ptrdiff_t x = x0 + i * step;
    if (x < 0 || x >= width) {
      std::fill_n(out, cell, static_cast<T>(spec.zero_code));
    } else {
      std::memcpy(out, row + static_cast<size_t>(x) * w.channels, cell * sizeof(T));
    }
  }
}

}  // namespace

template <class T>
void GatherPatches(const PatchSpec& spec, const std::byte* in, size_t first, size_t count, std::byte* out) {
  const kernels::Window& w = spec.window;
  const size_t pixels = w.out_height * w.out_width;
  const size_t image_bytes = w.in_height * w.in_width * w.channels * sizeof(T);
  for (size_t i = first; i < first + count; ++i, out += spec.row_stride) {
    const auto* image = reinterpret_cast<const T*>(in + i / pixels * image_bytes);
    const size_t oy = i % pixels / w.out_width, ox = i % w.out_width;
    const auto y0 = static_cast<ptrdiff_t>(oy * w.stride_height) - static_cast<ptrdiff_t>(w.pad_top);
    const auto x0 = static_cast<ptrdiff_t>(ox * w.stride_width) - static_cast<ptrdiff_t>(w.pad_left);
    for (size_t ky = 0; ky < w.kernel_height; ++ky) {
      GatherRow(spec, image, y0 + static_cast<ptrdiff_t>(ky * w.dilation_height), x0,
                reinterpret_cast<T*>(out) + ky * w.kernel_width * spec.group_channels);
    }
  }
}

template void GatherPatches<uint8_t>(const PatchSpec&, const std::byte*, size_t, size_t, std::byte*);
template void GatherPatches<uint16_t>(const PatchSpec&, const std::byte*, size_t, size_t, std::byte*);

}  // namespace lq
