// Patches: the rows of the implicit matrix that a convolution multiplies, gathered from a channels-last image.
#ifndef LANEQUANT_RUNTIME_PATCHES_H_
#define LANEQUANT_RUNTIME_PATCHES_H_

#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"

namespace lq {

// Output pixels first..first + count - 1 of a batch (image, row, column in this order); each row of `out` holds the
// cells of the pixel's window, [kernel height][kernel width][channels of one group], padding as `zero_code`.
struct PatchSpec {
  kernels::Window window;  // channels: of the whole image; y_begin and y_end are not used
  size_t group_channels, first_channel;
  uint8_t zero_code;
  size_t row_stride;  // bytes of a row of `out`
};
void GatherPatches(const PatchSpec& spec, const uint8_t* in, size_t first, size_t count, uint8_t* out);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PATCHES_H_
