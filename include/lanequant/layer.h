// What all layers share: how they are prepared and what they report about themselves.
#ifndef LANEQUANT_LAYER_H_
#define LANEQUANT_LAYER_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "lanequant/encoding.h"
#include "lanequant/executor.h"
#include "lanequant/target.h"

namespace lq {

class WeightStore;

enum class BiasMode {
  kFloat,  // y + double(bias): what AIMET simulates
  kInt32,  // the bias rounded to int32 codes of scale fl32(s_x * s_w[c]): what most devices do
};

struct PrepareOptions {
  std::string max_isa = DefaultMaxIsa();  // the best target that may be used, "" for any; any case
  RoundingProfile profile = RoundingProfile::kAimetDiv;
  BiasMode bias = BiasMode::kFloat;
  Executor* executor = nullptr;  // shares out the quantizing and packing of weights; null: the caller does it alone
  WeightStore* store = nullptr;  // lanequant/weight_store.h: packed weights are looked up there, and added to it
};

// A batch normalization that was not folded into the weights, applied to the layer's real output as written:
// (y - mean) * (gamma / sqrt(variance + epsilon)) + beta, in binary64. Arrays of one float per output channel.
struct BatchNorm {
  std::span<const float> gamma, beta, mean, variance;
  float epsilon = 1e-5f;
};

// What follows the accumulation of a weighted layer, in this order (exact_simulator.md 4):
//   y = double(acc) * (s_x * s_w[c]); y = alpha * y; + beta * bias; batch norm; clip; quantize.
struct OutputStage {
  float alpha = 1.0f, beta = 1.0f;     // of ONNX Gemm; with an alpha that is not 1 there is no batch norm
  std::span<const float> bias;         // one per output channel, or empty
  std::span<const double> coded_bias;  // a bias that has codes in the file: code * scale; replaces `bias`
  std::optional<BatchNorm> batch_norm;
  float clip_min = -__builtin_inff();  // ReLU: 0
  float clip_max = __builtin_inff();
  std::optional<PerTensor> encoding;  // 2..16 bits; absent: the output is real
};

// What `inspect` shows of a prepared layer.
struct LayerInfo {
  std::string variant;         // "matmul_u8s4/AVX3_DL"
  std::string why_not_better;  // "AMX: not supported by this CPU; ..."; empty if the best was taken
  std::string weights;  // "4-bit LPBQ, block 64, 8650752 bytes", "expanded to int8: block 6 is not a multiple of 4";
                        // of a step that runs on values, why: "'/erf' has no encoding"
  size_t packed_bytes = 0;
  bool sums_floats = false;  // within the bound in float_linear.h of the exact simulator, not with its bits:
  double float_error = 0;    // at most this * (sum of |x| * (|q| + |offset|) * |scale|) off; all roundings together
};

}  // namespace lq

#endif  // LANEQUANT_LAYER_H_
