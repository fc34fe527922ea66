#include "kernels/reference/reference.h"

namespace lq::reference {
namespace {

// A position of the output: image, output channel, row, column.
struct OutputCell {
  size_t image, channel, y, x;
};

// Whether cell `tap` of the window at `place` lies inside the input; if so, where.
bool InputIndex(size_t place, size_t stride, size_t tap, size_t dilation, size_t pad, size_t size, size_t* index) {
  const size_t padded = place * stride + tap * dilation;
  if (padded < pad || padded - pad >= size) return false;
  *index = padded - pad;
  return true;
}

int64_t Sum(const ConvGeometry& g, const OutputCell& cell, std::span<const int32_t> x, std::span<const int32_t> w) {
  const size_t group_inputs = g.in_channels / g.groups;
  const size_t first_input = cell.channel / (g.out_channels / g.groups) * group_inputs;
  int64_t sum = 0;
  for (size_t c = 0; c < group_inputs; ++c) {
    const size_t plane = (cell.image * g.in_channels + first_input + c) * g.in_height;
    const size_t kernel = (cell.channel * group_inputs + c) * g.kernel_height;
    for (size_t i = 0; i < g.kernel_height; ++i) {
      size_t row = 0, column = 0;
      if (!InputIndex(cell.y, g.stride_height, i, g.dilation_height, g.pad_top, g.in_height, &row)) continue;
      for (size_t j = 0; j < g.kernel_width; ++j) {
        if (!InputIndex(cell.x, g.stride_width, j, g.dilation_width, g.pad_left, g.in_width, &column)) continue;
        sum += int64_t{x[(plane + row) * g.in_width + column]} * int64_t{w[(kernel + i) * g.kernel_width + j]};
      }
    }
  }
  return sum;
}

}  // namespace

void ConvAcc(const ConvGeometry& g, std::span<const int32_t> x, std::span<const int32_t> w, std::span<int64_t> acc) {
  size_t index = 0;
  for (size_t image = 0; image < g.batch; ++image) {
    for (size_t channel = 0; channel < g.out_channels; ++channel) {
      for (size_t row = 0; row < g.out_height; ++row) {
        for (size_t column = 0; column < g.out_width; ++column) {
          acc[index++] = Sum(g, {image, channel, row, column}, x, w);
        }
      }
    }
  }
}

}  // namespace lq::reference
