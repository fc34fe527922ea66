#include "runtime/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "kernels/packing.h"
#include "runtime/status_macros.h"
#include "runtime/weight_codes.h"

namespace lq {

Shape ShapeOf(const FloatWeights& weights) {
  return {static_cast<int64_t>(weights.out_channels), static_cast<int64_t>(weights.in_channels),
          static_cast<int64_t>(weights.taps)};
}

Status CheckSizes(const FloatWeights& weights) {
  const Shape shape = ShapeOf(weights);
  if (shape.NumElements() > 0 && weights.values.size() == static_cast<size_t>(shape.NumElements())) return OkStatus();
  return InvalidArgument(fmt::format("{}: {} weights, but {} output channels x {} inputs x {} taps", weights.name,
                                     weights.values.size(), weights.out_channels, weights.in_channels, weights.taps));
}

Result<LayerWeights> QuantizeWeights(const FloatWeights& weights, const Encoding& encoding,
                                     const PrepareOptions& options) {
  LQ_ASSIGN_OR_RETURN(const WeightCodes codes, WeightCodes::Make(weights, encoding, options));
  LQ_RETURN_IF_ERROR(codes.CheckOnePerChannel());
  LayerWeights out;
  out.n = codes.n();
  out.k = codes.k();
  out.is_lpbq = codes.block() != 0;
  out.w.resize(out.n * out.k);
  CodePanel panel;
  for (size_t c = 0; c < out.n; ++c) {
    const size_t in_panel = c % kernels::kPanelChannels;
    if (in_panel == 0) codes.Quantize(c, std::min(kernels::kPanelChannels, out.n - c), panel);
    int32_t* const w = out.w.data() + c * out.k;
    codes.Integers(panel, in_panel, w);
    int64_t sum = 0, absolute = 0;
    for (size_t i = 0; i < out.k; ++i) {
      sum += w[i];
      absolute += std::abs(w[i]);
      out.low = std::min(out.low, w[i]);
      out.high = std::max(out.high, w[i]);
    }
    out.scale.push_back(codes.ChannelScale(c));
    out.sum.push_back(sum);
    out.largest_absolute_sum = std::max(out.largest_absolute_sum, absolute);
  }
  if (out.low < std::numeric_limits<int16_t>::min() || out.high > std::numeric_limits<int16_t>::max()) {
    return Unsupported(fmt::format("{}: integer weights in {}..{} leave 16 bits", weights.name, out.low, out.high));
  }
  return out;
}

}  // namespace lq
