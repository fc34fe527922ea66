// Contracts of the matrix products of floats with integer codes whose scales vary along k: AIMET's blockwise
// quantization with float activations, ONNX DequantizeLinear with blocks before a MatMul, MatMulNBits. And with floats
// in the place of codes, where weights have no encoding: short blocks of scale 1 keep the rounding errors small.
// kernels/contracts.h says what all kernels promise; kernels/reference/matmul_float.h says in scalar C++ what these
// compute.
#ifndef LANEQUANT_KERNELS_CONTRACTS_MATMUL_FLOAT_H_
#define LANEQUANT_KERNELS_CONTRACTS_MATMUL_FLOAT_H_

#include <cstddef>
#include <span>

#include "kernels/contracts.h"
#include "kernels/contracts_quantize.h"
#include "kernels/variant.h"

namespace lq::kernels {

// out[m][n_begin..n_end) = epilogue(double(total)), where total is summed up in binary32 in one order, whatever the
// target, the tile, the number of rows and the cut into tasks. fma: one rounding.
//   total = 0; for each block of `block` k, ascending (the last may be short):
//     dot = 0;   for each k of the block, ascending:  dot = fma(a[k], code[k], dot)
//     dot = fma(sum of a over the block (from 0, ascending), offset, dot)   where the weights have offsets
//     total = fma(dot, scale, total)
// A lane is an output channel: one chain per channel costs no speed, and a block's scale one operation. To first order
// |total - exact sum| <= (block + k / block + 2) * 2^-24 * (sum of |a| * (|code| + |offset|) * |scale|), so shorter
// blocks than k are also more exact. Any k; what leaves binary32 becomes infinite or subnormal as floats do.
//
// Fused although not every target has it: multiplying and adding apart would give AVX2 and AVX-512 of Intel and Arm
// half of their peak; SSE4 and below emulate the fused operation exactly, by binary64 rounded to odd, and are slow.
struct MatmulFloatArgs {
  const void* a;  // m rows of k floats; nothing beyond k is read
  FloatType a_type = FloatType::kF32;
  size_t a_stride;  // elements
  size_t m, n, k;
  const void* w;  // packing_blocks.h; n_begin is a multiple of 64, n_end a multiple of 64 or n
  size_t block;
  bool has_offsets;
  size_t n_begin, n_end;
  const Epilogue* epilogue;  // no start; kU8 and kU16 take real_mul and real_add
  OutputType out_type;
  void* out;          // row 0, channel 0
  size_t out_stride;  // elements
  void* scratch;      // MatmulFloatScratchBytes(), 64-byte aligned
};
using MatmulFloatFn = void (*)(const MatmulFloatArgs&);
// 4-bit and 8-bit codes, floats.
std::span<const Variant<MatmulFloatFn>> MatmulF32S4Variants();
std::span<const Variant<MatmulFloatFn>> MatmulF32S8Variants();
std::span<const Variant<MatmulFloatFn>> MatmulF32F32Variants();

// Scratch that any call of up to m rows needs, in bytes.
size_t MatmulFloatScratchBytes(size_t m, size_t k, size_t block);

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_CONTRACTS_MATMUL_FLOAT_H_
