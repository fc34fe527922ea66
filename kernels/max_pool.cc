// Max pooling of codes: the window's cells, a vector of channels at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/max_pool.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/contracts.h"
#include "kernels/window.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Codes are unsigned, so that 0 never wins against a cell.
template <class D, class Load>
HWY_INLINE hn::Vec<D> Largest(D d, const Window& w, const Cells& cells, const Load& load) {
  auto largest = hn::Zero(d);
  for (size_t y = cells.y_first; y < cells.y_end; y += w.dilation_height) {
    for (size_t x = cells.x_first; x < cells.x_end; x += w.dilation_width) {
      largest = hn::Max(largest, load((y * w.in_width + x) * w.channels));
    }
  }
  return largest;
}

template <class T>
HWY_INLINE void MaxPoolOf(const Window& w, const T* in, T* out_image) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t y = w.y_begin; y < w.y_end; ++y) {
    for (size_t x = 0; x < w.out_width; ++x) {
      const Cells cells = CellsInside(w, y, x);
      T* out = out_image + (y * w.out_width + x) * w.channels;
      size_t c = 0;
      for (; c + lanes <= w.channels; c += lanes) {
        const auto load = [&](size_t at) HWY_ATTR { return hn::LoadU(d, in + at + c); };
        hn::StoreU(Largest(d, w, cells, load), d, out + c);
      }
      if (c == w.channels) continue;
      const size_t left = w.channels - c;
      const auto load = [&](size_t at) HWY_ATTR { return hn::LoadN(d, in + at + c, left); };
      hn::StoreN(Largest(d, w, cells, load), d, out + c, left);
    }
  }
}

void MaxPool(const MaxPoolArgs& args) {
  if (args.wide) {
    MaxPoolOf(args.window, static_cast<const uint16_t*>(args.in), static_cast<uint16_t*>(args.out));
  } else {
    MaxPoolOf(args.window, static_cast<const uint8_t*>(args.in), static_cast<uint8_t*>(args.out));
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MaxPoolFn>> MaxPoolVariants() {
  static const std::vector<Variant<MaxPoolFn>> variants = Runnable<MaxPoolFn>(LQ_VARIANTS(MaxPool));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
