// Random weighted layers: their parameters, and what the scalar references make of them.
#ifndef LANEQUANT_TESTS_SUPPORT_LAYER_CASES_H_
#define LANEQUANT_TESTS_SUPPORT_LAYER_CASES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lanequant/layer.h"
#include "lanequant/tensor.h"
#include "tests/support/random.h"

namespace lq::testing {

// Everything of a layer but its geometry; owns what the spec's spans point to.
struct LayerCase {
  Shape weight_shape;  // channel axis 0, block axis 1
  std::vector<float> weight;
  Encoding weight_encoding;
  PerTensor input;
  std::optional<PerTensor> output;
  std::vector<float> bias, gamma, beta, mean, variance;
  bool batch_norm = false;
  float alpha = 1.0f, clip_min = -__builtin_inff(), clip_max = __builtin_inff();
  PrepareOptions options;

  OutputStage Stage() const;
};

// Per-tensor, per-channel (signed or not, up to 16 bits) or LPBQ weights (blocks of any length, scales up to 4096); any
// mix of bias, batch norm, alpha, clip, output grid, profile and bias mode.
LayerCase DrawLayer(Random& random, const Shape& weight_shape);

// The expected outputs of accumulators [outer][channels][inner]: codes on the output's own grid, or real values.
struct Expected {
  std::vector<int64_t> codes;
  std::vector<double> reals;
};
Expected ExpectedOutputs(const LayerCase& layer, std::span<const int64_t> acc, size_t inner);

// The reference's integer weights, in the weight's own order.
std::vector<int32_t> ExpectedWeights(const LayerCase& layer);

// Codes on the encoding's own grid, a tenth of them at its ends.
std::vector<int32_t> DrawCodes(Random& random, const PerTensor& encoding, size_t count);
// Codes to and from the memory of a tensor: 1 or 2 bytes each.
void StoreCodes(std::span<const int32_t> codes, std::span<std::byte> out);
std::vector<int32_t> LoadCodes(std::span<const std::byte> in, const Grid& grid);

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_LAYER_CASES_H_
