// Contracts of the bulk quantizers whose codes are small floating-point numbers, and of block formats.
// kernels/contracts.h says what all kernels promise; kernels/reference/float_formats.h and block_formats.h say in
// scalar C++ what these compute.
#ifndef LANEQUANT_KERNELS_CONTRACTS_FLOAT_H_
#define LANEQUANT_KERNELS_CONTRACTS_FLOAT_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/contracts_quantize.h"
#include "lanequant/block_quantize.h"

namespace lq::kernels {

// The numbers of a format: rounding to it takes x to the nearest multiple of 2^(max(e, min_exponent) - mantissa_bits),
// 2^e <= |x| < 2^(e+1), ties to even.
struct FloatGrid {
  int mantissa_bits;  // 1..10
  int min_exponent;   // of the smallest normal value
  float limit;        // x is clamped to +-limit first; below 2^100 (bfloat16: any)
  float largest;      // what rounds beyond it becomes +-overflow; infinite: nothing
  float overflow;
  bool unsigned_zero;  // -0 becomes 0
  bool is_bfloat16;    // mantissa_bits and min_exponent are then not used
  // Null, or for each biased exponent what is added to the bits of |x| before e is read off them: AIMET's rounded
  // logarithm takes values just below a power of two for it.
  const uint32_t* carry;
};

// y = R(C(R(x / s)) * s); C: rounding to the grid, R: to `arithmetic` (kF16 and kBF16 go with `in` of that type only).
// NaN stays NaN. layout.offset is null. out_type: in_type or kF32. in == out is allowed where the types are the same.
struct QuantizeDequantizeFloatArgs {
  const void* in;
  FloatType in_type;
  size_t n;
  AffineLayout layout;
  FloatGrid grid;
  Arithmetic arithmetic;
  void* out;
  FloatType out_type;
  bool stream;  // as QuantizeAffineArgs::stream
};
using QuantizeDequantizeFloatFn = void (*)(const QuantizeDequantizeFloatArgs&);
std::span<const Variant<QuantizeDequantizeFloatFn>> QuantizeDequantizeFloatVariants();

// How 4- to 8-bit codes hold the numbers of a grid: sign, exponent with this bias, mantissa. A magnitude of at least
// `special` (all bits but the sign) is none: infinity if it is `special` and has_infinity, else NaN.
struct FloatCode {
  int exponent_bits, bias;
  uint8_t special;  // 0x80 or above: there are none
  bool has_infinity;
  uint8_t nan;  // what NaN and an `overflow` of NaN are written as, with the sign of x unless unsigned_zero
};

// code of C(R(x / s)); `zero_point`: 0 is added before C, so that -0 becomes 0.
// packed: two 4-bit codes a byte, the first in the low half, the last byte's rest 0; else one code a byte.
struct QuantizeFloatArgs {
  const void* in;
  FloatType in_type;
  size_t n;
  AffineLayout layout;
  FloatGrid grid;
  FloatCode code;
  Arithmetic arithmetic;
  bool zero_point;
  bool packed;
  uint8_t* out;
  bool stream = false;
};
using QuantizeFloatFn = void (*)(const QuantizeFloatArgs&);
std::span<const Variant<QuantizeFloatFn>> QuantizeFloatVariants();

// value(code) * s in binary32, rounded to out_type.
struct DequantizeFloatArgs {
  const uint8_t* in;
  bool packed;
  size_t n;
  AffineLayout layout;
  int mantissa_bits;
  bool unsigned_zero;
  FloatCode code;
  void* out;
  FloatType out_type;
  bool stream;
};
using DequantizeFloatFn = void (*)(const DequantizeFloatArgs&);
std::span<const Variant<DequantizeFloatFn>> DequantizeFloatVariants();

// What a BlockFormat asks for, in numbers. The step exponent g of a block follows from its largest finite magnitude a:
//   E = biased exponent of a, by `exponent`;  g = clamp(E - 127 - to_step, step_min, step_max);  g < step_tiny: g = -23
// then t = x * 2^-g is rounded to mantissa_bits as FloatGrid says, clamped to lowest..highest and multiplied by 2^g.
struct BlockRule {
  BlockExponent exponent;
  uint32_t even_half;          // kEven: added to the bits of a
  const uint32_t* log2_carry;  // kFloorLog2, kCeilLog2: 280 thresholds, first those of the subnormal exponents: where
                               // the mantissa of a reaches its exponent's threshold, E is one more
  uint32_t carry_from, carry_to;  // the least and the most of these
  int to_step;                    // exponent of the element's largest value; integers: integer_bits - 1
  int step_min, step_max, step_tiny;
  int mantissa_bits, min_exponent;  // of elements; whole numbers: both 14
  float lowest, highest;
  float carry;  // double_on_carry: g is one more where an element rounds to it; else infinite
  TieRounding ties;
  NonFinite non_finite;
  size_t sub_block;             // a power of two; 1: none
  int max_shift;                // g of a sub-block is less by min(E - its own E, max_shift)
  uint32_t zero_below;          // elements whose bits of |x| are less become 0
  uint32_t sign_from, sign_to;  // a result of 0 has the sign of x where the bits of |x| are in this range
  bool to_bfloat16;             // x is rounded to bfloat16 first, by its bits
};

// Element (o, i, c) lies at o * outer_stride + i * stride + c. Blocks run along i from 0. in == out is allowed.
struct QuantizeDequantizeBlocksArgs {
  const void* in;
  void* out;
  FloatType type;
  size_t outer, outer_stride;
  size_t length, stride;
  size_t width;  // of c; at most `stride`
  size_t block;
  BlockRule rule;
  bool stream;
};
using QuantizeDequantizeBlocksFn = void (*)(const QuantizeDequantizeBlocksArgs&);
std::span<const Variant<QuantizeDequantizeBlocksFn>> QuantizeDequantizeBlocksVariants();

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_CONTRACTS_FLOAT_H_
