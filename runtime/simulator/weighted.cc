#include "runtime/simulator/weighted.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "kernels/reference/reference.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

// True where a sum over everything but the channel axis has one scale.
bool HasChannelScales(const Encoding& encoding, const Shape& shape, size_t channel_axis) {
  if (const auto* channels = std::get_if<PerChannel>(&encoding)) return channels->axis == channel_axis;
  if (const auto* lpbq = std::get_if<Lpbq>(&encoding)) return lpbq->channel_axis == channel_axis;
  if (const auto* blocks = std::get_if<PerBlock>(&encoding)) {
    return blocks->channel_axis == channel_axis && reference::IsConstantPerChannel(*blocks, shape);
  }
  return true;
}

template <class T>
std::vector<T> Absolute(const std::vector<T>& values) {
  std::vector<T> out = values;
  for (T& value : out) value = std::abs(value);
  return out;
}

void SumExactly(const WeightedLayer& layer, const LayerSums& sums, SimTensor& out) {
  const auto scaled_sum = [&](std::span<const int32_t> x, std::span<const int32_t> w) {
    std::vector<int64_t> acc(out.size());
    sums.exact(x, w, acc);
    std::vector<double> y(acc.size());
    for (size_t i = 0; i < y.size(); ++i) {
      const double s_w = layer.weights.scale[i / layer.inner % layer.channels];
      y[i] = reference::LayerOutput(acc[i], layer.x.encoding.scale, s_w, nullptr);
    }
    return y;
  };
  out.real = scaled_sum(layer.x.w, layer.weights.w_int);
  if (layer.record) out.magnitude = scaled_sum(Absolute(layer.x.w), Absolute(layer.weights.w_int));
}

// w^ of every element: exact, for |w_int| < 2^29.
std::vector<double> RealWeights(const Weights& weights) {
  if (!weights.is_integer()) return weights.real;
  std::vector<double> out(weights.w_int.size());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = weights.w_int[i] * weights.scale[i / weights.per_channel % weights.scale.size()];
  }
  return out;
}

void SumReals(const WeightedLayer& layer, const LayerSums& sums, SimTensor& out) {
  const std::vector<double> w = RealWeights(layer.weights);
  out.real.resize(out.size());
  sums.real(Reals(layer.x), w, out.real);
  if (!layer.record) return;
  out.magnitude.resize(out.size());
  const std::vector<double>& own = layer.weights.magnitude;
  sums.real(Magnitudes(layer.x), own.empty() ? Absolute(w) : own, out.magnitude);
}

// b^ of each channel. Mode int32: codes of scale fl32(s_x * s_w), where both operands have scales.
std::vector<double> BiasValues(const WeightedLayer& layer, bool exact) {
  std::vector<double> values = layer.bias.real;
  if (!exact || !layer.bias.from_floats || layer.bias.mode == BiasMode::kFloat) return values;
  for (size_t c = 0; c < values.size(); ++c) {
    values[c] = reference::Int32Bias(static_cast<float>(values[c]), layer.x.encoding.scale, layer.weights.scale[c]);
  }
  return values;
}

}  // namespace

Result<Weights> ReadWeights(const NodeContext& context, size_t input, size_t channel_axis) {
  LQ_RETURN_IF_ERROR(CheckConstant(context, input));
  const GraphConstant& constant = *context.ConstantInput(input);
  const Shape& shape = constant.data->shape;
  Weights weights;
  weights.shape = shape;
  weights.per_channel = constant.data->f32.size() / static_cast<size_t>(std::max<int64_t>(shape[channel_axis], 1));
  if (constant.encoding != nullptr && context.options.record) {
    weights.magnitude =
        reference::GridMagnitudes(constant.data->f32, shape, *constant.encoding, context.options.profile);
  }
  if (constant.encoding != nullptr && HasChannelScales(*constant.encoding, shape, channel_axis)) {
    reference::IntWeights integers = reference::QuantizeWeights(constant.data->f32, shape, channel_axis,
                                                                *constant.encoding, context.options.profile);
    weights.w_int = std::move(integers.w_int);
    weights.scale = std::move(integers.scale);
    return weights;
  }
  LQ_ASSIGN_OR_RETURN(weights.real, RealConstant(context, input));
  return weights;
}

Result<Bias> ReadBias(const NodeContext& context, size_t channels, float beta) {
  constexpr size_t kInput = 2;
  if (!context.Has(kInput)) return Bias{};
  LQ_ASSIGN_OR_RETURN(std::vector<double> values, RealConstant(context, kInput));
  const GraphConstant& constant = *context.ConstantInput(kInput);
  const Shape& shape = constant.data->shape;
  const bool per_channel = shape.rank() > 0 && shape[shape.rank() - 1] == static_cast<int64_t>(channels);
  if (values.size() != 1 && (values.size() != channels || !per_channel)) {
    return Unsupported(fmt::format("{}: bias '{}' of shape {} is not one value for each of {} channels", context.Name(),
                                   context.InputName(kInput), shape.ToString(), channels));
  }
  std::vector<double> magnitude = BiasSlack(*constant.data, context.options);
  magnitude.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] *= beta;
    magnitude[i] = std::abs(values[i]) + magnitude[i] * std::abs(beta);
  }
  if (values.size() == 1) {
    values.assign(channels, values[0]);
    magnitude.assign(channels, magnitude[0]);
  }
  const bool from_floats = constant.encoding == nullptr && constant.data->dtype == DType::kF32;
  return Bias{std::move(values), std::move(magnitude), from_floats, context.options.bias};
}

SimTensor RunLayer(const WeightedLayer& layer, const LayerSums& sums) {
  SimTensor out = MakeReal(layer.out, {});
  const bool exact = layer.x.kind == Kind::kCoded && layer.weights.is_integer();
  if (exact) {
    SumExactly(layer, sums, out);
  } else {
    SumReals(layer, sums, out);
  }
  const std::vector<double> bias = BiasValues(layer, exact);
  for (size_t i = 0; i < out.real.size(); ++i) {
    if (layer.alpha != 1) out.real[i] *= layer.alpha;
    if (layer.record) out.magnitude[i] *= std::abs(layer.alpha);
    if (bias.empty()) continue;
    const size_t c = i / layer.inner % layer.channels;
    out.real[i] += bias[c];
    if (layer.record) out.magnitude[i] += layer.bias.magnitude[c];
  }
  return out;
}

}  // namespace lq::simulator
