// ConvTranspose, 2-D (exact_simulator.md 4): every input element spreads its products over a window of the output.
#include <fmt/format.h>

#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/simulator/weighted.h"
#include "runtime/simulator/window.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct ConvTranspose {
  Window window;
  std::array<int64_t, 2> output_padding;
  int64_t groups;
  Weights weights;  // [in channels][out channels / groups][kernel height][kernel width]
  Bias bias;
  bool record;
};

struct SpreadGeometry {
  Shape in, out;
  int64_t in_group, out_group;
};

// sum[out] += x[in] * w over all that meet. T: the elements, Sum: of the sums.
template <class T, class Sum>
void Spread(const ConvTranspose& node, const SpreadGeometry& g, std::span<const T> x, std::span<const T> w,
            std::span<Sum> sum) {
  const Window& window = node.window;
  const int64_t taps = window.kernel[0] * window.kernel[1];
  for (size_t i = 0; i < x.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int64_t column = at % g.in[3], row = at / g.in[3] % g.in[2], channel = at / (g.in[2] * g.in[3]) % g.in[1];
    const int64_t batch = at / (g.in[1] * g.in[2] * g.in[3]), group = channel / g.in_group;
    for (int64_t j = 0; j < g.out_group * taps; ++j) {
      const int64_t tap = j % taps, n = j / taps;
      const int64_t y = row * window.stride[0] + tap / window.kernel[1] * window.dilation[0] - window.pads[0];
      const int64_t z = column * window.stride[1] + tap % window.kernel[1] * window.dilation[1] - window.pads[1];
      if (y < 0 || y >= g.out[2] || z < 0 || z >= g.out[3]) continue;
      const int64_t to = ((batch * g.out[1] + group * g.out_group + n) * g.out[2] + y) * g.out[3] + z;
      const T weight = w[static_cast<size_t>(channel * g.out_group * taps + j)];
      sum[static_cast<size_t>(to)] += static_cast<Sum>(x[i]) * static_cast<Sum>(weight);
    }
  }
}

Result<SpreadGeometry> Place(const ConvTranspose& node, const Shape& in) {
  const Shape& w = node.weights.shape;
  if (in.rank() != 4 || in[1] != w[0]) {
    return InvalidArgument(fmt::format("{}: input of shape {}, but the weight {} needs {} channels", node.window.name,
                                       in.ToString(), w.ToString(), w[0]));
  }
  SpreadGeometry g{in, {in[0], w[1] * node.groups, 0, 0}, w[0] / node.groups, w[1]};
  for (size_t axis = 0; axis < 2; ++axis) {
    const Window& window = node.window;
    g.out[axis + 2] = (in[axis + 2] - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1 -
                      window.pads[axis] - window.pads[axis + 2] + node.output_padding[axis];
    if (in[axis + 2] >= 1 && g.out[axis + 2] >= 1) continue;
    return InvalidArgument(
        fmt::format("{}: no output along axis {} of input {}", window.name, axis + 2, in.ToString()));
  }
  LQ_RETURN_IF_ERROR(CheckSize(node.window.name, g.out));
  return g;
}

Result<SimTensor> RunConvTranspose(const ConvTranspose& node, const SimTensor& x) {
  LQ_ASSIGN_OR_RETURN(const SpreadGeometry g, Place(node, x.shape));
  const WeightedLayer layer{.x = x,
                            .weights = node.weights,
                            .bias = node.bias,
                            .out = g.out,
                            .channels = static_cast<size_t>(g.out[1]),
                            .inner = static_cast<size_t>(g.out[2] * g.out[3]),
                            .record = node.record};
  return RunLayer(layer, {.exact = [&](auto a, auto w, auto acc) { Spread(node, g, a, w, acc); },
                          .real = [&](auto a, auto w, auto y) { Spread(node, g, a, w, y); }});
}

}  // namespace

Result<RunNode> PrepareConvTranspose(const NodeContext& context) {
  LQ_RETURN_IF_ERROR(CheckConstant(context, 1));
  const Shape& w = context.ConstantInput(1)->data->shape;
  const int64_t groups = context.node.Int("group", 1);
  if (w.rank() != 4 || w.NumElements() < 1 || groups < 1 || w[0] % groups != 0) {
    return Unsupported(fmt::format("{}: weight '{}' of shape {} in {} groups; supported: 2-D", context.Name(),
                                   context.InputName(1), w.ToString(), groups));
  }
  LQ_ASSIGN_OR_RETURN(Window window, ReadWindow(context, {w[2], w[3]}));
  const std::vector<int64_t> more = context.node.Ints("output_padding", {0, 0});
  if (window.auto_pad != AutoPad::kNotSet || context.node.attributes.count("output_shape") != 0 || more.size() != 2) {
    return Unsupported(fmt::format("{}: auto_pad, output_shape or {} numbers of output_padding; supported: pads",
                                   context.Name(), more.size()));
  }
  LQ_ASSIGN_OR_RETURN(Weights weights, ReadWeights(context, 1, 1));
  weights.per_channel = static_cast<size_t>(w[2] * w[3]);  // [in] times [out / groups] channels, one after the other
  const std::vector<double> scale = weights.scale;
  for (int64_t g = 1; g < groups; ++g) weights.scale.insert(weights.scale.end(), scale.begin(), scale.end());
  LQ_ASSIGN_OR_RETURN(Bias bias, ReadBias(context, static_cast<size_t>(w[1] * groups), 1.0f));
  ConvTranspose node{std::move(window),  {more[0], more[1]}, groups,
                     std::move(weights), std::move(bias),    context.options.record};
  return RunNode([node = std::move(node)](Inputs in) { return RunConvTranspose(node, *in[0]); });
}

}  // namespace lq::simulator
