// Patches: the rows of the implicit matrix that a convolution multiplies, gathered from a channels-last image.
#ifndef LANEQUANT_RUNTIME_PATCHES_H_
#define LANEQUANT_RUNTIME_PATCHES_H_

#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"

namespace lq {

// The largest kernel, stride, dilation or padding along one dimension: keeps every sum of sizes far below 2^63.
constexpr int64_t kLargestWindow = int64_t{1} << 20;

// Output pixels first..first + count - 1 of a batch (image, row, column in this order); each row of `out` holds the
// cells of the pixel's window, [kernel height][kernel width][channels of one group], padding as `zero_code`.
struct PatchSpec {
  kernels::Window window;  // channels: of the whole image; y_begin and y_end are not used
  size_t group_channels, first_channel;
  uint16_t zero_code;
  size_t row_stride;  // bytes of a row of `out`, at least kPatchSlack of them behind the last cell
};
constexpr size_t kPatchSlack = 16;  // get any values
// T: uint8_t or uint16_t, the codes of `in` and `out`; or float, with zero_code 0.
template <class T>
void GatherPatches(const PatchSpec& spec, const std::byte* in, size_t first, size_t count, std::byte* out);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PATCHES_H_
