#include "kernels/packing.h"

#include <algorithm>

#include "kernels/round_up.h"

namespace lq::kernels {
namespace {

// Both element packings: rows of 16 channels x kDepth k, kDepth k at a time. A cache line of a channel is read at once:
// the channels of a k are often a power of two apart, where few of them stay in cache.
template <size_t kDepth, class T>
void PackRows(const int32_t* w, size_t n, size_t k, T* out) {
  constexpr size_t kLine = 64 / sizeof(int32_t);
  const size_t padded = RoundUp(k, kDepth);
  for (size_t n0 = 0; n0 < n; n0 += kPanelChannels) {
    const size_t channels = PanelGroups(n, n0) * kGroupChannels, row = channels * kDepth;
    for (size_t k0 = 0; k0 < padded; k0 += kLine) {
      const size_t end = std::min(k0 + kLine, padded);
      for (size_t c = 0; c < channels; ++c) {
        const int32_t* from = n0 + c < n ? w + (n0 + c) * k : nullptr;
        T* to = out + k0 / kDepth * row + c * kDepth;
        for (size_t j = k0; j < end; j += kDepth, to += row) {
          for (size_t i = 0; i < kDepth; ++i) to[i] = from != nullptr && j + i < k ? static_cast<T>(from[j + i]) : T{0};
        }
      }
    }
    out += padded * channels;
  }
}

}  // namespace

size_t PackedS8Bytes(size_t n, size_t k) { return RoundUp(n, kGroupChannels) * RoundUp(k, 4); }

size_t PanelS8Offset(size_t n0, size_t k) { return n0 * RoundUp(k, 4); }

void PackS8(const int32_t* w, size_t n, size_t k, int8_t* out) { PackRows<4>(w, n, k, out); }

size_t PackedS16Bytes(size_t n, size_t k) { return RoundUp(n, kGroupChannels) * RoundUp(k, 2) * sizeof(int16_t); }

size_t PanelS16Offset(size_t n0, size_t k) { return n0 * RoundUp(k, 2) * sizeof(int16_t); }

void PackS16(const int32_t* w, size_t n, size_t k, int16_t* out) { PackRows<2>(w, n, k, out); }

size_t PackedDepthwiseCount(size_t channels, size_t taps) {
  return RoundUp(channels, kGroupChannels) * RoundUp(taps, 2);
}

void PackDepthwise(const int32_t* w, size_t channels, size_t taps, int16_t* out) {
  const size_t padded = RoundUp(channels, kGroupChannels);
  for (size_t t0 = 0; t0 < taps; t0 += 2) {
    for (size_t c = 0; c < padded; ++c) {
      for (size_t t = t0; t < t0 + 2; ++t) {
        *out++ = c < channels && t < taps ? static_cast<int16_t>(w[c * taps + t]) : int16_t{0};
      }
    }
  }
}

}  // namespace lq::kernels
