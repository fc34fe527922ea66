// u8 x s8 matrix product: panels outside, strips of rows inside, so that a panel (64 * k bytes) is read from memory
// once and stays in L2 for all rows.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_u8s8.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/matmul_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU8S8(const MatmulArgs& args) {
#if LQ_NATIVE_DOT || HWY_HAVE_SCALABLE
  MultiplyPanels<1>(args, {args.a, args.a_stride, 0, args.m, args.patches});
#else
  uint8_t* split = static_cast<uint8_t*>(args.scratch);
  for (size_t row = 0; row < args.m; row += kSplitRows) {
    const size_t rows = std::min(kSplitRows, args.m - row);
    SplitQuads(args, row, rows, split);
    MultiplyPanels<1>(args, {split, SplitStride(args.k), row, rows});
  }
#endif
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/matmul_own.h"
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MatmulFn>> MatmulU8S8Variants() {
  static const auto variants =
      WithOwnTargets(Runnable<MatmulFn>(LQ_VARIANTS(MatmulU8S8)), {MatmulU8S8OnAmx(), MatmulU8S8OnAvx2Vnni()});
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
