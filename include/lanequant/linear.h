// Linear: y = x * W^T + bias with activations of up to 16 bits and quantized weights (ONNX Gemm / MatMul, AIMET
// QuantizedLinear).
#ifndef LANEQUANT_LINEAR_H_
#define LANEQUANT_LINEAR_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "lanequant/encoding.h"
#include "lanequant/executor.h"
#include "lanequant/export.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

struct LinearSpec {
  std::string name;               // for messages
  size_t in_features = 0;         // k
  size_t out_features = 0;        // n
  std::span<const float> weight;  // [out_features][in_features]; floats, rounded to their grid by weight_encoding
  bool transposed = false;   // weight is [in_features][out_features], as ONNX MatMul has it; the encoding as before
  Encoding weight_encoding;  // channel axis 0, block axis 1
  PerTensor input;           // 2..16 bits
  OutputStage output;
};

// Prepared once (validates, packs, chooses a kernel variant), run many times. Run is const, allocates nothing and may
// be called from any number of threads at once, each with its own workspace.
class LQ_EXPORT Linear {
 public:
  // Errors: sizes that do not match, encodings that ValidateEncoding refuses, sums that could leave 63 bits.
  static Result<Linear> Prepare(const LinearSpec& spec, const PrepareOptions& options = {});
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;
  ~Linear();

  // Bytes that Run needs for `rows` rows on an executor of `workers` workers.
  size_t WorkspaceBytes(size_t rows, size_t workers) const;

  // in: [rows][in_features], codes as input.grid says: u8 or s8, above 8 bits u16 or s16. out: [rows][out_features],
  // codes of the output encoding (likewise), or without one a real type: f64, f32 (the real value rounded once), f16 or
  // bf16 (that float rounded again, as a cast of it would be). Or without one s32, the sums alone: sum over k of
  // (q_x + offset) * w_int, no scale, bias nor clip, of layers whose sums cannot leave 32 bits.
  // Errors: shapes, types, workspace too small.
  Status Run(ConstTensorView in, TensorView out, std::span<std::byte> workspace, Executor& executor) const;

  const LayerInfo& info() const;

 private:
  struct Impl;
  explicit Linear(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq

#endif  // LANEQUANT_LINEAR_H_
