// u8 x LPBQ s4 matrix product: weights stay 4-bit in memory, the whole reduction over k is integer.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_u8s4.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/matmul_s4_panels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU8S4(const MatmulArgs& args) {
  s4::MultiplyPanels<1>(args, {args.a, args.a_stride, 0, args.m}, static_cast<uint8_t*>(args.scratch));
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/matmul_own.h"
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MatmulFn>> MatmulU8S4Variants() {
  static const auto variants =
      WithOwnTargets(Runnable<MatmulFn>(LQ_VARIANTS(MatmulU8S4)), {MatmulU8S4OnAmx(), MatmulU8S4OnAvx2Vnni()});
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
