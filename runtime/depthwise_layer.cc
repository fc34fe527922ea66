#include "runtime/depthwise_layer.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/packing.h"
#include "runtime/gemm.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {

bool DepthwiseLayer::Fits(const LayerWeights& weights, const PerTensor& input) {
  return weights.LargestAbsoluteSum() * LargestCentred(input) < int64_t{1} << 31;
}

Result<DepthwiseLayer> DepthwiseLayer::Prepare(const std::string& name, const LayerWeights& weights,
                                               const PerTensor& input, uint8_t zero_code, const OutputStage& stage,
                                               const PrepareOptions& options) {
  DepthwiseLayer layer;
  LQ_ASSIGN_OR_RETURN(layer.output_, OutputArrays::Make(name, weights, 1, input, stage, options));
  layer.epilogue_ = layer.output_.Group(0);
  layer.packed_.resize(kernels::PackedDepthwiseCount(weights.n, weights.k));
  kernels::PackDepthwise(weights.w.data(), weights.n, weights.k, layer.packed_.data());
  layer.zero_row_.assign(weights.n, zero_code);
  Chosen<kernels::DepthwiseFn> chosen = Choose(kernels::DepthwiseVariants(), options.max_isa);
  layer.kernel_ = chosen.run;
  layer.info_.variant = fmt::format("depthwise/{}", chosen.name);
  layer.info_.why_not_better = std::move(chosen.why_not_better);
  layer.info_.weights = weights.block == 0 ? "int16" : "LPBQ expanded to int16: depthwise has one weight per tap";
  layer.info_.packed_bytes = layer.packed_.size() * sizeof(int16_t);
  return layer;
}

void DepthwiseLayer::Run(const uint8_t* in, const kernels::Window& window, void* out, kernels::OutputType type) const {
  kernel_({.in = in,
           .window = window,
           .w = packed_.data(),
           .zero_row = zero_row_.data(),
           .epilogue = &epilogue_,
           .out_type = type,
           .out = out});
}

}  // namespace lq
