// Block formats: blocks of consecutive elements along one axis share a power of two that follows from the block itself.
// Microscaling (OCP MX), block floating point (BFP16) and Microsoft's shared microexponents (MX4, MX6, MX9), each as
// the tools compute it: AMD Quark alone has three different rules for MX.
#ifndef LANEQUANT_BLOCK_QUANTIZE_H_
#define LANEQUANT_BLOCK_QUANTIZE_H_

#include <cstdint>

#include "lanequant/export.h"
#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// The grid of an element before the shared power of two. kInteger: whole numbers of a sign and `integer_bits`.
enum class BlockElement { kE2M1, kE2M3, kE3M2, kE4M3, kE5M2, kInteger };

// E, the exponent of a block, from its largest magnitude a. Floats are divided by 2^(E - exponent of the element's
// largest value), so that a lands in its top binade; integers so that a has `integer_bits` bits before the point.
enum class BlockExponent {
  kFloor,      // floor(log2 a), subnormal a as 2^-127 (Quark's ONNX operators; OCP MX)
  kFloorLog2,  // floor of log2 a rounded to float: a just below a power of two counts as it (Quark torch "floor")
  kCeilLog2,   // ceil of the same (Quark torch "ceil")
  kEven,       // floor(log2 a) after a is rounded, half up, to the element's mantissa bits (Quark torch "even")
};

enum class TieRounding { kAway, kUp, kEven };  // half units: away from zero, towards +infinity, to even

// What an infinity or NaN does: it is passed on, it becomes 0, or its whole block becomes NaN. In the first two cases
// it does not take part in the maximum.
enum class NonFinite { kPass, kZero, kBlockIsNan };

// Which elements give -0 when they round to 0; all others give +0.
enum class NegativeZero { kAllNegative, kZerosOnly, kNormalsOnly, kNone };

// Start from one of the functions below. All fields are used as they stand.
struct BlockFormat {
  BlockElement element = BlockElement::kE2M1;
  int integer_bits = 7;          // kInteger: 1..14
  bool has_lowest = false;       // kInteger: -2^integer_bits is a code too
  int64_t block_size = 32;       // >= 1; the last block along the axis may be shorter
  int64_t sub_block_size = 1;    // a power of two that divides block_size; 1: none
  int sub_block_shift_bits = 0;  // a sub-block's step is finer by up to 2^(2^bits - 1), if it can be: 0..4
  BlockExponent exponent = BlockExponent::kFloor;
  bool double_on_carry = false;  // kInteger: the step is doubled where an element would round to 2^integer_bits
  TieRounding ties = TieRounding::kEven;  // kInteger; floats always round to even
  NonFinite non_finite = NonFinite::kPass;
  NegativeZero negative_zero = NegativeZero::kAllNegative;
  bool zero_subnormals = false;  // subnormal elements become 0
  bool rounds_to_bfloat16_first = false;
  bool passes_single_element = false;  // a tensor of one element is returned as it is
};

// OCP MX as operator MXQuantizeDequantize of com.amd.quark has it: integers -128..127 in 64ths. `ties` is used by
// integers only.
LQ_EXPORT BlockFormat OnnxMx(BlockElement element, TieRounding ties);
// MX as Quark's torch quantizer has it: integers -127..127 in 64ths.
LQ_EXPORT BlockFormat TorchMx(BlockElement element, BlockExponent exponent);

// Operator BFPQuantizeDequantize of com.amd.quark, method to_bfp: bit_width - 9 bits of magnitude (BFP16: 16).
LQ_EXPORT BlockFormat OnnxBfp(int bit_width, TieRounding ties);
// The same with use_compiler_version_cpu_kernel = 1, bit_width 16.
LQ_EXPORT BlockFormat OnnxCompilerBfp(TieRounding ties);
// The same operator, method to_bfp_prime, blocks of 16 in pairs: MX4, MX6, MX9 are bit_width 11, 13, 16.
LQ_EXPORT BlockFormat OnnxBfpPrime(int bit_width, TieRounding ties);

// Quark's torch quantizers bfp16 and mx6, mx9 (bit_width 5, 8; block size from the caller).
LQ_EXPORT BlockFormat TorchBfp16();
LQ_EXPORT BlockFormat TorchMxPairs(int bit_width, int64_t block_size);

// out = in on the grid of its block. Blocks run along `axis` (negative: from the last) and start at index 0.
// in, out: f32, f16 or bf16, the same type and shape; computed in f32, rounded once. They may be the same memory.
// Errors: shapes, types, axis, fields of the format outside the ranges above.
LQ_EXPORT Status QuantizeDequantizeBlocks(const ConstTensorView& in, const BlockFormat& format, int64_t axis,
                                          const TensorView& out, const BulkOptions& options = {});

// Codes and the blocks' powers of two apart, as files have them (OCP MX; Quark's MXFP4 and MXFP6):
//   value = code * 2^(scale - 127), of integers code * 2^(scale - 127 - (integer_bits - 1)): MXINT8 counts 64ths
// The value is that of QuantizeDequantizeBlocks, with these exceptions: a block with an infinity or NaN has the scale
// 255 and reads as NaN (its codes are those under the scale 1); powers beyond 2^-127 and 2^127 become these (kFloor:
// blocks below 2^-125 in e2m1); integers have no -0; a tensor of one element is quantized too.
//
// codes: floats u8, one each (in the low bits), sign, exponent, mantissa from the highest bit down, or packed: e2m1 u4,
// e2m3 and e3m2 u6 (four in three bytes, as in Quark's MXFP6 files); integers s8 or s16. scales: u8 (E8M0), the shape
// of `in` but one for each block along `axis`.
// Errors, beside those above: a dimension that blocks do not divide; formats with sub-blocks (MX4, MX6, MX9: Quark's
// exporter refuses them, no file has their codes), ties other than to even, zero_subnormals, rounds_to_bfloat16_first,
// or, of floats, another negative_zero than kAllNegative and kNone.
LQ_EXPORT Status QuantizeBlocks(const ConstTensorView& in, const BlockFormat& format, int64_t axis,
                                const TensorView& codes, const TensorView& scales, const BulkOptions& options = {});

// The way back. Of `format` only element, integer_bits and block_size count. out: f32, f16 or bf16, rounded once.
LQ_EXPORT Status DequantizeBlocks(const ConstTensorView& codes, const ConstTensorView& scales,
                                  const BlockFormat& format, int64_t axis, const TensorView& out,
                                  const BulkOptions& options = {});

}  // namespace lq

#endif  // LANEQUANT_BLOCK_QUANTIZE_H_
