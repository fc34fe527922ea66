// f32 x s8 matrix product with float scales for blocks along k.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_f32s8.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/matmul_float-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulF32S8(const MatmulFloatArgs& args) { matmul_float::MultiplyPanels<matmul_float::S8Codes>(args); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MatmulFloatFn>> MatmulF32S8Variants() {
  static const std::vector<Variant<MatmulFloatFn>> variants = Runnable<MatmulFloatFn>(LQ_VARIANTS(MatmulF32S8));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
