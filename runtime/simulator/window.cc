#include "runtime/simulator/window.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

// Copies attribute `key` to `out` if it has as many numbers, each in low..2^20: no sum of a few products then leaves
// int64.
Status ReadAttribute(const NodeContext& context, const std::string& key, int64_t low, std::span<int64_t> out) {
  constexpr int64_t kMax = int64_t{1} << 20;
  const std::vector<int64_t> numbers = context.node.Ints(key, {out.begin(), out.end()});
  if (numbers.size() != out.size()) {
    return Unsupported(
        fmt::format("{}: {} has {} numbers, but {} are needed", context.Name(), key, numbers.size(), out.size()));
  }
  for (size_t i = 0; i < out.size(); ++i) {
    if (numbers[i] < low || numbers[i] > kMax) {
      return InvalidArgument(fmt::format("{}: {} {} is outside {}..{}", context.Name(), key, numbers[i], low, kMax));
    }
    out[i] = numbers[i];
  }
  return OkStatus();
}

Result<AutoPad> ReadAutoPad(const NodeContext& context) {
  const std::string text = context.node.String("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return AutoPad::kNotSet;
  if (text == "SAME_UPPER") return AutoPad::kSameUpper;
  if (text == "SAME_LOWER") return AutoPad::kSameLower;
  if (text == "VALID") return AutoPad::kValid;
  return Unsupported(
      fmt::format("{}: auto_pad '{}' is none of NOTSET, SAME_UPPER, SAME_LOWER, VALID", context.Name(), text));
}

// Output size for given pads. With ceil_mode a last window may hang over the end, unless it would start there.
int64_t OutputSize(const Window& window, size_t axis, int64_t in, int64_t pad_begin, int64_t pad_end) {
  const int64_t extent = (window.kernel[axis] - 1) * window.dilation[axis] + 1, stride = window.stride[axis];
  const int64_t room = in + pad_begin + pad_end - extent;
  if (room < 0) return 0;
  int64_t out = room / stride + 1;
  if (window.ceil_mode && room % stride != 0 && out * stride < in + pad_begin) ++out;
  return out;
}

// Pads of SAME: ceil(in / stride) windows, what is odd goes to the end (UPPER) or the beginning (LOWER).
void PlaceSame(const Window& window, size_t axis, int64_t in, Placement& placement) {
  const int64_t extent = (window.kernel[axis] - 1) * window.dilation[axis] + 1, stride = window.stride[axis];
  const int64_t out = (in + stride - 1) / stride;
  const int64_t total = std::max<int64_t>((out - 1) * stride + extent - in, 0);
  const int64_t begin = window.auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
  placement.out[axis] = out;
  placement.pads[axis] = begin;
  placement.pads[axis + window.rank()] = total - begin;
}

}  // namespace

Result<Window> ReadWindow(const NodeContext& context, std::vector<int64_t> kernel) {
  Window window;
  window.name = context.Name();
  window.kernel = kernel.empty() ? context.node.Ints("kernel_shape", {}) : kernel;
  const size_t rank = window.rank();
  if (rank < 1 || rank > 3) {
    return Unsupported(fmt::format("{}: kernel_shape has {} numbers; supported: 1 to 3", window.name, rank));
  }
  window.stride = window.dilation = std::vector<int64_t>(rank, 1);
  window.pads = std::vector<int64_t>(2 * rank, 0);
  LQ_RETURN_IF_ERROR(ReadAttribute(context, "kernel_shape", 1, window.kernel));
  if (!kernel.empty() && window.kernel != kernel) {
    return InvalidArgument(fmt::format("{}: kernel_shape {}, but the weight is {}", window.name,
                                       fmt::join(window.kernel, " x "), fmt::join(kernel, " x ")));
  }
  LQ_RETURN_IF_ERROR(ReadAttribute(context, "strides", 1, window.stride));
  LQ_RETURN_IF_ERROR(ReadAttribute(context, "dilations", 1, window.dilation));
  LQ_RETURN_IF_ERROR(ReadAttribute(context, "pads", 0, window.pads));
  LQ_ASSIGN_OR_RETURN(window.auto_pad, ReadAutoPad(context));
  window.ceil_mode = context.node.Int("ceil_mode", 0) != 0;
  return window;
}

Result<Placement> Place(const Window& window, std::span<const int64_t> in) {
  const size_t rank = window.rank();
  Placement placement{std::vector<int64_t>(rank, 0), std::vector<int64_t>(2 * rank, 0)};
  for (size_t axis = 0; axis < rank; ++axis) {
    if (window.auto_pad == AutoPad::kSameUpper || window.auto_pad == AutoPad::kSameLower) {
      PlaceSame(window, axis, in[axis], placement);
    } else {
      if (window.auto_pad == AutoPad::kNotSet) {
        placement.pads[axis] = window.pads[axis];
        placement.pads[axis + rank] = window.pads[axis + rank];
      }
      placement.out[axis] = OutputSize(window, axis, in[axis], placement.pads[axis], placement.pads[axis + rank]);
    }
    if (in[axis] >= 1 && placement.out[axis] >= 1) continue;
    return InvalidArgument(
        fmt::format("{}: the window does not fit an input of {}", window.name, fmt::join(in, " x ")));
  }
  return placement;
}

Status CheckNoEmptyWindow(const Window& window, const Placement& placement, std::span<const int64_t> in) {
  for (size_t axis = 0; axis < window.rank(); ++axis) {
    for (int64_t o = 0; o < placement.out[axis]; ++o) {
      bool inside = false;
      for (int64_t i = 0; i < window.kernel[axis] && !inside; ++i) {
        const int64_t p = o * window.stride[axis] + i * window.dilation[axis] - placement.pads[axis];
        inside = p >= 0 && p < in[axis];
      }
      if (inside) continue;
      return Unsupported(fmt::format("{}: window {} along axis {} holds only padding of an input of {}", window.name, o,
                                     axis + 2, fmt::join(in, " x ")));
    }
  }
  return OkStatus();
}

}  // namespace lq::simulator
