#include "kernels/reference/dynamic.h"

#include <cmath>
#include <limits>

namespace lq::reference {

float DynamicScale(std::span<const float> block, int qmax) {
  float largest = 0.0f;
  for (const float x : block) {
    if (std::fabs(x) > largest) largest = std::fabs(x);
  }
  if (std::isinf(largest)) largest = std::numeric_limits<float>::max();
  const float scale = largest / static_cast<float>(qmax);
  return scale == 0.0f ? 1.0f : scale;
}

int DynamicCode(float x, float scale, int qmax) {
  const float quotient = x / scale;
  if (std::isnan(quotient)) return -qmax;
  const float rounded = std::nearbyint(quotient);
  if (rounded > static_cast<float>(qmax)) return qmax;
  if (rounded < static_cast<float>(-qmax)) return -qmax;
  return static_cast<int>(rounded);
}

}  // namespace lq::reference
