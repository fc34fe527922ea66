// The arithmetics of the bulk quantizers: a name that kernels and references share.
#ifndef LANEQUANT_KERNELS_ARITHMETIC_H_
#define LANEQUANT_KERNELS_ARITHMETIC_H_

namespace lq::kernels {

// What the result of every operation is rounded to; kF16 and kBF16 go with tensors of that type only. kF64 is for
// grids of 22 bits and more. aimet_fakequant and aimet_onnx compute in binary32 whatever stands here.
enum class Arithmetic { kF32, kF16, kBF16, kF64 };

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_ARITHMETIC_H_
