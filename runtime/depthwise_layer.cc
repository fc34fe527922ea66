#include "runtime/depthwise_layer.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/gemm.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {
namespace {

using kernels::PackedDepthwiseS8;

// Where the 8-bit dot is native it needs a third of the time of 16-bit pairs; no target without it has a variant.
bool RunsInS8(const PackedDepthwiseS8& layout, const DepthwiseFilter& filter, const LayerWeights& weights,
              const PrepareOptions& options) {
  const auto variants = kernels::DepthwiseU8S8Variants();
  const int64_t cap = TargetBit(options.max_isa).value_or(0);
  const auto allowed = [cap](const auto& variant) { return variant.target >= cap; };
  return std::any_of(variants.begin(), variants.end(), allowed) && filter.dilation == std::array<size_t, 2>{1, 1} &&
         layout.Fits() && weights.low >= -128 && weights.high <= 127;
}

}  // namespace

bool DepthwiseLayer::Fits(const LayerWeights& weights, const PerTensor& input) {
  return input.grid.bitwidth <= 8 && weights.largest_absolute_sum * LargestCentred(input) < int64_t{1} << 31;
}

Result<DepthwiseLayer> DepthwiseLayer::Prepare(const std::string& name, const LayerWeights& weights,
                                               const PerTensor& input, const DepthwiseFilter& filter,
                                               const OutputStage& stage, const PrepareOptions& options) {
  DepthwiseLayer layer;
  LQ_ASSIGN_OR_RETURN(layer.output_, OutputArrays::Make(name, weights, 1, input, stage, options));
  layer.epilogue_ = layer.output_.Group(0);
  layer.zero_code_ = filter.zero_code;
  const PackedDepthwiseS8 layout{weights.n, filter.kernel[0], filter.kernel[1], filter.stride[0], filter.stride[1]};
  if (RunsInS8(layout, filter, weights, options)) {
    layer.PrepareS8(layout, weights, options);
  } else {
    layer.PrepareS16(weights, options);
  }
  const char* type = layer.kernel_s8_ != nullptr ? "int8" : "int16";
  layer.info_.weights =
      !weights.is_lpbq ? type : fmt::format("LPBQ expanded to {}: depthwise has one weight per tap", type);
  return layer;
}

void DepthwiseLayer::PrepareS8(const PackedDepthwiseS8& layout, const LayerWeights& weights,
                               const PrepareOptions& options) {
  packed_s8_.resize(layout.Bytes());
  kernels::PackDepthwiseS8(layout, weights.w.data(), packed_s8_.data());
  Chosen<kernels::DepthwiseU8S8Fn> chosen = Choose(kernels::DepthwiseU8S8Variants(), options.max_isa);
  kernel_s8_ = chosen.run;
  info_.variant = fmt::format("depthwise_u8s8/{}", chosen.name);
  info_.why_not_better = std::move(chosen.why_not_better);
  info_.packed_bytes = packed_s8_.size();
}

void DepthwiseLayer::PrepareS16(const LayerWeights& weights, const PrepareOptions& options) {
  packed_s16_.resize(kernels::PackedDepthwiseCount(weights.n, weights.k));
  kernels::PackDepthwise(weights.w.data(), weights.n, weights.k, packed_s16_.data());
  zero_row_.assign(weights.n, zero_code_);
  Chosen<kernels::DepthwiseFn> chosen = Choose(kernels::DepthwiseVariants(), options.max_isa);
  kernel_s16_ = chosen.run;
  info_.variant = fmt::format("depthwise/{}", chosen.name);
  info_.why_not_better = std::move(chosen.why_not_better);
  info_.packed_bytes = packed_s16_.size() * sizeof(int16_t);
}

void DepthwiseLayer::Run(const uint8_t* in, const kernels::Window& window, void* out, kernels::OutputType type) const {
  if (kernel_s8_ != nullptr) {
    kernel_s8_({.in = in,
                .window = window,
                .w = packed_s8_.data(),
                .zero_code = zero_code_,
                .epilogue = &epilogue_,
                .out_type = type,
                .out = out});
    return;
  }
  kernel_s16_({.in = in,
               .window = window,
               .w = packed_s16_.data(),
               .zero_row = zero_row_.data(),
               .epilogue = &epilogue_,
               .out_type = type,
               .out = out});
}

}  // namespace lq
