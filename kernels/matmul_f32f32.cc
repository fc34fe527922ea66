// f32 x f32 matrix product: the floats in the place of codes, blocks of scale 1.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_f32f32.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/matmul_float-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulF32F32(const MatmulFloatArgs& args) { matmul_float::MultiplyPanels<matmul_float::F32Codes>(args); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MatmulFloatFn>> MatmulF32F32Variants() {
  static const std::vector<Variant<MatmulFloatFn>> variants = Runnable<MatmulFloatFn>(LQ_VARIANTS(MatmulF32F32));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
