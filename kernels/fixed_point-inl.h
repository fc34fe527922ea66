// Per-target: codes as 16.16 fixed point, in lanes of int32. U = (t - o) * 2^16 + 2^15 + w + e with |e| < w, where t is
// to be rounded: the code is the high half of U unless the low one is below 2 * w (epilogue-inl.h says why). Those
// near-ties are decided as the definition does.

#if defined(LANEQUANT_KERNELS_FIXED_POINT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_FIXED_POINT_INL_H_
#undef LANEQUANT_KERNELS_FIXED_POINT_INL_H_
#else
#define LANEQUANT_KERNELS_FIXED_POINT_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace fixed_point {

using D32 = hn::CappedTag<int32_t, 16>;
using DF32 = hn::RebindToFloat<D32>;
using DU8 = hn::Repartition<uint8_t, D32>;
using V32 = hn::Vec<D32>;

// The high halves of four vectors, in order, saturated to u8.
HWY_INLINE hn::Vec<DU8> PackCodes(V32 v0, V32 v1, V32 v2, V32 v3) {
  const DU8 d8;
  const hn::Repartition<int16_t, D32> d16;
#if HWY_TARGET <= HWY_AVX3_DL
  // Interleaving high halves costs a shift and a blend (by a vector: g++ 12 makes a mask for OddEven each time) for two
  // vectors; one byte permutation then restores the order.
  const auto high = hn::Set(D32(), static_cast<int32_t>(0xFFFF0000));
  const auto a = hn::BitCast(d16, hn::IfVecThenElse(high, v1, hn::ShiftRight<16>(v0)));
  const auto b = hn::BitCast(d16, hn::IfVecThenElse(high, v3, hn::ShiftRight<16>(v2)));
  alignas(64) static constexpr uint8_t kOrder[64] = {0, 2,  4,  6,  16, 18, 20, 22, 32, 34, 36, 38, 48, 50, 52, 54,
                                                     1, 3,  5,  7,  17, 19, 21, 23, 33, 35, 37, 39, 49, 51, 53, 55,
                                                     8, 10, 12, 14, 24, 26, 28, 30, 40, 42, 44, 46, 56, 58, 60, 62,
                                                     9, 11, 13, 15, 25, 27, 29, 31, 41, 43, 45, 47, 57, 59, 61, 63};
  return hn::TableLookupLanes(hn::ReorderDemote2To(d8, a, b), hn::SetTableIndices(d8, kOrder));
#else
  const auto a = hn::OrderedDemote2To(d16, hn::ShiftRight<16>(v0), hn::ShiftRight<16>(v1));
  const auto b = hn::OrderedDemote2To(d16, hn::ShiftRight<16>(v2), hn::ShiftRight<16>(v3));
  return hn::OrderedDemote2To(d8, a, b);
#endif
}

HWY_INLINE V32 MinHalves(V32 a, V32 b) {
  const D32 d;
  const hn::Repartition<uint16_t, D32> d16;
  return hn::BitCast(d, hn::Min(hn::BitCast(d16, a), hn::BitCast(d16, b)));
}

HWY_INLINE hn::Mask<D32> NearTie(V32 u, int32_t window) {
  const D32 d;
  return hn::Lt(hn::And(u, hn::Set(d, 0xFFFF)), hn::Set(d, 2 * window));
}

}  // namespace fixed_point
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_FIXED_POINT_INL_H_
