// u16 x LPBQ s4 matrix product, as that of the codes' two bytes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_u16s4.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/matmul_planes-inl.h"
#include "kernels/matmul_s4_panels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU16S4(const MatmulArgs& args) {
  uint8_t* scratch = static_cast<uint8_t*>(args.scratch);
  const Strips blocks(args.m, kPlaneRows);
  for (size_t i = 0, row = 0; i < blocks.count(); row += blocks.rows(i), ++i) {
    const PanelRows planes = SplitPlanes(args, row, blocks.rows(i), scratch);
    s4::MultiplyPanels<2>(args, planes, scratch + PlaneBytes(planes.count, args.k));
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

std::span<const Variant<MatmulFn>> MatmulU16S4Variants() {
  static const auto variants = WithOwnTargets(Runnable<MatmulFn>(LQ_VARIANTS(MatmulU16S4)), {MatmulU16S4OnAmx()});
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
