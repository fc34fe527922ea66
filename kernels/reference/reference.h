// The scalar references: exact_simulator.md in plain loops. They share no line with the kernels, nor may they: codes
// are int32 on the encoding's own grid, images are channels first, sums are 64-bit, rounding is written out. What one
// function computes for one element is stated by the section of exact_simulator.md that it names.
#ifndef LANEQUANT_KERNELS_REFERENCE_REFERENCE_H_
#define LANEQUANT_KERNELS_REFERENCE_REFERENCE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "lanequant/encoding.h"

namespace lq::reference {

// ---- Section 2: quantizers ----------------------------------------------------------------------------------------

// `t` is the value in code units before rounding (what near-ties are judged by).
struct Rounded {
  int64_t code;
  double t;
};
Rounded QuantizeF32(float x, Grid grid, float scale, int32_t offset, RoundingProfile profile);
Rounded QuantizeReal(double y, Grid grid, float scale, int32_t offset, RoundingProfile profile);
// x = fl32(w * s_in), w = q + o of the input. (Same scale, offset and grid: pass the code on instead of calling this.)
Rounded QuantizeCoded(int64_t w, float s_in, Grid grid, float scale, int32_t offset, RoundingProfile profile);
// fl32((q + offset) * scale)
float Dequantize(int64_t code, float scale, int32_t offset);
// q (two's complement nibble i of `packed`, low first) * scale[i / block]
void LpbqExpand(std::span<const uint8_t> packed, std::span<const uint8_t> scale, size_t block, std::span<int32_t> out);

// ---- Section 4: weighted layers
// --------------------------------------------------------------------------------------

// w_int and s_w of a float weight under its encoding (f32 rule of section 2, the profile's rounding; blocks always
// divide, as every simulator's do). The weight is viewed as [outer][channels][inner] around the channel axis; codes
// come in its own order.
struct IntWeights {
  std::vector<int32_t> q;      // the codes on the (compressed) grid
  std::vector<int32_t> w_int;  // [q + o], LPBQ: [q * i[block]]
  std::vector<double> scale;   // one per channel
};
// Only encodings whose scale does not vary along the reduction, or LPBQ (ValidateEncoding passed; PerBlock: must be
// constant per channel, see IsConstantPerChannel).
IntWeights QuantizeWeights(std::span<const float> weight, const Shape& shape, size_t channel_axis,
                           const Encoding& encoding, RoundingProfile profile);
// `shape` is the weight's: the arrays alone do not say where one channel ends.
bool IsConstantPerChannel(const PerBlock& encoding, const Shape& shape);
// The exact reals w^ = (q + offset) * scale of a float tensor, in its own order, under any encoding (ValidateEncoding
// passed): what the float path multiplies.
std::vector<double> RoundToGrid(std::span<const float> values, const Shape& shape, const Encoding& encoding,
                                RoundingProfile profile);

// (|q| + |offset|) * scale of each, q on the signed grid: what the rounding errors of sums of floats grow with.
std::vector<double> GridMagnitudes(std::span<const float> values, const Shape& shape, const Encoding& encoding,
                                   RoundingProfile profile);

// acc[i][j] = sum over k of x[i][k] * w[j][k]; x holds q + o.
void MatmulAcc(std::span<const int32_t> x, std::span<const int32_t> w, size_t m, size_t n, size_t k,
               std::span<int64_t> acc);

// acc = 2-D convolution, x (batch, channels, height, width) holds q + o; w (out, channels / groups, kh, kw); padding
// adds 0.
struct ConvGeometry {
  size_t batch, in_channels, in_height, in_width;
  size_t out_channels, out_height, out_width, groups;
  size_t kernel_height, kernel_width, stride_height, stride_width, dilation_height, dilation_width;
  size_t pad_top, pad_left;
};
void ConvAcc(const ConvGeometry& g, std::span<const int32_t> x, std::span<const int32_t> w, std::span<int64_t> acc);

// y = double(acc) * (s_x * s_w) [+ b]
double LayerOutput(int64_t acc, double s_x, double s_w, const double* bias);
// (y - mean) * (gamma / sqrt(variance + epsilon)) + beta, the floats as exact reals (section 7)
double BatchNormalize(double y, float gamma, float beta, float mean, float variance, float epsilon);
// Bias mode int32: code = clamp(rint(double(b) / s_b)), s_b = fl32(s_x * s_w); returns double(code) * s_b.
double Int32Bias(float bias, double s_x, double s_w);

// ---- Section 6: pools
// ---------------------------------------------------------------------------------------------------

struct PoolGeometry {
  size_t channels, in_height, in_width, out_height, out_width;  // channels: batch * channels
  size_t kernel_height, kernel_width, stride_height, stride_width, dilation_height, dilation_width;
  size_t pad_top, pad_left, pad_bottom, pad_right;
  bool count_include_pad;
};
// Largest q + o in each window.
void MaxPool(const PoolGeometry& g, std::span<const int32_t> x, std::span<int32_t> y);
// (double([sum of q + o]) * s) / count
void AveragePool(const PoolGeometry& g, std::span<const int32_t> x, float scale, std::span<double> y);

}  // namespace lq::reference

#endif  // LANEQUANT_KERNELS_REFERENCE_REFERENCE_H_
