#include <algorithm>

#include "kernels/packing.h"

namespace lq::kernels {
namespace {

constexpr size_t kLanes = 64;

// Of a channel and an output row of a pair: the weight that input row `row` of the quads gets.
int8_t WeightOf(const PackedDepthwiseS8& layout, const int32_t* taps, size_t column, size_t out_row, size_t row) {
  const size_t ky = row - out_row * layout.stride_height;  // what lies above the window wraps to a huge number
  return ky < layout.kernel_height ? static_cast<int8_t>(taps[ky * layout.kernel_width + column]) : int8_t{0};
}

}  // namespace

bool PackedDepthwiseS8::Fits() const {
  return kernel_height <= kLargestKernel && kernel_width <= kLargestKernel && stride_width <= kernel_width;
}

size_t PackedDepthwiseS8::FirstChannel(size_t chunk) const {
  return channels < kLanes ? 0 : std::min(chunk * kLanes, channels - kLanes);
}

void PackDepthwiseS8(const PackedDepthwiseS8& layout, const int32_t* w, int8_t* out) {
  const size_t taps = layout.kernel_height * layout.kernel_width;
  const size_t lanes = layout.pixels() == 1 ? std::min(kLanes, layout.channels) : kLanes;  // that have a weight
  for (size_t i = 0; i < layout.Bytes(); ++i) {
    size_t rest = i;
    const auto next = [&rest](size_t count) {
      const size_t index = rest % count;
      rest /= count;
      return index;
    };
    const size_t row_of_quad = next(4), lane_of_block = next(4), block = next(4), out_row = next(layout.output_rows());
    const size_t vector = next(4), column = next(layout.kernel_width), quad = next(layout.quads());
    const size_t lane = 16 * block + 4 * vector + lane_of_block;
    const size_t channel = layout.FirstChannel(rest) + lane % layout.channels;
    out[i] = lane < lanes ? WeightOf(layout, w + channel * taps, column, out_row, 4 * quad + row_of_quad) : int8_t{0};
  }
}

}  // namespace lq::kernels
