// u16 codes as two planes of bytes: a = 256 * high + low, so that dots with 8-bit weights are two dots of u8 codes,
// which run at the speed of those; 256 * (dot of high) + (dot of low) is put together in the epilogue.

#if defined(LANEQUANT_KERNELS_MATMUL_PLANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_PLANES_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_PLANES_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_PLANES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/contracts.h"
#include "kernels/matmul_panel-inl.h"
#include "kernels/matmul_rows.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Zeros up to a whole quad behind the k-th byte.
HWY_INLINE void SplitPlaneRow(const uint16_t* HWY_RESTRICT a, size_t k, uint8_t* HWY_RESTRICT high,
                              uint8_t* HWY_RESTRICT low) {
  const hn::ScalableTag<uint8_t> d8;
  const hn::Repartition<uint16_t, decltype(d8)> d16;
  const size_t lanes = hn::Lanes(d8);
  size_t i = 0;
  for (; i + lanes <= k; i += lanes) {
    const auto first = hn::BitCast(d8, hn::LoadU(d16, a + i));
    const auto second = hn::BitCast(d8, hn::LoadU(d16, a + i + lanes / 2));
    hn::StoreU(hn::ConcatOdd(d8, second, first), d8, high + i);
    hn::StoreU(hn::ConcatEven(d8, second, first), d8, low + i);
  }
  for (; i < k; ++i) {
    high[i] = static_cast<uint8_t>(a[i] >> 8);
    low[i] = static_cast<uint8_t>(a[i]);
  }
  for (; i < RoundUp(k, 4); ++i) high[i] = low[i] = 0;
}

// The planes of rows first .. first + count - 1 of A, in `out`: PlaneBytes(count, k).
[[maybe_unused]] static HWY_NOINLINE PanelRows SplitPlanes(const MatmulArgs& args, size_t first, size_t count,
                                                           uint8_t* out) {
  const size_t stride = PlaneStride(args.k);
  for (size_t r = 0; r < count; ++r) {
    const auto* a = reinterpret_cast<const uint16_t*>(args.a + (first + r) * args.a_stride);
    SplitPlaneRow(a, args.k, out + 2 * r * stride, out + (2 * r + 1) * stride);
  }
  return {out, stride, first, count};
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_PLANES_INL_H_
