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
  Window window;
  int64_t groups;
  Weights weights;  // [out channels][in channels / groups][depth][height][width]
  Bias bias;
  bool record;
};

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
                    conv.window.name, in.ToString(), w.ToString(), conv.groups, w[1] * conv.groups));
  }
  LQ_ASSIGN_OR_RETURN(const Placement placement, Place(conv.window, in.dims().subspan(2)));
  LQ_RETURN_IF_ERROR(CheckSize(conv.window.name, {in[0], w[0], placement.out[0], placement.out[1], placement.out[2]}));
  const auto size = [](int64_t value) { return static_cast<size_t>(value); };
  return Volume{.plane = {.batch = size(in[0]),
                          .in_channels = size(in[1]),
                          .in_height = size(in[3]),
                          .in_width = size(in[4]),
                          .out_channels = size(w[0]),
                          .out_height = size(placement.out[1]),
                          .out_width = size(placement.out[2]),
                          .groups = size(conv.groups),
                          .kernel_height = size(w[3]),
                          .kernel_width = size(w[4]),
                          .stride_height = size(conv.window.stride[1]),
                          .stride_width = size(conv.window.stride[2]),
                          .dilation_height = size(conv.window.dilation[1]),
                          .dilation_width = size(conv.window.dilation[2]),
                          .pad_top = size(placement.pads[1]),
                          .pad_left = size(placement.pads[2])},
                .depth = size(in[2]),
                .out_depth = size(placement.out[0]),
                .kernel_depth = size(w[2]),
                .stride = conv.window.stride[0],
                .dilation = conv.window.dilation[0],
                .begin = placement.pads[0]};
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
  LQ_ASSIGN_OR_RETURN(Window window, ReadWindow(context, {w[2], w[3], w[4]}));
  LQ_ASSIGN_OR_RETURN(Bias bias, ReadBias(context, static_cast<size_t>(w[0]), 1.0f));
  Conv3d conv{std::move(window), groups, std::move(weights), std::move(bias), context.options.record};
  return RunNode([conv = std::move(conv)](Inputs in) { return RunConv3d(conv, *in[0]); });
}

}  // namespace lq::simulator
