// Variants of the matrix products for units that Highway has no target for (own_targets.h).
#ifndef LANEQUANT_KERNELS_MATMUL_OWN_H_
#define LANEQUANT_KERNELS_MATMUL_OWN_H_

#include <vector>

#include "kernels/contracts.h"

namespace lq::kernels {

// Null where they were not compiled. matmul_amx.cc:
MatmulFn MatmulU8S8OnAmx();
MatmulFn MatmulU8S4OnAmx();
MatmulFn MatmulU16S8OnAmx();
MatmulFn MatmulU16S4OnAmx();
// matmul_avx2_vnni.cc:
MatmulFn MatmulU8S8OnAvx2Vnni();
MatmulFn MatmulU8S4OnAvx2Vnni();

struct OwnVariants {
  MatmulFn amx = nullptr, avx2_vnni = nullptr;
};
// Highway's variants and those of `own` that this CPU runs, best first.
std::vector<Variant<MatmulFn>> WithOwnTargets(std::vector<Variant<MatmulFn>> highway, const OwnVariants& own);

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_MATMUL_OWN_H_
