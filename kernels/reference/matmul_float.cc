#include "kernels/reference/matmul_float.h"

#include <algorithm>
#include <cmath>

namespace lq::reference {

float BlockTotal(std::span<const float> a, const BlockChannel& channel) {
  float total = 0.0f;
  for (size_t b = 0; b < channel.scale.size(); ++b) {
    const size_t begin = b * channel.block, end = std::min(a.size(), begin + channel.block);
    float dot = 0.0f, sum = 0.0f;
    for (size_t i = begin; i < end; ++i) {
      dot = std::fma(a[i], channel.q[i], dot);
      sum = sum + a[i];
    }
    if (!channel.offset.empty()) dot = std::fma(sum, channel.offset[b], dot);
    total = std::fma(dot, channel.scale[b], total);
  }
  return total;
}

}  // namespace lq::reference
