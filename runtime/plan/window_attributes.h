// The attributes that convolutions and pools share: kernel_shape, strides, dilations, pads, auto_pad.
#ifndef LANEQUANT_RUNTIME_PLAN_WINDOW_ATTRIBUTES_H_
#define LANEQUANT_RUNTIME_PLAN_WINDOW_ATTRIBUTES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/graph.h"

namespace lq {

struct WindowAttributes {
  std::array<size_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<size_t, 4> padding{0, 0, 0, 0};  // top, left, bottom, right
};

// auto_pad SAME of one dimension: cells in front and behind, the odd one behind (UPPER) or in front.
struct SamePadding {
  int64_t begin, end;
};
SamePadding SplitPadding(int64_t total, bool upper);
// As many as make the output ceil(length / stride) long.
SamePadding PadSame(int64_t length, int64_t stride, int64_t extent, bool upper);

// `count` integers of an attribute, `fallback` for all where it is missing. Error: one is outside low..kLargestWindow.
Result<std::vector<int64_t>> ReadWindowAttribute(const Graph& graph, const Node& node, const char* key, size_t count,
                                                 int64_t low, int64_t fallback);

// `kernel`: from the weight's shape (a kernel_shape attribute must agree), or nothing where the attribute must be
// there. `image`: the input's plan shape, which auto_pad needs. Errors name node, attribute and values.
Result<WindowAttributes> ReadWindow(const Graph& graph, const Node& node, std::optional<std::array<size_t, 2>> kernel,
                                    const Shape& image);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_WINDOW_ATTRIBUTES_H_
