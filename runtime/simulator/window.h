// Windows over images: the attributes that Conv and the pools share, and where the windows lie for one input size.
#ifndef LANEQUANT_RUNTIME_SIMULATOR_WINDOW_H_
#define LANEQUANT_RUNTIME_SIMULATOR_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/simulator/operators.h"

namespace lq::simulator {

enum class AutoPad { kNotSet, kSameUpper, kSameLower, kValid };

struct Window {
  std::string name;                               // of the node, for messages
  std::vector<int64_t> kernel, stride, dilation;  // by spatial dimension: (depth, height, width), (height, width), ...
  std::vector<int64_t> pads;                      // all begins, then all ends
  AutoPad auto_pad = AutoPad::kNotSet;
  bool ceil_mode = false;

  size_t rank() const { return kernel.size(); }
};

// A window placed over an input of known size.
struct Placement {
  std::vector<int64_t> out;   // by spatial dimension
  std::vector<int64_t> pads;  // as Window, auto_pad resolved
};

// kernel_shape, strides, dilations, pads, auto_pad and ceil_mode; `kernel` is the size that the weight has, or empty
// where the attribute is all there is.
Result<Window> ReadWindow(const NodeContext& context, std::vector<int64_t> kernel);

// `in`: the spatial dimensions of the input. Error: an input smaller than the window.
Result<Placement> Place(const Window& window, std::span<const int64_t> in);

// Error: a window that lies wholly in the padding: its maximum and its mean do not exist.
Status CheckNoEmptyWindow(const Window& window, const Placement& placement, std::span<const int64_t> in);

}  // namespace lq::simulator

#endif  // LANEQUANT_RUNTIME_SIMULATOR_WINDOW_H_
