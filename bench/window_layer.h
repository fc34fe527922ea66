// Windows and an epilogue for the benchmarks of kernels that run over images.
#ifndef LANEQUANT_BENCH_WINDOW_LAYER_H_
#define LANEQUANT_BENCH_WINDOW_LAYER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/contracts.h"
#include "kernels/epilogue_setup.h"

namespace lq::bench {

// A square window of `size` cells with "same" padding over a square image.
inline kernels::Window SquareWindow(size_t image, size_t channels, size_t size, size_t stride) {
  const size_t out = (image + stride - 1) / stride;
  return {image, image, channels, out, out, size, size, stride, stride, 1, 1, (size - 1) / 2, (size - 1) / 2, 0, out};
}

// Codes 0..255 in a fixed order.
inline std::vector<uint8_t> Codes(size_t count) {
  std::vector<uint8_t> codes(count);
  for (size_t i = 0; i < count; ++i) codes[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
  return codes;
}

// Constants that put sums of about +-40000 on the whole grid, a few of them near ties, as in a real layer.
struct RequantizeConstants {
  explicit RequantizeConstants(size_t channels)
      : start((channels + 63) / 64 * 64, -1000), scale(start.size(), 1.1e-5), mul(start.size()), add(start.size()) {
    epilogue.start_u8 = start.data();
    epilogue.scale = scale.data();
    epilogue.clip_min = -__builtin_inf();
    epilogue.clip_max = __builtin_inf();
    epilogue.to = {0.003f, -120, 0, 255, 0, 255, RoundingProfile::kAimetDiv};
    kernels::SetUpFastEpilogue(channels, mul.data(), add.data(), &epilogue);
  }
  RequantizeConstants(const RequantizeConstants&) = delete;

  std::vector<int32_t> start;
  std::vector<double> scale;
  std::vector<float> mul, add;
  kernels::Epilogue epilogue{};
};

}  // namespace lq::bench

#endif  // LANEQUANT_BENCH_WINDOW_LAYER_H_
