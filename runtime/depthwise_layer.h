// DepthwiseLayer: one filter for each channel; the other way, beside Gemm, in which Conv2d runs.
#ifndef LANEQUANT_RUNTIME_DEPTHWISE_LAYER_H_
#define LANEQUANT_RUNTIME_DEPTHWISE_LAYER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/contracts.h"
#include "kernels/packing.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/output_arrays.h"
#include "runtime/weights.h"

namespace lq {

// Height and width of a filter, and the code that stands for 0 where it leaves the image.
struct DepthwiseFilter {
  std::array<size_t, 2> kernel, stride, dilation;
  uint8_t zero_code;
};

class DepthwiseLayer {
 public:
  using Input = uint8_t;

  // The input has u8 codes and the sums fit 32 bits (see Fits).
  static Result<DepthwiseLayer> Prepare(const std::string& name, const LayerWeights& weights, const PerTensor& input,
                                        const DepthwiseFilter& filter, const OutputStage& stage,
                                        const PrepareOptions& options);
  static bool Fits(const LayerWeights& weights, const PerTensor& input);

  // Output rows window.y_begin..y_end of one image.
  void Run(const uint8_t* in, const kernels::Window& window, void* out, kernels::OutputType type) const;

  const LayerInfo& info() const { return info_; }

 private:
  void PrepareS8(const kernels::PackedDepthwiseS8& layout, const LayerWeights& weights, const PrepareOptions& options);
  void PrepareS16(const LayerWeights& weights, const PrepareOptions& options);

  // One pair of weights and kernel.
  std::vector<int8_t> packed_s8_;
  kernels::DepthwiseU8S8Fn kernel_s8_ = nullptr;
  std::vector<int16_t> packed_s16_;
  kernels::DepthwiseFn kernel_s16_ = nullptr;
  uint8_t zero_code_ = 0;
  std::vector<uint8_t> zero_row_;  // of kernel_s16_
  OutputArrays output_;
  kernels::Epilogue epilogue_{};
  LayerInfo info_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_DEPTHWISE_LAYER_H_
