#include "runtime/plan/window_attributes.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int64_t kLargest = int64_t{1} << 20;  // keeps every sum of sizes far from overflow

// `count` values of an attribute, each in low..kLargest; `fallback` for all where it is missing.
Status ReadInts(const Graph& graph, const Node& node, const char* key, int64_t low, int64_t fallback,
                std::span<size_t> out) {
  const std::vector<int64_t> values = node.Ints(key, std::vector<int64_t>(out.size(), fallback));
  const bool fits = values.size() == out.size() &&
                    std::all_of(values.begin(), values.end(), [&](int64_t v) { return v >= low && v <= kLargest; });
  if (!fits) {
    return InvalidArgument(fmt::format("{}: {} is ({}), not {} values in {}..{}", graph.Describe(node), key,
                                       fmt::join(values, ", "), out.size(), low, kLargest));
  }
  std::copy(values.begin(), values.end(), out.begin());
  return OkStatus();
}

// auto_pad SAME: as much padding as makes the output ceil(input / stride) long, the odd cell at the end (UPPER) or
// begin.
void PadSame(const Shape& image, bool upper, WindowAttributes& w) {
  for (size_t i = 0; i < 2; ++i) {
    const int64_t length = image[i + 1], step = static_cast<int64_t>(w.stride[i]);
    const auto window = static_cast<int64_t>(w.dilation[i] * (w.kernel[i] - 1) + 1);
    const int64_t outputs = (length + step - 1) / step;
    const auto total = static_cast<size_t>(std::max<int64_t>(0, (outputs - 1) * step + window - length));
    w.padding[i] = upper ? total / 2 : total - total / 2;
    w.padding[i + 2] = total - w.padding[i];
  }
}

}  // namespace

Result<WindowAttributes> ReadWindow(const Graph& graph, const Node& node, std::optional<std::array<size_t, 2>> kernel,
                                    const Shape& image) {
  if (image.rank() != 4) {
    return Unsupported(
        fmt::format("{}: input of rank {}; it runs over images of rank 4", graph.Describe(node), image.rank()));
  }
  WindowAttributes w;
  if (!kernel || node.attributes.count("kernel_shape") != 0) {
    LQ_RETURN_IF_ERROR(ReadInts(graph, node, "kernel_shape", 1, 0, w.kernel));
    if (kernel && *kernel != w.kernel) {
      return InvalidArgument(fmt::format("{}: kernel_shape ({}, {}) differs from its weight's ({}, {})",
                                         graph.Describe(node), w.kernel[0], w.kernel[1], (*kernel)[0], (*kernel)[1]));
    }
  } else {
    w.kernel = *kernel;
  }
  LQ_RETURN_IF_ERROR(ReadInts(graph, node, "strides", 1, 1, w.stride));
  LQ_RETURN_IF_ERROR(ReadInts(graph, node, "dilations", 1, 1, w.dilation));
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  if (auto_pad == "NOTSET") {
    LQ_RETURN_IF_ERROR(ReadInts(graph, node, "pads", 0, 0, w.padding));
  } else if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    PadSame(image, auto_pad == "SAME_UPPER", w);
  } else if (auto_pad != "VALID") {
    return Unsupported(fmt::format("{}: auto_pad '{}'; there are NOTSET, VALID, SAME_UPPER, SAME_LOWER",
                                   graph.Describe(node), auto_pad));
  }
  return w;
}

}  // namespace lq
