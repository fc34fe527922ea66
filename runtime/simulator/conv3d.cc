// Conv, 3-D (exact_simulator.md 4): for each output plane the sum of 2-D convolutions of input planes.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/reference/reference.h"
#include "runtime/simulator/operators.h"
#include "runtime/simulator/real_sums.h"
#include "runtime/simulator/weighted.h"
#include "runtime/simulator/window.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct Conv3d {
  Window depth;  // along the first axis, as a window of width 1
  Window plane;
  int64_t groups;
  Weights weights;  // [out channels][in channels / groups][depth][height][width]
  Bias bias;
  bool record;
};

// The node with the numbers of some of its three dimensions; a depth alone is an image of width 1.
Node WithDimensions(const Node& node, bool depth) {
  Node out = node;
  for (const char* key : {"kernel_shape", "strides", "dilations", "pads"}) {
    const std::vector<int64_t> all = node.Ints(key, {});
    const int64_t rest = key == std::string("pads") ? 0 : 1;
    std::vector<int64_t> some;
    for (size_t i = 0; i + 3 <= all.size(); i += 3) {
      if (depth) some.insert(some.end(), {all[i], rest});
      if (!depth) some.insert(some.end(), {all[i + 1], all[i + 2]});
    }
    if (!all.empty() && all.size() % 3 == 0) out.attributes[key] = some;
  }
  return out;
}

// [outer][planes][inner] -> [outer][inner], one of the planes.
template <class T>
std::vector<T> PlaneOf(std::span<const T> x, size_t planes, size_t inner, size_t plane) {
  std::vector<T> out;
  for (size_t at = plane * inner; at < x.size(); at += planes * inner) {
    out.insert(out.end(), x.begin() + static_cast<ptrdiff_t>(at), x.begin() + static_cast<ptrdiff_t>(at + inner));
  }
  return out;
}

struct Volume {
  reference::ConvGeometry plane;
  size_t depth, out_depth, kernel_depth;
  int64_t stride, dilation, begin;
};

// Adds up what each plane of the window gives: sum(geometry, x, w, y) of one 2-D convolution.
template <class T, class Y, class Sum>
void SumPlanes(const Volume& v, std::span<const T> x, std::span<const T> w, std::span<Y> y, Sum sum) {
  const size_t in = v.plane.in_height * v.plane.in_width, out = v.plane.out_height * v.plane.out_width;
  const size_t kernel = v.plane.kernel_height * v.plane.kernel_width;
  std::fill(y.begin(), y.end(), Y{0});
  std::vector<Y> part(v.plane.batch * v.plane.out_channels * out);
  for (size_t o = 0; o < v.out_depth; ++o) {
    for (size_t k = 0; k < v.kernel_depth; ++k) {
      const int64_t at = static_cast<int64_t>(o) * v.stride + static_cast<int64_t>(k) * v.dilation - v.begin;
      if (at < 0 || at >= static_cast<int64_t>(v.depth)) continue;
      const std::vector<T> image = PlaneOf(x, v.depth, in, static_cast<size_t>(at)),
                           weights = PlaneOf(w, v.kernel_depth, kernel, k);
      sum(v.plane, std::span<const T>(image), std::span<const T>(weights), std::span<Y>(part));
      for (size_t i = 0; i < part.size(); ++i) y[(i / out * v.out_depth + o) * out + i % out] += part[i];
    }
  }
}

Result<Volume> VolumeOf(const Conv3d& conv, const Shape& in) {
  const Shape& w = conv.weights.shape;
  if (in.rank() != 5 || in[1] != w[1] * conv.groups) {
    return InvalidArgument(
        fmt::format("{}: input of shape {}, but the weight {} in {} groups needs (batch, {}, depth, height, width)",
                    conv.plane.name, in.ToString(), w.ToString(), conv.groups, w[1] * conv.groups));
  }
  LQ_ASSIGN_OR_RETURN(const Placement depth, Place(conv.depth, in[2], 1));
  LQ_ASSIGN_OR_RETURN(const Placement plane, Place(conv.plane, in[3], in[4]));
  LQ_RETURN_IF_ERROR(CheckSize(conv.plane.name, {in[0], w[0], depth.out[0], plane.out[0], plane.out[1]}));
  const auto size = [](int64_t value) { return static_cast<size_t>(value); };
  return Volume{.plane = {.batch = size(in[0]),
                          .in_channels = size(in[1]),
                          .in_height = size(in[3]),
                          .in_width = size(in[4]),
                          .out_channels = size(w[0]),
                          .out_height = size(plane.out[0]),
                          .out_width = size(plane.out[1]),
                          .groups = size(conv.groups),
                          .kernel_height = size(w[3]),
                          .kernel_width = size(w[4]),
                          .stride_height = size(conv.plane.stride[0]),
                          .stride_width = size(conv.plane.stride[1]),
                          .dilation_height = size(conv.plane.dilation[0]),
                          .dilation_width = size(conv.plane.dilation[1]),
                          .pad_top = size(plane.pads[0]),
                          .pad_left = size(plane.pads[1])},
                .depth = size(in[2]),
                .out_depth = size(depth.out[0]),
                .kernel_depth = size(w[2]),
                .stride = conv.depth.stride[0],
                .dilation = conv.depth.dilation[0],
                .begin = depth.pads[0]};
}

Result<SimTensor> RunConv3d(const Conv3d& conv, const SimTensor& x) {
  LQ_ASSIGN_OR_RETURN(const Volume v, VolumeOf(conv, x.shape));
  const auto size = [](size_t value) { return static_cast<int64_t>(value); };
  const WeightedLayer layer{
      .x = x,
      .weights = conv.weights,
      .bias = conv.bias,
      .out = {x.shape[0], conv.weights.shape[0], size(v.out_depth), size(v.plane.out_height), size(v.plane.out_width)},
      .channels = v.plane.out_channels,
      .inner = v.out_depth * v.plane.out_height * v.plane.out_width,
      .record = conv.record};
  return RunLayer(layer, {.exact = [&](auto a, auto w, auto acc) { SumPlanes(v, a, w, acc, reference::ConvAcc); },
                          .real = [&](auto a, auto w, auto y) { SumPlanes(v, a, w, y, ConvReal); }});
}

}  // namespace

Result<RunNode> PrepareConv3d(const NodeContext& context) {
  const int64_t groups = context.node.Int("group", 1);
  LQ_RETURN_IF_ERROR(CheckConstant(context, 1));
  const Shape& w = context.ConstantInput(1)->data->shape;
  if (w.NumElements() < 1 || groups < 1 || w[0] % groups != 0) {
    return InvalidArgument(fmt::format("{}: weight '{}' of shape {} and {} groups do not fit", context.Name(),
                                       context.InputName(1), w.ToString(), groups));
  }
  LQ_ASSIGN_OR_RETURN(Weights weights, ReadWeights(context, 1, 0));
  const Node depth_node = WithDimensions(context.node, true), plane_node = WithDimensions(context.node, false);
  const std::array<int64_t, 2> depth_kernel{w[2], 1}, plane_kernel{w[3], w[4]};
  LQ_ASSIGN_OR_RETURN(const Window depth,
                      ReadWindow({context.graph, depth_node, context.options, context.constants}, &depth_kernel));
  LQ_ASSIGN_OR_RETURN(const Window plane,
                      ReadWindow({context.graph, plane_node, context.options, context.constants}, &plane_kernel));
  LQ_ASSIGN_OR_RETURN(Bias bias, ReadBias(context, static_cast<size_t>(w[0]), 1.0f));
  Conv3d conv{depth, plane, groups, std::move(weights), std::move(bias), context.options.record};
  return RunNode([conv = std::move(conv)](Inputs in) { return RunConv3d(conv, *in[0]); });
}

}  // namespace lq::simulator
