#include "kernels/packing.h"

#include "kernels/round_up.h"

namespace lq::kernels {
namespace {

// Both element packings: rows of 16 channels x `depth` k, `depth` k at a time.
template <class T>
void PackRows(const int32_t* w, size_t n, size_t k, size_t depth, T* out) {
  for (size_t n0 = 0; n0 < n; n0 += kPanelChannels) {
    const size_t channels = PanelGroups(n, n0) * kGroupChannels;
    for (size_t k0 = 0; k0 < k; k0 += depth) {
      for (size_t c = n0; c < n0 + channels; ++c) {
        for (size_t j = k0; j < k0 + depth; ++j) *out++ = c < n && j < k ? static_cast<T>(w[c * k + j]) : T{0};
      }
    }
  }
}

}  // namespace

size_t PackedS8Bytes(size_t n, size_t k) { return RoundUp(n, kGroupChannels) * RoundUp(k, 4); }

size_t PanelS8Offset(size_t n0, size_t k) { return n0 * RoundUp(k, 4); }

void PackS8(const int32_t* w, size_t n, size_t k, int8_t* out) { PackRows(w, n, k, 4, out); }

size_t PackedS16Bytes(size_t n, size_t k) { return RoundUp(n, kGroupChannels) * RoundUp(k, 2) * sizeof(int16_t); }

size_t PanelS16Offset(size_t n0, size_t k) { return n0 * RoundUp(k, 2) * sizeof(int16_t); }

void PackS16(const int32_t* w, size_t n, size_t k, int16_t* out) { PackRows(w, n, k, 2, out); }

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
