#include "runtime/float_depthwise.h"

#include <array>

#include "kernels/epilogue.h"
#include "kernels/reference/reference.h"
#include "runtime/float_gemm.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kChunk = 8;  // channels whose sums stay in registers

// The sums of one output pixel, of kCount channels. `in` and `weights` begin with the first of them.
template <size_t kCount>
std::array<double, kCount> SumTaps(const float* in, const kernels::Window& w, const double* weights,
                                   std::array<size_t, 2> pixel) {
  std::array<double, kCount> sums{};
  for (size_t i = 0; i < w.kernel_height; ++i) {
    const size_t y = pixel[0] * w.stride_height + i * w.dilation_height - w.pad_top;  // above the image: huge
    if (y >= w.in_height) continue;
    for (size_t j = 0; j < w.kernel_width; ++j) {
      const size_t x = pixel[1] * w.stride_width + j * w.dilation_width - w.pad_left;
      if (x >= w.in_width) continue;
      const float* from = in + (y * w.in_width + x) * w.channels;
      const double* weight = weights + (i * w.kernel_width + j) * w.channels;
      for (size_t c = 0; c < kCount; ++c) sums[c] += double{from[c]} * weight[c];
    }
  }
  return sums;
}

}  // namespace

Result<FloatDepthwise> FloatDepthwise::Prepare(const FloatWeights& weights, const std::optional<Encoding>& encoding,
                                               const OutputStage& stage, const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(CheckSizes(weights));
  const size_t channels = weights.out_channels, taps = weights.taps;
  std::vector<double> values(weights.values.begin(), weights.values.end());
  if (encoding) {
    LQ_RETURN_IF_ERROR(ValidateEncoding(weights.name + " weight", *encoding, ShapeOf(weights)));
    values = reference::RoundToGrid(weights.values, ShapeOf(weights), *encoding, options.profile);
  }
  FloatDepthwise layer;
  layer.channels_ = channels;
  layer.weights_.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) layer.weights_[i % taps * channels + i / taps] = values[i];
  LQ_ASSIGN_OR_RETURN(layer.output_, RealOutputArrays(weights.name, channels, 1, stage, options));
  layer.epilogue_ = layer.output_.Group(0);
  layer.info_.variant = "depthwise_f32";
  layer.info_.weights = "binary64";
  layer.info_.packed_bytes = layer.weights_.size() * sizeof(double);
  layer.info_.sums_floats = true;
  layer.info_.float_error = FloatError(0);
  return layer;
}

template <size_t kCount>
void FloatDepthwise::RunPixel(const float* in, const kernels::Window& window, std::array<size_t, 2> pixel, size_t c0,
                              const Output& out) const {
  const size_t index = (pixel[0] * window.out_width + pixel[1]) * channels_ + c0;
  const std::array<double, kCount> sums = SumTaps<kCount>(in + c0, window, weights_.data() + c0, pixel);
  for (size_t c = 0; c < kCount; ++c) {
    kernels::StoreOutput({sums[c]}, c0 + c, epilogue_, out.type, out.data, index + c);
  }
}

void FloatDepthwise::Run(const float* in, const kernels::Window& window, void* out, kernels::OutputType type) const {
  for (size_t y = window.y_begin; y < window.y_end; ++y) {
    for (size_t x = 0; x < window.out_width; ++x) {
      size_t c = 0;
      for (; c + kChunk <= channels_; c += kChunk) RunPixel<kChunk>(in, window, {y, x}, c, {out, type});
      for (; c < channels_; ++c) RunPixel<1>(in, window, {y, x}, c, {out, type});
    }
  }
}

}  // namespace lq
