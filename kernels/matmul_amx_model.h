// The AMX kernels over AmxModel instead of the instructions, each with the vector code of every target. For tests: no
// part of the library.
#ifndef LANEQUANT_KERNELS_MATMUL_AMX_MODEL_H_
#define LANEQUANT_KERNELS_MATMUL_AMX_MODEL_H_

#include <span>

#include "kernels/contracts.h"

namespace lq::kernels {

// Named after the targets. Rows are never too few for them.
std::span<const Variant<MatmulFn>> MatmulU8S8AmxModels();
std::span<const Variant<MatmulFn>> MatmulU8S4AmxModels();
std::span<const Variant<MatmulFn>> MatmulU16S8AmxModels();
std::span<const Variant<MatmulFn>> MatmulU16S4AmxModels();

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_MATMUL_AMX_MODEL_H_
