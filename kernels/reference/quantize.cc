// Section 2 of exact_simulator.md: from values to codes and back.
#include <algorithm>
#include <cmath>

#include "kernels/reference/reference.h"

namespace lq::reference {
namespace {

// float32 holds every code of a grid of up to 21 bits with room for the fraction; wider ones are quantized in binary64.
constexpr int kLargestFloat32Bitwidth = 21;

// `code` may be infinite or NaN, and leave int64.
int64_t Saturate(double code, const Grid& grid) {
  if (std::isnan(code)) return grid.qmin();
  const double lowest = static_cast<double>(grid.qmin()), highest = static_cast<double>(grid.qmax());
  if (code <= lowest) return grid.qmin();
  if (code >= highest) return grid.qmax();
  return static_cast<int64_t>(code);
}

// The profiles that divide and round first, then take the offset off.
Rounded RoundThenShift(double t, const Grid& grid, int32_t offset) {
  return {Saturate(std::nearbyint(t) - offset, grid), t};
}

// The steps of aimet_onnx in T = float or double: clamp to the range of the grid, then offset, then round halves up.
template <class T>
T AimetOnnxUnits(T x, const Grid& grid, T scale, int32_t offset) {
  const T lowest_unit = static_cast<T>(offset + grid.qmin());
  const T steps = static_cast<T>(grid.qmax() - grid.qmin());
  const T lowest = scale * lowest_unit;
  const T highest = scale * (lowest_unit + steps);
  T value = std::isnan(x) ? lowest : x;
  if (value > highest) value = highest;
  if (value < lowest) value = lowest;
  return value / scale - lowest_unit;
}

}  // namespace

Rounded QuantizeF32(float x, Grid grid, float scale, int32_t offset, RoundingProfile profile) {
  switch (profile) {
    case RoundingProfile::kAimetOnnx: {
      const float t = AimetOnnxUnits<float>(x, grid, scale, offset);
      // std::round takes halves away from zero: up, for units are not negative.
      return {Saturate(static_cast<double>(std::round(t)) + static_cast<double>(grid.qmin()), grid), t};
    }
    case RoundingProfile::kAimetFakequant: {
      const float inverse = 1.0f / scale;
      const float t = x * inverse;
      return RoundThenShift(t, grid, offset);
    }
    case RoundingProfile::kAimetDiv:
    case RoundingProfile::kOnnx:
      break;
  }
  if (grid.bitwidth > kLargestFloat32Bitwidth) {
    return RoundThenShift(static_cast<double>(x) / static_cast<double>(scale), grid, offset);
  }
  const float t = x / scale;
  return RoundThenShift(t, grid, offset);
}

Rounded QuantizeReal(double y, Grid grid, float scale, int32_t offset, RoundingProfile profile) {
  if (profile == RoundingProfile::kAimetOnnx) {
    const double t = AimetOnnxUnits<double>(y, grid, scale, offset);
    return {Saturate(std::floor(t + 0.5) + static_cast<double>(grid.qmin()), grid), t};
  }
  return RoundThenShift(y / static_cast<double>(scale), grid, offset);
}

Rounded QuantizeCoded(int64_t w, float s_in, Grid grid, float scale, int32_t offset, RoundingProfile profile) {
  const double exact = static_cast<double>(w) * static_cast<double>(s_in);
  return QuantizeF32(static_cast<float>(exact), grid, scale, offset, profile);
}

float Dequantize(int64_t code, float scale, int32_t offset) {
  const double exact = static_cast<double>(code + offset) * static_cast<double>(scale);
  return static_cast<float>(exact);
}

void LpbqExpand(std::span<const uint8_t> packed, std::span<const uint8_t> scale, size_t block, std::span<int32_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const int32_t nibble = i % 2 == 0 ? packed[i / 2] % 16 : packed[i / 2] / 16;
    const int32_t code = nibble < 8 ? nibble : nibble - 16;
    out[i] = code * scale[i / block];
  }
}

}  // namespace lq::reference
