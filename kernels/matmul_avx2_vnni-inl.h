// u8 x s8 and u8 x LPBQ s4 with the 256-bit 8-bit dot product of CPUs that have no AVX-512. Highway 1.2 has no such
// target: the files that include this define LQ_VNNI_256, and its AVX2 gets another inner loop (matmul_tile-inl.h).

#if defined(LANEQUANT_KERNELS_MATMUL_AVX2_VNNI_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_AVX2_VNNI_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_AVX2_VNNI_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_AVX2_VNNI_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"
#include "kernels/matmul_panel-inl.h"
#include "kernels/matmul_s4_blocks.h"
#include "kernels/matmul_s4_expand-inl.h"
#include "kernels/packing.h"

#if LQ_NATIVE_DOT_256

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU8S4(const MatmulArgs& args);  // of AVX2

namespace avx2_vnni {

// From here on it is faster to expand s4 panels than to multiply pairs of 16-bit sums.
constexpr size_t kExpandRows = 4;

static void MultiplyU8S8(const MatmulArgs& args) {
  MultiplyPanels<1>(args, {args.a, args.a_stride, 0, args.m, args.patches});
}

static void MultiplyU8S4(const MatmulArgs& args) {
  if (args.m < kExpandRows) return MatmulU8S4(args);
  const PackedS4 layout = {args.n, args.k, args.block};
  int8_t* panel = static_cast<int8_t*>(args.scratch);
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const size_t groups = PanelGroups(args.n, n0);
    const S4Blocks blocks(layout, static_cast<const uint8_t*>(args.w) + layout.PanelOffset(n0), groups);
    if (s4::ScalesFitS8(blocks, groups)) {
      s4::ExpandPanel(blocks, groups, args.k / 4, panel);
      MultiplyPanel<1>(args, {args.a, args.a_stride, 0, args.m}, panel, n0);
    } else {
      MatmulArgs part = args;
      part.n_begin = n0;
      part.n_end = std::min(n0 + kPanelChannels, args.n_end);
      MatmulU8S4(part);
    }
  }
}

}  // namespace avx2_vnni
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LQ_NATIVE_DOT_256
#endif  // LANEQUANT_KERNELS_MATMUL_AVX2_VNNI_INL_H_
