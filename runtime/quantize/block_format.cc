// The block formats of the tools (AMD Quark 0.13), as numbers.
#include "lanequant/block_quantize.h"

namespace lq {

namespace {

// The rounding to even of the custom operators' CPU code loses the sign of what becomes 0, the other two keep it.
NegativeZero OnnxNegativeZero(TieRounding ties) {
  return ties == TieRounding::kEven ? NegativeZero::kZerosOnly : NegativeZero::kAllNegative;
}

}  // namespace

BlockFormat OnnxMx(BlockElement element, TieRounding ties) {
  BlockFormat format;
  format.element = element;
  format.has_lowest = true;
  format.ties = ties;
  format.negative_zero = element == BlockElement::kInteger ? OnnxNegativeZero(ties) : NegativeZero::kNone;
  format.passes_single_element = true;
  return format;
}

BlockFormat TorchMx(BlockElement element, BlockExponent exponent) {
  BlockFormat format;
  format.element = element;
  format.exponent = exponent;
  format.non_finite = NonFinite::kBlockIsNan;
  const bool float8 = element == BlockElement::kE4M3 || element == BlockElement::kE5M2;
  format.negative_zero = float8 ? NegativeZero::kAllNegative : NegativeZero::kNone;
  return format;
}

BlockFormat OnnxBfp(int bit_width, TieRounding ties) {
  BlockFormat format;
  format.element = BlockElement::kInteger;
  format.integer_bits = bit_width - 9;  // a sign and an exponent of 8 bits
  format.block_size = 8;
  format.ties = ties;
  format.negative_zero = OnnxNegativeZero(ties);
  return format;
}

BlockFormat OnnxCompilerBfp(TieRounding ties) {
  BlockFormat format = OnnxBfp(16, ties);
  format.has_lowest = true;
  format.double_on_carry = true;
  return format;
}

BlockFormat OnnxBfpPrime(int bit_width, TieRounding ties) {
  BlockFormat format = OnnxBfp(bit_width, ties);
  format.block_size = 16;
  format.sub_block_size = 2;
  format.sub_block_shift_bits = 1;
  format.non_finite = NonFinite::kBlockIsNan;
  format.negative_zero = NegativeZero::kAllNegative;
  format.zero_subnormals = true;
  return format;
}

BlockFormat TorchBfp16() {
  BlockFormat format = OnnxCompilerBfp(TieRounding::kEven);
  format.exponent = BlockExponent::kFloorLog2;
  format.non_finite = NonFinite::kZero;
  format.negative_zero = NegativeZero::kNone;
  return format;
}

BlockFormat TorchMxPairs(int bit_width, int64_t block_size) {
  BlockFormat format = OnnxBfpPrime(bit_width + 8, TieRounding::kEven);  // one bit of them is the sign
  format.block_size = block_size;
  format.non_finite = NonFinite::kPass;
  format.negative_zero = NegativeZero::kNormalsOnly;
  return format;
}

}  // namespace lq
