// Weights as integers: from the floats of the file and their encoding to what the kernels multiply.
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

namespace lq {

// [n][k], k in the order in which kernels read: tap (kernel height, kernel width), then input channel.
struct LayerWeights {
  size_t n = 0, k = 0;
  std::vector<int32_t> w;     // w_int: q + offset, LPBQ: q * per_block_int_scale
  std::vector<double> scale;  // s_w, one per output channel
  // LPBQ only (block = 0 otherwise): the codes and the integer scales of each `block` consecutive k.
  size_t block = 0;
  int bitwidth = 0;
  std::vector<int32_t> codes;         // [n][k]
  std::vector<uint32_t> block_scale;  // [n][k / block]
  // Of w.
  std::vector<int64_t> sum;          // over k, one per output channel
  int64_t largest_absolute_sum = 0;  // over k of |w|, of any output channel: bounds every accumulator
  int32_t low = 0, high = 0;         // 0 or beyond
};

// A float weight [out_channels][in_channels][taps].
struct FloatWeights {
  std::string name;  // of the layer, for messages
  std::span<const float> values;
  size_t out_channels, in_channels, taps;
};

// Rounds to the grid (f32 rule of exact_simulator.md 2) and combines with offsets or block scales (section 4). The
// encoding's axes are channel 0, block 1. Errors: sizes, ValidateEncoding, float block scales (they need the float
// path), weights that leave 16 bits.
Result<LayerWeights> QuantizeWeights(const FloatWeights& weights, const Encoding& encoding,
                                     const PrepareOptions& options);

// Weights whose scales vary along k: what floats are multiplied by. Arrays are [n][k] and [n][k / block].
struct FloatScaleWeights {
  size_t n = 0, k = 0, block = 0;
  int bits = 8;               // 4 or 8: of the signed grid that holds q
  std::vector<int32_t> q;     // the code, less 2^(bitwidth - 1) where its grid is unsigned
  std::vector<float> scale;   // of LPBQ fl32(per_block_int_scale * channel_scale), as AIMET has it
  std::vector<float> offset;  // of q; empty where all are 0
};

// The same for any scales, of grids of up to 8 bits; taps = 1.
Result<FloatScaleWeights> QuantizeWithFloatScales(const FloatWeights& weights, const Encoding& encoding,
                                                  const PrepareOptions& options);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_WEIGHTS_H_
