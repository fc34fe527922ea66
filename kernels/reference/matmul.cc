#include <cmath>

#include "kernels/reference/reference.h"

namespace lq::reference {

void MatmulAcc(std::span<const int32_t> x, std::span<const int32_t> w, size_t m, size_t n, size_t k,
               std::span<int64_t> acc) {
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < n; ++j) {
      int64_t sum = 0;
      for (size_t l = 0; l < k; ++l) sum += int64_t{x[i * k + l]} * int64_t{w[j * k + l]};
      acc[i * n + j] = sum;
    }
  }
}

double LayerOutput(int64_t acc, double s_x, double s_w, const double* bias) {
  const double scaled = static_cast<double>(acc) * (s_x * s_w);
  if (bias == nullptr) return scaled;
  return scaled + *bias;
}

double BatchNormalize(double y, float gamma, float beta, float mean, float variance, float epsilon) {
  const double deviation = std::sqrt(static_cast<double>(variance) + static_cast<double>(epsilon));
  const double gain = static_cast<double>(gamma) / deviation;
  const double centred = y - static_cast<double>(mean);
  return centred * gain + static_cast<double>(beta);
}

double Int32Bias(float bias, double s_x, double s_w) {
  const double step = static_cast<double>(static_cast<float>(s_x * s_w));
  double code = std::nearbyint(static_cast<double>(bias) / step);
  if (code < -2147483648.0) code = -2147483648.0;
  if (code > 2147483647.0) code = 2147483647.0;
  return code * step;
}

}  // namespace lq::reference
