// Windows over images: the attributes that Conv and the pools share, and where the windows lie for one input size.
#ifndef LANEQUANT_RUNTIME_SIMULATOR_WINDOW_H_
#define LANEQUANT_RUNTIME_SIMULATOR_WINDOW_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "lanequant/status.h"
#include "runtime/simulator/operators.h"

namespace lq::simulator {

enum class AutoPad { kNotSet, kSameUpper, kSameLower, kValid };

struct Window {
  std::string name;                                 // of the node, for messages
  std::array<int64_t, 2> kernel, stride, dilation;  // height, width
  std::array<int64_t, 4> pads;                      // top, left, bottom, right
  AutoPad auto_pad;
  bool ceil_mode;
};

// A window placed over an input of known size.
struct Placement {
  std::array<int64_t, 2> out;   // height, width
  std::array<int64_t, 4> pads;  // as Window, auto_pad resolved
};

// kernel_shape, strides, dilations, pads, auto_pad and ceil_mode; `kernel` is the size that the weight has, or null
// where the attribute is all there is.
Result<Window> ReadWindow(const NodeContext& context, const std::array<int64_t, 2>* kernel);

// Error: an input smaller than the window.
Result<Placement> Place(const Window& window, int64_t in_height, int64_t in_width);

// Error: a window that lies wholly in the padding: its maximum and its mean do not exist.
Status CheckNoEmptyWindow(const Window& window, const Placement& placement, int64_t in_height, int64_t in_width);

}  // namespace lq::simulator

#endif  // LANEQUANT_RUNTIME_SIMULATOR_WINDOW_H_
