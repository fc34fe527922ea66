// The attributes that convolutions and pools share: kernel_shape, strides, dilations, pads, auto_pad.
#ifndef LANEQUANT_RUNTIME_PLAN_WINDOW_ATTRIBUTES_H_
#define LANEQUANT_RUNTIME_PLAN_WINDOW_ATTRIBUTES_H_

#include <array>
#include <cstddef>
#include <optional>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/graph.h"

namespace lq {

struct WindowAttributes {
  std::array<size_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<size_t, 4> padding{0, 0, 0, 0};  // top, left, bottom, right
};

// `kernel`: from the weight's shape (a kernel_shape attribute must agree), or nothing where the attribute must be
// there. `image`: the input's plan shape, which auto_pad needs. Errors name node, attribute and values.
Result<WindowAttributes> ReadWindow(const Graph& graph, const Node& node, std::optional<std::array<size_t, 2>> kernel,
                                    const Shape& image);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_WINDOW_ATTRIBUTES_H_
