// Columns of an image, four rows interleaved into quads: what depthwise_u8s8 multiplies. A column is made once and kept
// in L1 for all windows that read it.

#ifndef LANEQUANT_KERNELS_DEPTHWISE_COLUMNS_INL_ARGS_
#define LANEQUANT_KERNELS_DEPTHWISE_COLUMNS_INL_ARGS_

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace lq::kernels {

constexpr size_t kDepthwiseRows = 8;  // input rows of a band: two quads

// The input rows of one or two output rows, from the first channel of a chunk on. Rows outside the image, and those
// that only fill a quad, are one block of zero codes with step 0.
struct DepthwiseBand {
  const uint8_t* rows[kDepthwiseRows];
  size_t steps[kDepthwiseRows];  // bytes from column to column
  size_t quads;
  size_t width, channels;
  uint8_t zero_code;
};

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_DEPTHWISE_COLUMNS_INL_ARGS_

#if defined(LANEQUANT_KERNELS_DEPTHWISE_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_DEPTHWISE_COLUMNS_INL_H_
#undef LANEQUANT_KERNELS_DEPTHWISE_COLUMNS_INL_H_
#else
#define LANEQUANT_KERNELS_DEPTHWISE_COLUMNS_INL_H_
#endif

#include <hwy/highway.h>

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace depthwise_u8s8 {

using D8 = hn::FixedTag<uint8_t, 64>;
using V8 = hn::Vec<D8>;

// kShared: several pixels in a vector. The four vectors of a quad lie in planes of their own then, where 16 channels of
// a pixel are 16 bytes, so that a window may begin at any pixel.
template <bool kShared>
struct Columns {
  // 2112 rather than 2048: planes at equal places of 4 KiB pages slow loads that follow stores.
  static constexpr size_t kPlane = 2048 + 64;
  static constexpr size_t kVectorStep = kShared ? kPlane : 64;
  static constexpr size_t kBytes = 8 * kPlane;

  Columns(size_t quads, size_t channels)
      : column_step(kShared ? channels : 256 * quads),
        quad_step(kShared ? 4 * kPlane : 256),
        capacity(kShared ? 2048 / channels : 64 / quads) {}

  alignas(64) uint8_t bytes[kBytes];
  size_t column_step, quad_step;
  size_t capacity;  // columns
};

// 64 codes, or fewer and then zero codes.
HWY_INLINE V8 LoadCodes(const uint8_t* p, size_t bytes, V8 zero) {
  const D8 d;
  return HWY_LIKELY(bytes >= 64) ? hn::LoadU(d, p) : hn::MaskedLoadOr(zero, hn::FirstN(d, bytes), d, p);
}

// Vector v, 32-bit lane 4 b + i: rows 0..3 of lane 16 b + 4 v + i.
template <size_t kStep>
HWY_INLINE void StoreQuads(V8 r0, V8 r1, V8 r2, V8 r3, uint8_t* HWY_RESTRICT out) {
  const D8 d;
  const hn::Repartition<uint16_t, D8> d16;
  const auto top = hn::BitCast(d16, hn::InterleaveLower(d, r0, r1));
  const auto bottom = hn::BitCast(d16, hn::InterleaveLower(d, r2, r3));
  const auto top_high = hn::BitCast(d16, hn::InterleaveUpper(d, r0, r1));
  const auto bottom_high = hn::BitCast(d16, hn::InterleaveUpper(d, r2, r3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d16, top, bottom)), d, out);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d16, top, bottom)), d, out + kStep);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d16, top_high, bottom_high)), d, out + 2 * kStep);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d16, top_high, bottom_high)), d, out + 3 * kStep);
}

// Quad q of the columns [begin, end) of the image, a vector of them at a time, the first to `out`.
template <bool kShared>
HWY_INLINE void FillInside(const DepthwiseBand& band, size_t q, size_t begin, size_t end, size_t step, uint8_t* out) {
  const V8 zero = hn::Set(D8(), band.zero_code);
  const uint8_t* const* rows = band.rows + 4 * q;
  const size_t* steps = band.steps + 4 * q;
  const size_t s0 = steps[0], s1 = steps[1], s2 = steps[2], s3 = steps[3];
  const uint8_t *r0 = rows[0] + begin * s0, *r1 = rows[1] + begin * s1;
  const uint8_t *r2 = rows[2] + begin * s2, *r3 = rows[3] + begin * s3;
  const size_t channels = band.channels, pixels = kShared ? 64 / channels : 1;
  for (size_t left = end - begin;; left -= pixels) {
    const size_t bytes = (kShared ? left : 1) * channels;
    StoreQuads<Columns<kShared>::kVectorStep>(LoadCodes(r0, bytes, zero), LoadCodes(r1, bytes, zero),
                                              LoadCodes(r2, bytes, zero), LoadCodes(r3, bytes, zero), out);
    if (left <= pixels) return;
    r0 += pixels * s0;
    r1 += pixels * s1;
    r2 += pixels * s2;
    r3 += pixels * s3;
    out += step;
  }
}

// The columns [begin, end) of the image and its padding, a vector of them at a time: what lies before column 0 first,
// because vectors overlap what follows them.
template <bool kShared>
HWY_INLINE void FillColumns(const DepthwiseBand& band, ptrdiff_t begin, ptrdiff_t end, Columns<kShared>& columns) {
  const ptrdiff_t pixels = kShared ? static_cast<ptrdiff_t>(64 / band.channels) : 1;
  const ptrdiff_t width = static_cast<ptrdiff_t>(band.width);
  const V8 zero = hn::Set(D8(), band.zero_code);
  const auto at = [&](ptrdiff_t column) {
    return columns.bytes + static_cast<size_t>(column - begin) * columns.column_step;
  };
  const auto pad = [&](ptrdiff_t first, ptrdiff_t last) HWY_ATTR {
    for (ptrdiff_t column = first; column < last; column += pixels) {
      for (size_t q = 0; q < band.quads; ++q) {
        StoreQuads<Columns<kShared>::kVectorStep>(zero, zero, zero, zero, at(column) + q * columns.quad_step);
      }
    }
  };
  const ptrdiff_t inside = std::max<ptrdiff_t>(begin, 0), inside_end = std::min(end, width);
  pad(begin, std::min<ptrdiff_t>(end, 0));
  if (inside < inside_end) {
    for (size_t q = 0; q < band.quads; ++q) {
      FillInside<kShared>(band, q, static_cast<size_t>(inside), static_cast<size_t>(inside_end),
                          columns.column_step * static_cast<size_t>(pixels), at(inside) + q * columns.quad_step);
    }
  }
  pad(std::max(begin, width), end);
}

}  // namespace depthwise_u8s8

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // native 8-bit dot

#endif  // LANEQUANT_KERNELS_DEPTHWISE_COLUMNS_INL_H_
