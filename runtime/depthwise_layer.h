// DepthwiseLayer: one filter for each channel; the other way, beside Gemm, in which Conv2d runs.
#ifndef LANEQUANT_RUNTIME_DEPTHWISE_LAYER_H_
#define LANEQUANT_RUNTIME_DEPTHWISE_LAYER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/contracts.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/output_arrays.h"
#include "runtime/weights.h"

namespace lq {

class DepthwiseLayer {
 public:
  // `zero_code`: the code that stands for 0. The sums must fit 32 bits (see Fits).
  static Result<DepthwiseLayer> Prepare(const std::string& name, const LayerWeights& weights, const PerTensor& input,
                                        uint8_t zero_code, const OutputStage& stage, const PrepareOptions& options);
  static bool Fits(const LayerWeights& weights, const PerTensor& input);

  // Output rows window.y_begin..y_end of one image.
  void Run(const uint8_t* in, const kernels::Window& window, void* out, kernels::OutputType type) const;

  const LayerInfo& info() const { return info_; }

 private:
  std::vector<int16_t> packed_;
  std::vector<uint8_t> zero_row_;
  OutputArrays output_;
  kernels::Epilogue epilogue_{};
  kernels::DepthwiseFn kernel_ = nullptr;
  LayerInfo info_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_DEPTHWISE_LAYER_H_
