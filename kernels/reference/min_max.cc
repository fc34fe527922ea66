#include "kernels/reference/min_max.h"

#include <cmath>
#include <limits>

namespace lq::reference {

Extremes Include(Extremes extremes, float value) {
  if (std::isnan(value) || std::isnan(extremes.min)) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    return {nan, nan};
  }
  if (value == 0.0f) value = 0.0f;  // not -0
  if (value < extremes.min) extremes.min = value;
  if (value > extremes.max) extremes.max = value;
  if (extremes.min == 0.0f) extremes.min = 0.0f;
  if (extremes.max == 0.0f) extremes.max = 0.0f;
  return extremes;
}

}  // namespace lq::reference
