#include "kernels/epilogue.h"

#include <algorithm>
#include <cmath>

#include "kernels/small_floats.h"

namespace lq::kernels {
namespace {

// Profile aimet_onnx clamps first, takes the offset off before it rounds, and rounds halves up.
double AimetOnnxCode(double y, const QuantizeTo& to) {
  const double scale = to.scale;
  const double low = to.offset + to.qmin;
  const double steps = to.qmax - to.qmin;
  const double v = std::min(std::max(y, scale * low), scale * (low + steps));
  return std::floor(v / scale - low + 0.5) + to.qmin;
}

// Comparisons rather than min and max: which zero those return differs between instruction sets.
double Clipped(double y, const Epilogue& epilogue) {
  if (y < epilogue.clip_min) y = epilogue.clip_min;
  if (y > epilogue.clip_max) y = epilogue.clip_max;
  return y;
}

}  // namespace

double RealOutput(Accumulator sum, size_t channel, const Epilogue& epilogue) {
  double y = sum.acc * (sum.row_scale * epilogue.scale[channel]);
  if (epilogue.bias != nullptr) y = y + epilogue.bias[channel];
  if (epilogue.bn_mean != nullptr) {
    y = (y - epilogue.bn_mean[channel]) * epilogue.bn_gain[channel] + epilogue.bn_beta[channel];
  }
  return y;
}

int32_t CodeOf(double y, const QuantizeTo& to) {
  const double code =
      to.profile == RoundingProfile::kAimetOnnx ? AimetOnnxCode(y, to) : std::rint(y / double{to.scale}) - to.offset;
  // NaN goes to lo: a comparison with it is false.
  return static_cast<int32_t>(code > to.lo ? std::min<double>(code, to.hi) : to.lo);
}

void StoreOutput(Accumulator sum, size_t channel, const Epilogue& epilogue, OutputType type, void* out, size_t index) {
  const double y = RealOutput(sum, channel, epilogue);
  switch (type) {
    case OutputType::kU8:
      static_cast<uint8_t*>(out)[index] = static_cast<uint8_t>(CodeOf(y, epilogue.to));
      break;
    case OutputType::kU16:
      static_cast<uint16_t*>(out)[index] = static_cast<uint16_t>(CodeOf(y, epilogue.to));
      break;
    case OutputType::kF32:
      static_cast<float*>(out)[index] = static_cast<float>(Clipped(y, epilogue));
      break;
    case OutputType::kF64:
      static_cast<double*>(out)[index] = Clipped(y, epilogue);
      break;
    case OutputType::kF16:
      static_cast<uint16_t*>(out)[index] = F16FromFloat(static_cast<float>(Clipped(y, epilogue)));
      break;
    case OutputType::kBF16:
      static_cast<uint16_t*>(out)[index] = BF16FromFloat(static_cast<float>(Clipped(y, epilogue)));
      break;
    case OutputType::kS32:
      static_cast<int32_t*>(out)[index] = static_cast<int32_t>(sum.acc);
      break;
  }
}

}  // namespace lq::kernels
