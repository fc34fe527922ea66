// Average pooling: exact integer sums, then exact_simulator.md 6 and 2 in binary64 as written.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/average_pool.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/contracts.h"
#include "kernels/epilogue.h"
#include "kernels/window.h"

#ifndef LANEQUANT_KERNELS_AVERAGE_POOL_COUNT_
#define LANEQUANT_KERNELS_AVERAGE_POOL_COUNT_
namespace lq::kernels {

constexpr size_t kAverageChunk = 64;  // channels whose sums wait in a buffer

struct WindowSize {
  size_t inside;   // cells summed: each adds the offset once
  double divisor;  // cells counted
};

inline WindowSize SizeOfWindow(const AveragePoolArgs& args, size_t y, size_t x) {
  const Axis rows = RowAxis(args.window, y), columns = ColumnAxis(args.window, x);
  const auto inside = [](const Axis& a) { return a.CellsBelow(a.pad + a.length) - a.CellsBelow(a.pad); };
  const size_t cells = inside(rows) * inside(columns);
  if (!args.count_include_pad) return {cells, static_cast<double>(cells)};
  const size_t declared = rows.CellsBelow(rows.pad + rows.length + args.pad_bottom) *
                          columns.CellsBelow(columns.pad + columns.length + args.pad_right);
  return {cells, static_cast<double>(declared)};
}

}  // namespace lq::kernels
#endif  // LANEQUANT_KERNELS_AVERAGE_POOL_COUNT_

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace average_pool {

using DU32 = hn::CappedTag<uint32_t, 16>;

// sums[i] = sum of the codes of channel c0 + i over the cells.
template <class T>
HWY_INLINE void Sum(const AveragePoolArgs& args, const Cells& cells, size_t c0, size_t count, uint32_t* sums) {
  const DU32 du;
  const hn::Rebind<T, DU32> d_code;
  const Window& w = args.window;
  const size_t lanes = hn::Lanes(du);
  for (size_t i = 0; i < count; i += lanes) {
    const size_t left = std::min(lanes, count - i);
    auto sum = hn::Zero(du);
    for (size_t y = cells.y_first; y < cells.y_end; y += w.dilation_height) {
      for (size_t x = cells.x_first; x < cells.x_end; x += w.dilation_width) {
        const T* p = static_cast<const T*>(args.in) + (y * w.in_width + x) * w.channels + c0 + i;
        sum = hn::Add(sum, hn::PromoteTo(du, left == lanes ? hn::LoadU(d_code, p) : hn::LoadN(d_code, p, left)));
      }
    }
    hn::StoreU(sum, du, sums + i);
  }
}

HWY_INLINE void Store(const AveragePoolArgs& args, double y, size_t index) {
  switch (args.out_type) {
    case OutputType::kU8:
      static_cast<uint8_t*>(args.out)[index] = static_cast<uint8_t>(CodeOf(y, args.to));
      break;
    case OutputType::kU16:
      static_cast<uint16_t*>(args.out)[index] = static_cast<uint16_t>(CodeOf(y, args.to));
      break;
    case OutputType::kF32:
      static_cast<float*>(args.out)[index] = static_cast<float>(y);
      break;
    default:
      static_cast<double*>(args.out)[index] = y;
      break;
  }
}

}  // namespace average_pool

void AveragePool(const AveragePoolArgs& args) {
  const Window& w = args.window;
  const double scale = args.in_scale;
  HWY_ALIGN uint32_t sums[kAverageChunk];
  for (size_t y = w.y_begin; y < w.y_end; ++y) {
    for (size_t x = 0; x < w.out_width; ++x) {
      const Cells cells = CellsInside(w, y, x);
      const WindowSize size = SizeOfWindow(args, y, x);
      const int64_t offset = static_cast<int64_t>(size.inside) * args.in_offset;
      const size_t first = (y * w.out_width + x) * w.channels;
      for (size_t c = 0; c < w.channels; c += kAverageChunk) {
        const size_t count = std::min(kAverageChunk, w.channels - c);
        if (args.wide) {
          average_pool::Sum<uint16_t>(args, cells, c, count, sums);
        } else {
          average_pool::Sum<uint8_t>(args, cells, c, count, sums);
        }
        for (size_t i = 0; i < count; ++i) {
          average_pool::Store(args, static_cast<double>(sums[i] + offset) * scale / size.divisor, first + c + i);
        }
      }
    }
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<AveragePoolFn>> AveragePoolVariants() {
  static const std::vector<Variant<AveragePoolFn>> variants = Runnable<AveragePoolFn>(LQ_VARIANTS(AveragePool));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
