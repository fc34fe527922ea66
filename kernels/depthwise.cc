// Depthwise convolution: two taps at a time, each pair of u8 codes side by side in 32 bits, multiplied and added by one
// 16-bit pair product (pmaddwd). Exact: 2 * 255 * 32768 fits int32, and sums wrap until the last one, which fits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/depthwise.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/contracts.h"
#include "kernels/epilogue-inl.h"

#ifndef LANEQUANT_KERNELS_DEPTHWISE_TAPS_
#define LANEQUANT_KERNELS_DEPTHWISE_TAPS_
namespace lq::kernels {

constexpr size_t kDepthwiseTaps = 50;   // whose rows are known at a time, an even number: 7x7 in one go
constexpr size_t kDepthwisePixels = 8;  // whose accumulators wait for one epilogue

// Where the taps [first, first + count) of the pixels x0.. of output row y read their `channels` codes: in the image,
// or in the row of zeros. Found once and used for all channels: the search costs as much as the products of 64
// channels.
struct TapRows {
  const uint8_t* row[kDepthwisePixels][kDepthwiseTaps];

  void Find(const DepthwiseArgs& args, size_t y, size_t x0, size_t pixels, size_t first, size_t count) {
    const Window& w = args.window;
    for (size_t i = 0; i < count; ++i) {
      const size_t ky = (first + i) / w.kernel_width, kx = (first + i) % w.kernel_width;
      // Unsigned: what lies before the image wraps to a huge number.
      const size_t in_y = y * w.stride_height + ky * w.dilation_height - w.pad_top;
      const size_t column = kx * w.dilation_width - w.pad_left;
      for (size_t p = 0; p < pixels; ++p) {
        const size_t in_x = (x0 + p) * w.stride_width + column;
        const bool inside = in_y < w.in_height && in_x < w.in_width;
        row[p][i] = inside ? args.in + (in_y * w.in_width + in_x) * w.channels : args.zero_row;
      }
    }
  }
};

}  // namespace lq::kernels
#endif  // LANEQUANT_KERNELS_DEPTHWISE_TAPS_

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace depthwise {

using D32 = hn::CappedTag<int32_t, 16>;
using V32 = hn::Vec<D32>;
constexpr size_t kVectors = 4;  // of channels at a time: 64 on AVX-512

// The codes of both taps, channel by channel: the first in the low half of each lane.
template <bool kFull>
HWY_INLINE V32 LoadPair(const uint8_t* a, const uint8_t* b, size_t count) {
  const hn::RebindToUnsigned<D32> du;
  const hn::Rebind<uint8_t, D32> d8;
  const auto load = [&](const uint8_t* p) {
    return hn::PromoteTo(du, kFull ? hn::LoadU(d8, p) : hn::LoadN(d8, p, count));
  };
  return hn::BitCast(D32(), hn::Or(load(a), hn::ShiftLeft<16>(load(b))));
}

// A run of taps of one pixel and the channels that it is for.
struct Run {
  const uint8_t* const* rows;
  size_t taps;
  const int16_t* w;  // of the first tap, channel c0
  size_t w_stride;   // between pairs of taps
  size_t c0, count;  // up to kVectors vectors of channels
};

// acc += products. kFull: count is a whole number of vectors.
template <bool kFull>
HWY_INLINE void Accumulate(const Run& run, int32_t* HWY_RESTRICT acc) {
  const D32 d;
  const hn::Repartition<int16_t, D32> d16;
  const size_t lanes = hn::Lanes(d);
  V32 sum0 = hn::LoadU(d, acc), sum1 = hn::LoadU(d, acc + lanes);
  V32 sum2 = hn::LoadU(d, acc + 2 * lanes), sum3 = hn::LoadU(d, acc + 3 * lanes);
  const int16_t* w = run.w;
  for (size_t tap = 0; tap < run.taps; tap += 2, w += run.w_stride) {
    const uint8_t* a = run.rows[tap] + run.c0;
    const uint8_t* b = tap + 1 < run.taps ? run.rows[tap + 1] + run.c0 : a;  // the missing tap has weight 0
    const auto step = [&](size_t j, V32 sum) HWY_ATTR {
      const size_t first = j * lanes;
      if (first >= run.count) return sum;
      const V32 codes = LoadPair<kFull>(a + first, b + first, HWY_MIN(run.count - first, lanes));
      return hn::Add(sum, hn::WidenMulPairwiseAdd(d, hn::BitCast(d16, codes), hn::LoadU(d16, w + 2 * first)));
    };
    sum0 = step(0, sum0);
    sum1 = step(1, sum1);
    sum2 = step(2, sum2);
    sum3 = step(3, sum3);
  }
  hn::StoreU(sum0, d, acc);
  hn::StoreU(sum1, d, acc + lanes);
  hn::StoreU(sum2, d, acc + 2 * lanes);
  hn::StoreU(sum3, d, acc + 3 * lanes);
}

// Pixels [x0, x0 + pixels) of output row y, channels [c0, c0 + count). `rows` holds the first kDepthwiseTaps
// taps already; those of larger filters are found here, as many at a time.
HWY_INLINE void Block(const DepthwiseArgs& args, size_t y, size_t x0, size_t pixels, size_t c0, size_t count,
                      TapRows& rows) {
  const Window& w = args.window;
  const size_t lanes = hn::Lanes(D32()), stride = kVectors * lanes, taps = w.kernel_height * w.kernel_width;
  const size_t padded = (w.channels + 15) / 16 * 16;
  HWY_ALIGN int32_t acc[kDepthwisePixels * kVectors * 16] = {};
  for (size_t tap = 0; tap < taps; tap += kDepthwiseTaps) {
    const size_t found = HWY_MIN(kDepthwiseTaps, taps - tap);
    if (taps > kDepthwiseTaps) rows.Find(args, y, x0, pixels, tap, found);
    for (size_t p = 0; p < pixels; ++p) {
      const Run run{rows.row[p], found, args.w + (tap / 2 * padded + c0) * 2, 2 * padded, c0, count};
      if (count % lanes == 0) {
        Accumulate<true>(run, acc + p * stride);
      } else {
        Accumulate<false>(run, acc + p * stride);
      }
    }
  }
  const size_t element = SizeOf(args.out_type);
  Finish({.acc = acc,
          .acc_stride = stride,
          .rows = pixels,
          .n0 = c0,
          .count = count,
          .start = args.epilogue->start_u8,
          .epilogue = args.epilogue,
          .type = args.out_type,
          .out = static_cast<uint8_t*>(args.out) + ((y * w.out_width + x0) * w.channels + c0) * element,
          .out_stride = w.channels});
}

}  // namespace depthwise

void Depthwise(const DepthwiseArgs& args) {
  const Window& w = args.window;
  const size_t chunk = depthwise::kVectors * hn::Lanes(depthwise::D32()), taps = w.kernel_height * w.kernel_width;
  TapRows rows;
  for (size_t y = w.y_begin; y < w.y_end; ++y) {
    for (size_t x = 0; x < w.out_width; x += kDepthwisePixels) {
      const size_t pixels = HWY_MIN(kDepthwisePixels, w.out_width - x);
      if (taps <= kDepthwiseTaps) rows.Find(args, y, x, pixels, 0, taps);
      for (size_t c = 0; c < w.channels; c += chunk) {
        depthwise::Block(args, y, x, pixels, c, HWY_MIN(chunk, w.channels - c), rows);
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

std::span<const Variant<DepthwiseFn>> DepthwiseVariants() {
  static const std::vector<Variant<DepthwiseFn>> variants = Runnable<DepthwiseFn>(LQ_VARIANTS(Depthwise));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
