// The AVX2_VNNI kernels with the instruction as AVX-512 VNNI encodes it, which CPUs without AVX-VNNI run. For tests: no
// part of the library.
#ifndef LANEQUANT_KERNELS_MATMUL_AVX2_VNNI_EVEX_H_
#define LANEQUANT_KERNELS_MATMUL_AVX2_VNNI_EVEX_H_

#include "kernels/contracts.h"

namespace lq::kernels {

// Null where the target AVX2 is not compiled. The CPU needs AVX-512 VNNI and VL.
MatmulFn MatmulU8S8OnEvex();
MatmulFn MatmulU8S4OnEvex();

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_MATMUL_AVX2_VNNI_EVEX_H_
