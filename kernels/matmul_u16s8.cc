// u16 x s8 matrix product, as that of the codes' two bytes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_u16s8.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/matmul_panel-inl.h"
#include "kernels/matmul_planes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU16S8(const MatmulArgs& args) {
  constexpr bool kReadsPlanes = LQ_NATIVE_DOT || HWY_HAVE_SCALABLE;
  uint8_t* scratch = static_cast<uint8_t*>(args.scratch);
  const Strips blocks(args.m, kReadsPlanes ? kPlaneRows : kSplitPlaneRows);
  for (size_t i = 0, row = 0; i < blocks.count(); row += blocks.rows(i), ++i) {
    const PanelRows planes = SplitPlanes(args, row, blocks.rows(i), scratch);
    if constexpr (kReadsPlanes) {
      MultiplyPanels<2>(args, planes);
    } else {
      uint8_t* split = scratch + PlaneBytes(planes.count, args.k);
      SplitQuads(planes.a, planes.a_stride, 2 * planes.count, args.k, split);
      MultiplyPanels<2>(args, {split, SplitStride(args.k), row, planes.count});
    }
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/matmul_own.h"
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MatmulFn>> MatmulU16S8Variants() {
  static const auto variants = WithOwnTargets(Runnable<MatmulFn>(LQ_VARIANTS(MatmulU16S8)), {MatmulU16S8OnAmx()});
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
