#include "runtime/plan/window_attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "runtime/patches.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// As many as `out` holds.
Status ReadSizes(const Graph& graph, const Node& node, const char* key, int64_t low, int64_t fallback,
                 std::span<size_t> out) {
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> values,
                      ReadWindowAttribute(graph, node, key, out.size(), low, fallback));
  std::copy(values.begin(), values.end(), out.begin());
  return OkStatus();
}

void PadImage(const Shape& image, bool upper, WindowAttributes& w) {
  for (size_t i = 0; i < 2; ++i) {
    const auto extent = static_cast<int64_t>(w.dilation[i] * (w.kernel[i] - 1) + 1);
    const SamePadding padding = PadSame(image[i + 1], static_cast<int64_t>(w.stride[i]), extent, upper);
    w.padding[i] = static_cast<size_t>(padding.begin);
    w.padding[i + 2] = static_cast<size_t>(padding.end);
  }
}

}  // namespace

SamePadding SplitPadding(int64_t total, bool upper) {
  const int64_t begin = upper ? total / 2 : total - total / 2;
  return {begin, total - begin};
}

SamePadding PadSame(int64_t length, int64_t stride, int64_t extent, bool upper) {
  const int64_t outputs = (length + stride - 1) / stride;
  return SplitPadding(std::max<int64_t>(0, (outputs - 1) * stride + extent - length), upper);
}

Result<std::vector<int64_t>> ReadWindowAttribute(const Graph& graph, const Node& node, const char* key, size_t count,
                                                 int64_t low, int64_t fallback) {
  std::vector<int64_t> values = node.Ints(key, std::vector<int64_t>(count, fallback));
  const bool fits = values.size() == count && std::all_of(values.begin(), values.end(),
                                                          [low](int64_t v) { return v >= low && v <= kLargestWindow; });
  if (fits) return values;
  return InvalidArgument(fmt::format("{}: {} is ({}), not {} values in {}..{}", graph.Describe(node), key,
                                     fmt::join(values, ", "), count, low, kLargestWindow));
}

Result<WindowAttributes> ReadWindow(const Graph& graph, const Node& node, std::optional<std::array<size_t, 2>> kernel,
                                    const Shape& image) {
  if (image.rank() != 4) {
    return Unsupported(
        fmt::format("{}: input of rank {}; it runs over images of rank 4", graph.Describe(node), image.rank()));
  }
  WindowAttributes w;
  if (!kernel || node.attributes.count("kernel_shape") != 0) {
    LQ_RETURN_IF_ERROR(ReadSizes(graph, node, "kernel_shape", 1, 0, w.kernel));
    if (kernel && *kernel != w.kernel) {
      return InvalidArgument(fmt::format("{}: kernel_shape ({}, {}) differs from its weight's ({}, {})",
                                         graph.Describe(node), w.kernel[0], w.kernel[1], (*kernel)[0], (*kernel)[1]));
    }
  } else {
    w.kernel = *kernel;
  }
  LQ_RETURN_IF_ERROR(ReadSizes(graph, node, "strides", 1, 1, w.stride));
  LQ_RETURN_IF_ERROR(ReadSizes(graph, node, "dilations", 1, 1, w.dilation));
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  if (auto_pad == "NOTSET") {
    LQ_RETURN_IF_ERROR(ReadSizes(graph, node, "pads", 0, 0, w.padding));
  } else if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    PadImage(image, auto_pad == "SAME_UPPER", w);
  } else if (auto_pad != "VALID") {
    return Unsupported(fmt::format("{}: auto_pad '{}'; there are NOTSET, VALID, SAME_UPPER, SAME_LOWER",
                                   graph.Describe(node), auto_pad));
  }
  return w;
}

}  // namespace lq
