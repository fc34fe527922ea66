// Weights as integers: what a layer has in a file, and what is known of the integers that they stand for.
#ifndef LANEQUANT_RUNTIME_WEIGHTS_H_
#define LANEQUANT_RUNTIME_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// A float weight [out_channels][in_channels][taps].
struct FloatWeights {
  std::string name;  // of the layer, for messages
  std::span<const float> values;
  size_t out_channels, in_channels, taps;
  bool transposed = false;  // [in_channels][out_channels], taps = 1
};

// Its shape as it is encoded, whatever the order in memory.
Shape ShapeOf(const FloatWeights& weights);
// Error: another number of values than the sizes say.
Status CheckSizes(const FloatWeights& weights);

// What outputs need to know of integer weights w: q + offset, LPBQ: q * per_block_int_scale.
struct WeightSums {
  size_t n = 0, k = 0;
  std::vector<double> scale;         // s_w, one per output channel
  std::vector<int64_t> sum;          // of w over k, one per output channel
  int64_t largest_absolute_sum = 0;  // over k of |w|, of any output channel: bounds every accumulator
};

// The integers themselves: of depthwise layers, which are small.
struct LayerWeights : WeightSums {
  std::vector<int32_t> w;  // [n][k], k in the order in which kernels read: tap, then input channel
  bool is_lpbq = false;
  int32_t low = 0, high = 0;  // of w; 0 or beyond
};

// Errors: as WeightCodes, and weights that leave 16 bits.
Result<LayerWeights> QuantizeWeights(const FloatWeights& weights, const Encoding& encoding,
                                     const PrepareOptions& options);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_WEIGHTS_H_
