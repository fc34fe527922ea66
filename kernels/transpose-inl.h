// Per-target: 4 x 4 transposes of vectors of 16 bytes.

#if defined(LANEQUANT_KERNELS_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_TRANSPOSE_INL_H_
#undef LANEQUANT_KERNELS_TRANSPOSE_INL_H_
#else
#define LANEQUANT_KERNELS_TRANSPOSE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace transpose {

using D8 = hn::FixedTag<uint8_t, 16>;
using V8 = hn::Vec<D8>;
constexpr size_t kBytes = 16;

// The vectors, all their elements of type T interleaved: of 32 bits, v_i gets element i of each; of bytes, elements 4 i
// .. 4 i + 3 of each, four bytes for each. Wide has twice the width of T.
template <class T, class Wide>
HWY_INLINE void Interleave(V8& v0, V8& v1, V8& v2, V8& v3) {
  const D8 d8;
  const hn::Repartition<T, D8> d;
  const hn::Repartition<Wide, D8> d2;
  const auto t0 = hn::BitCast(d, v0), t1 = hn::BitCast(d, v1), t2 = hn::BitCast(d, v2), t3 = hn::BitCast(d, v3);
  const auto lower01 = hn::BitCast(d2, hn::InterleaveLower(d, t0, t1));
  const auto lower23 = hn::BitCast(d2, hn::InterleaveLower(d, t2, t3));
  const auto upper01 = hn::BitCast(d2, hn::InterleaveUpper(d, t0, t1));
  const auto upper23 = hn::BitCast(d2, hn::InterleaveUpper(d, t2, t3));
  v0 = hn::BitCast(d8, hn::InterleaveLower(d2, lower01, lower23));
  v1 = hn::BitCast(d8, hn::InterleaveUpper(d2, lower01, lower23));
  v2 = hn::BitCast(d8, hn::InterleaveLower(d2, upper01, upper23));
  v3 = hn::BitCast(d8, hn::InterleaveUpper(d2, upper01, upper23));
}

}  // namespace transpose

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_TRANSPOSE_INL_H_
