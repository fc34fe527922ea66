// Conv2d: 2-D convolution with activations of up to 16 bits and quantized weights, any group count (depthwise
// included), stride, dilation and padding. Padding contributes exactly 0. (ONNX Conv, AIMET QuantizedConv2d.)
// Images of floats are added up as FloatLinear adds rows, within its bound: k = taps * in_channels / groups, tap after
// tap; where each channel has a filter of its own, in binary64.
#ifndef LANEQUANT_CONV2D_H_
#define LANEQUANT_CONV2D_H_

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "lanequant/encoding.h"
#include "lanequant/executor.h"
#include "lanequant/export.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

struct Conv2dSpec {
  std::string name;  // for messages
  size_t in_channels = 0, out_channels = 0, groups = 1;
  std::array<size_t, 2> kernel{1, 1};  // height, width
  std::array<size_t, 2> stride{1, 1};
  std::array<size_t, 2> dilation{1, 1};
  std::array<size_t, 4> padding{0, 0, 0, 0};  // top, left, bottom, right (ONNX order)
  std::span<const float> weight;              // [out_channels][in_channels / groups][kernel height][kernel width]
  std::optional<Encoding> weight_encoding;    // channel axis 0, block axis 1; of floats as FloatLinearSpec has it
  std::optional<PerTensor> input;             // 2..16 bits; absent: floats
  OutputStage output;
};

// As Linear: prepared once, run many times, const, allocates nothing.
class LQ_EXPORT Conv2d {
 public:
  static Result<Conv2d> Prepare(const Conv2dSpec& spec, const PrepareOptions& options = {});
  Conv2d(Conv2d&&) noexcept;
  Conv2d& operator=(Conv2d&&) noexcept;
  ~Conv2d();

  // Shape of the output, [batch][height][width][out_channels], for an input [batch][height][width][in_channels].
  // Error: an input smaller than the kernel.
  Result<Shape> OutputShape(const Shape& input) const;
  // Bytes that Run needs for this input shape on an executor of `workers` workers.
  size_t WorkspaceBytes(const Shape& input, size_t workers) const;

  // Channels last. in: codes as input.grid says (u8, s8, u16 or s16), or f32; out as Linear::Run, but no s32.
  Status Run(ConstTensorView in, TensorView out, std::span<std::byte> workspace, Executor& executor) const;

  const LayerInfo& info() const;

 private:
  struct Impl;
  explicit Conv2d(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq

#endif  // LANEQUANT_CONV2D_H_
