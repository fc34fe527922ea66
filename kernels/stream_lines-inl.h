// Per-target: results on their way to memory that no cache should hold, a few lines at a time. Kernels write into a
// buffer in the L1 cache; whole lines go from there past the caches, whatever the alignment of the output. Non-temporal
// stores wait for memory and other stores wait behind them, 64 in all on Zen 4: pieces of 4 lines or so keep a kernel
// computing meanwhile, where pieces of 64 lines made it stand still (MXFP4 at 0.45 of a stream's speed).

#if defined(LANEQUANT_KERNELS_STREAM_LINES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_STREAM_LINES_INL_H_
#undef LANEQUANT_KERNELS_STREAM_LINES_INL_H_
#else
#define LANEQUANT_KERNELS_STREAM_LINES_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace stream {

// Asks for what lies kAhead bytes behind the input of a kernel that works from memory, past its end in the end. CPUs'
// own prefetchers keep up with copies but not with kernels that compute; into the L1 cache it would be too early. Zen
// 4, quantize_dynamic, shares of a stream: 0.65 without, 0.73 at 4 KiB, 0.92 at 6, 0.9 to 1 from 8 to 32; 0.55 into L1.
HWY_INLINE void PrefetchAhead(const void* in, size_t bytes) {
  constexpr uintptr_t kAhead = 16384, kLineBytes = 64;
  const uintptr_t from = reinterpret_cast<uintptr_t>(in) + kAhead;
  for (size_t i = 0; i < bytes; i += kLineBytes) {
    __builtin_prefetch(reinterpret_cast<const void*>(from + i), 0, 2);  // into L2
  }
}

// Whether whole vectors may go around the caches from where they are computed: a fifth faster still than by Lines.
HWY_INLINE bool IsAligned(const void* out) { return reinterpret_cast<uintptr_t>(out) % 64 == 0; }

class Lines {
 public:
  static constexpr size_t kMost = 4096;  // bytes to a Push

  // What is pushed belongs to `out` on.
  explicit Lines(void* out)
      : out_(static_cast<uint8_t*>(out)), first_(reinterpret_cast<uintptr_t>(out) % kLine), end_(first_) {}

  // Where the next results are to be written, before they are pushed.
  void* next() { return buffer_ + end_; }

  HWY_INLINE void Push(size_t bytes) {
    end_ += bytes;
    size_t i = 0;
    if (HWY_UNLIKELY(first_ != 0)) {  // the output's first line is not all ours
      if (end_ < kLine) return;
      std::memcpy(out_, buffer_ + first_, kLine - first_);
      out_ += kLine - first_;
      first_ = 0;
      i = kLine;
    }
    const D d;
    for (; i + kLine <= end_; i += kLine, out_ += kLine) {
      for (size_t j = 0; j < kLine; j += hn::Lanes(d)) hn::Stream(hn::Load(d, buffer_ + i + j), d, out_ + j);
    }
    end_ -= i;
    if (end_ != 0 && i != 0) std::memcpy(buffer_, buffer_ + i, kLine);
  }

  // The rest; to be called once, after the last Push.
  void Finish() {
    std::memcpy(out_, buffer_ + first_, end_ - first_);
    hwy::FlushStream();
  }

 private:
  static constexpr size_t kLine = 64;
  using D = hn::CappedTag<uint8_t, kLine>;

  uint8_t* out_;        // of the first byte that waits
  size_t first_, end_;  // of the bytes in the buffer that wait; its lines are those of the output
  alignas(kLine) uint8_t buffer_[kMost + 2 * kLine];
};

}  // namespace stream

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_STREAM_LINES_INL_H_
