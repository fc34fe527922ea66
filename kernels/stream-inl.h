// Per-target: results on their way to memory that no cache should hold. Kernels write kChunk elements into a buffer
// that stays in the L1 cache; this copies them past the caches. Measured on Zen 4: as fast as non-temporal stores in
// the kernels' own loops, for any alignment of the output; 2048 elements of float are as good, 4096 lose a third.

#if defined(LANEQUANT_KERNELS_STREAM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_STREAM_INL_H_
#undef LANEQUANT_KERNELS_STREAM_INL_H_
#else
#define LANEQUANT_KERNELS_STREAM_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace stream {

constexpr size_t kChunkBytes = 4096, kChunk = kChunkBytes / sizeof(float);

// Whole lines go around the caches; a caller of many ends with hwy::FlushStream().
HWY_INLINE void Copy(const void* from, void* to, size_t bytes) {
  constexpr size_t kLine = 64;
  const hn::CappedTag<uint8_t, kLine> d;
  const auto* in = static_cast<const uint8_t*>(from);
  auto* out = static_cast<uint8_t*>(to);
  const size_t head = std::min(bytes, (0 - reinterpret_cast<uintptr_t>(out)) % kLine);
  std::memcpy(out, in, head);
  size_t i = head;
  for (; i + kLine <= bytes; i += kLine) {
    for (size_t j = 0; j < kLine; j += hn::Lanes(d)) hn::Stream(hn::LoadU(d, in + i + j), d, out + i + j);
  }
  std::memcpy(out + i, in + i, bytes - i);
}

}  // namespace stream

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_STREAM_INL_H_
