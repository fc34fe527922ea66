#include "kernels/matmul_avx2_vnni_evex.h"

#define LQ_VNNI_256 evex

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_avx2_vnni_evex.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/matmul_avx2_vnni-inl.h"

#if LQ_NATIVE_DOT_256
HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU8S8Evex(const MatmulArgs& args) { avx2_vnni::MultiplyU8S8(args); }
void MatmulU8S4Evex(const MatmulArgs& args) { avx2_vnni::MultiplyU8S4(args); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace lq::kernels {

MatmulFn MatmulU8S8OnEvex() { return HWY_CHOOSE_AVX2(MatmulU8S8Evex); }
MatmulFn MatmulU8S4OnEvex() { return HWY_CHOOSE_AVX2(MatmulU8S4Evex); }

}  // namespace lq::kernels
#endif  // HWY_ONCE
