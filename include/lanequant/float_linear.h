// FloatLinear: y = x * W^T + bias with float activations and quantized weights (AIMET blockwise quantization, LPBQ,
// ONNX DequantizeLinear + MatMul, MatMulNBits; with dynamic rows ONNX DynamicQuantizeLinear + MatMulInteger), or float
// ones (ONNX MatMul).
#ifndef LANEQUANT_FLOAT_LINEAR_H_
#define LANEQUANT_FLOAT_LINEAR_H_

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

// What becomes of a row x of the input before it is multiplied. All in binary32, halves to even.
enum class RowMode {
  // Nothing: floats times codes, summed up in binary32 block by block,
  //   dot = sum of x * (q + offset);  total += dot * scale
  // each step fused, in the order of k, on every target and for any number of threads the same bits.
  //   |total - exact sum| <= (block + k / block + 2) * 2^-24 * (sum of |x| * (|q| + |offset|) * |scale|),
  // to first order. Weights without an encoding are the q, in blocks of min(k, 64), scale 1, offset 0.
  kAsFloats,
  // ONNX DynamicQuantizeLinear for each row: scale = (max(0, max x) - min(0, min x)) / 255 (1 where that is 0),
  //   zero_point = rint(clamp(-min(0, min x) / scale, 0, 255)), q = clamp(rint(x / scale) + zero_point, 0, 255)
  kDynamicU8,
  // scale = max |x| / 127 (1 where that is 0), q = clamp(rint(x / scale), -127, 127)
  kDynamicS8,
};

struct FloatLinearSpec {
  std::string name;               // for messages
  size_t in_features = 0;         // k
  size_t out_features = 0;        // n
  std::span<const float> weight;  // [out_features][in_features]; floats, rounded to their grid by weight_encoding
  bool transposed = false;  // weight is [in_features][out_features], as ONNX MatMul has it; the encoding as before
  // Channel axis 0, block axis 1. kAsFloats: grids of 2..8 bits, any offsets, also float scales per block; absent:
  // the floats themselves. Dynamic rows: what Linear takes.
  std::optional<Encoding> weight_encoding;
  RowMode rows = RowMode::kAsFloats;
  OutputStage output;  // in binary64, from the total; no encoding for dynamic rows
};

// Prepared once, run many times, as Linear. After quantizing a row, dynamic rows are summed up exactly (any k that
// keeps 255 * (sum of |w|) of each channel below 2^63) and become
//   y = double(acc) * (scale of the row * scale of the channel) + bias
class LQ_EXPORT FloatLinear {
 public:
  // Errors: sizes that do not match, encodings that ValidateEncoding refuses, weights of more than 8 bits, sums that
  // could leave 63 bits.
  static Result<FloatLinear> Prepare(const FloatLinearSpec& spec, const PrepareOptions& options = {});
  FloatLinear(FloatLinear&&) noexcept;
  FloatLinear& operator=(FloatLinear&&) noexcept;
  ~FloatLinear();

  // Bytes that Run needs for `rows` rows on an executor of `workers` workers.
  size_t WorkspaceBytes(size_t rows, size_t workers) const;

  // in: [rows][in_features] of f32, f16 or bf16. out: [rows][out_features], f16, bf16, f32 or f64 as Linear has them,
  // or codes of the output encoding. A NaN in a row makes its outputs NaN, codes the lowest ones. Errors: shapes,
  // types, workspace too small.
  Status Run(ConstTensorView in, TensorView out, std::span<std::byte> workspace, Executor& executor) const;

  const LayerInfo& info() const;

 private:
  struct Impl;
  explicit FloatLinear(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq

#endif  // LANEQUANT_FLOAT_LINEAR_H_
