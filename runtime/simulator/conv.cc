// Conv, 2-D (exact_simulator.md 4): groups, strides, dilations, any padding.
#include <fmt/format.h>

#include <utility>

#include "kernels/reference/reference.h"
#include "runtime/simulator/operators.h"
#include "runtime/simulator/real_sums.h"
#include "runtime/simulator/weighted.h"
#include "runtime/simulator/window.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct Conv {
  Window window;
  int64_t groups;
  Weights weights;  // [out channels][in channels / groups][kernel height][kernel width]
  Bias bias;
  bool record;
};

Result<reference::ConvGeometry> Geometry(const Conv& conv, const Shape& in) {
  const Window& window = conv.window;
  const Shape& w = conv.weights.shape;
  if (in.rank() != 4 || in[1] != w[1] * conv.groups) {
    return InvalidArgument(
        fmt::format("{}: input of shape {}, but the weight {} in {} groups needs (batch, {}, height, width)",
                    window.name, in.ToString(), w.ToString(), conv.groups, w[1] * conv.groups));
  }
  LQ_ASSIGN_OR_RETURN(const Placement placement, Place(window, in.dims().subspan(2)));
  LQ_RETURN_IF_ERROR(CheckSize(window.name, {in[0], w[0], placement.out[0], placement.out[1]}));
  const auto size = [](int64_t value) { return static_cast<size_t>(value); };
  return reference::ConvGeometry{.batch = size(in[0]),
                                 .in_channels = size(in[1]),
                                 .in_height = size(in[2]),
                                 .in_width = size(in[3]),
                                 .out_channels = size(w[0]),
                                 .out_height = size(placement.out[0]),
                                 .out_width = size(placement.out[1]),
                                 .groups = size(conv.groups),
                                 .kernel_height = size(window.kernel[0]),
                                 .kernel_width = size(window.kernel[1]),
                                 .stride_height = size(window.stride[0]),
                                 .stride_width = size(window.stride[1]),
                                 .dilation_height = size(window.dilation[0]),
                                 .dilation_width = size(window.dilation[1]),
                                 .pad_top = size(placement.pads[0]),
                                 .pad_left = size(placement.pads[1])};
}

Result<SimTensor> RunConv(const Conv& conv, const SimTensor& x) {
  LQ_ASSIGN_OR_RETURN(const reference::ConvGeometry g, Geometry(conv, x.shape));
  const Shape out{x.shape[0], conv.weights.shape[0], static_cast<int64_t>(g.out_height),
                  static_cast<int64_t>(g.out_width)};
  const WeightedLayer layer{.x = x,
                            .weights = conv.weights,
                            .bias = conv.bias,
                            .out = out,
                            .channels = g.out_channels,
                            .inner = g.out_height * g.out_width,
                            .record = conv.record};
  return RunLayer(layer, {.exact = [&](auto a, auto w, auto acc) { reference::ConvAcc(g, a, w, acc); },
                          .real = [&](auto a, auto w, auto y) { ConvReal(g, a, w, y); }});
}

Status CheckWeight(const NodeContext& context, int64_t groups) {
  LQ_RETURN_IF_ERROR(CheckConstant(context, 1));
  const Shape& w = context.ConstantInput(1)->data->shape;
  if (w.rank() != 4) {
    return Unsupported(
        fmt::format("{}: weight '{}' of shape {} is {}-D, but only 2-D and 3-D convolutions are supported",
                    context.Name(), context.InputName(1), w.ToString(), w.rank() < 2 ? 0 : w.rank() - 2));
  }
  if (w.NumElements() > 0 && groups >= 1 && w[0] % groups == 0) return OkStatus();
  return InvalidArgument(fmt::format("{}: weight '{}' of shape {} and {} groups do not fit", context.Name(),
                                     context.InputName(1), w.ToString(), groups));
}

}  // namespace

Result<RunNode> PrepareConv(const NodeContext& context) {
  const GraphConstant* constant = context.ConstantInput(1);
  if (constant != nullptr && constant->data->shape.rank() == 5) return PrepareConv3d(context);
  const int64_t groups = context.node.Int("group", 1);
  LQ_RETURN_IF_ERROR(CheckWeight(context, groups));
  LQ_ASSIGN_OR_RETURN(Weights weights, ReadWeights(context, 1, 0));
  LQ_ASSIGN_OR_RETURN(Window window, ReadWindow(context, {weights.shape[2], weights.shape[3]}));
  window.ceil_mode = false;  // a Conv has none
  LQ_ASSIGN_OR_RETURN(Bias bias, ReadBias(context, static_cast<size_t>(weights.shape[0]), 1.0f));
  Conv conv{std::move(window), groups, std::move(weights), std::move(bias), context.options.record};
  return RunNode([conv = std::move(conv)](Inputs in) { return RunConv(conv, *in[0]); });
}

}  // namespace lq::simulator
