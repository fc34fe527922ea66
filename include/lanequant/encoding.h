// Encodings: how the integer codes of a tensor stand for real numbers, in AIMET's words.
//   real = (q + offset) * scale,   q on the grid [qmin, qmax]
// `offset` has AIMET's sign (offset = -zero_point) and lives on the encoding's own grid: 0 for signed symmetric.
// (Files of version 0.6.1 and 1.0.0 store it for the unsigned grid; the reader converts.)
#ifndef LANEQUANT_ENCODING_H_
#define LANEQUANT_ENCODING_H_

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "lanequant/export.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// The integers that a code may take: 2..16 bits (32 for biases).
struct Grid {
  int bitwidth = 8;
  bool is_signed = false;

  int64_t qmin() const { return is_signed ? -(int64_t{1} << (bitwidth - 1)) : 0; }
  int64_t qmax() const { return qmin() + (int64_t{1} << bitwidth) - 1; }
  friend bool operator==(const Grid&, const Grid&) = default;
};

// One scale for the whole tensor.
struct PerTensor {
  Grid grid;
  float scale = 1.0f;
  int32_t offset = 0;

  friend bool operator==(const PerTensor&, const PerTensor&) = default;
};

// One scale for each index along `axis`; scale and offset have that dimension's length.
struct PerChannel {
  Grid grid;
  size_t axis = 0;
  std::vector<float> scale;
  std::vector<int32_t> offset;

  friend bool operator==(const PerChannel&, const PerChannel&) = default;
};

// A float scale for each `block_size` consecutive indices of `block_axis` in each channel.
// Arrays are [channel][block], whatever the order of the tensor's axes.
struct PerBlock {
  Grid grid;
  size_t channel_axis = 0;
  size_t block_axis = 1;
  int64_t block_size = 0;
  std::vector<float> scale;
  std::vector<int32_t> offset;

  friend bool operator==(const PerBlock&, const PerBlock&) = default;
};

// Low-power blockwise quantization (AIMET GroupedBlockQuantizeDequantize): signed symmetric codes of `bitwidth` bits;
// the scale of a block is per_block_int_scale * channel_scale, an integer in 1..2^(decompressed_bitwidth - bitwidth)
// times a float, so that q * per_block_int_scale lies on the signed grid of `decompressed_bitwidth` bits.
// per_block_int_scale is [channel][block].
struct Lpbq {
  int bitwidth = 4;
  int decompressed_bitwidth = 8;
  size_t channel_axis = 0;
  size_t block_axis = 1;
  int64_t block_size = 0;
  std::vector<float> channel_scale;
  std::vector<uint32_t> per_block_int_scale;

  friend bool operator==(const Lpbq&, const Lpbq&) = default;
};

using Encoding = std::variant<PerTensor, PerChannel, PerBlock, Lpbq>;

// How a stand-alone quantizer rounds (exact_simulator: section 2). All round to nearest.
enum class RoundingProfile {
  kAimetDiv,        // rint(fl32(x / s)) - o, ties to even: AIMET's division path and ONNX QuantizeLinear
  kAimetFakequant,  // rint(fl32(x * fl32(1 / s))) - o: torch.fake_quantize, AIMET without gradients
  kAimetOnnx,       // clamp first, offset before rounding, halves go up: the op of aimet_onnx
  kOnnx,            // ONNX QuantizeLinear: as kAimetDiv in the arithmetic of the scale's type
};

// Checks an encoding against the tensor that it is for: grid of 2..16 bits, scales finite and > 0, offsets that keep
// q + offset within 2^24, as many scales as the shape asks for, blocks that divide. `name` is the tensor's name for
// the message.
LQ_EXPORT Status ValidateEncoding(const std::string& name, const Encoding& encoding, const Shape& shape);

// "u8 per tensor, scale 0.0039, offset 0", "LPBQ s4 -> 8 bits, 64 channels, block 16"
LQ_EXPORT std::string Describe(const Encoding& encoding);

}  // namespace lq

#endif  // LANEQUANT_ENCODING_H_
