// The AVX2_VNNI variants of the matrix products, in the encoding of CPUs without AVX-512.
#define LQ_VNNI_256 vex

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_avx2_vnni.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/matmul_avx2_vnni-inl.h"

#if LQ_NATIVE_DOT_256
HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU8S8Avx2Vnni(const MatmulArgs& args) { avx2_vnni::MultiplyU8S8(args); }
void MatmulU8S4Avx2Vnni(const MatmulArgs& args) { avx2_vnni::MultiplyU8S4(args); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
#include "kernels/matmul_own.h"

namespace lq::kernels {

MatmulFn MatmulU8S8OnAvx2Vnni() { return HWY_CHOOSE_AVX2(MatmulU8S8Avx2Vnni); }
MatmulFn MatmulU8S4OnAvx2Vnni() { return HWY_CHOOSE_AVX2(MatmulU8S4Avx2Vnni); }

}  // namespace lq::kernels
#endif  // HWY_ONCE
