// FloatDepthwise: one filter for each channel of an image of floats. Every sum is in binary64, tap after tap, as the
// exact simulator has it: a filter has few of them, so that reading the image takes as long.
#ifndef LANEQUANT_RUNTIME_FLOAT_DEPTHWISE_H_
#define LANEQUANT_RUNTIME_FLOAT_DEPTHWISE_H_

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "kernels/contracts.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/output_arrays.h"
#include "runtime/weights.h"

namespace lq {

class FloatDepthwise {
 public:
  using Input = float;

  // `weights` has one input channel for each output. Errors: sizes, ValidateEncoding, those of OutputArrays.
  static Result<FloatDepthwise> Prepare(const FloatWeights& weights, const std::optional<Encoding>& encoding,
                                        const OutputStage& stage, const PrepareOptions& options);

  // Output rows window.y_begin..y_end of one image.
  void Run(const float* in, const kernels::Window& window, void* out, kernels::OutputType type) const;

  const LayerInfo& info() const { return info_; }

 private:
  struct Output {
    void* data;
    kernels::OutputType type;
  };
  // Channels [c0, c0 + kCount) of one output pixel.
  template <size_t kCount>
  void RunPixel(const float* in, const kernels::Window& window, std::array<size_t, 2> pixel, size_t c0,
                const Output& out) const;

  size_t channels_ = 0;
  std::vector<double> weights_;  // [tap][channel]
  OutputArrays output_;
  kernels::Epilogue epilogue_{};
  LayerInfo info_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_FLOAT_DEPTHWISE_H_
