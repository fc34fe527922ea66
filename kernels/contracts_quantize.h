// Contracts of the bulk quantizers. kernels/contracts.h says what all kernels promise; kernels/reference/affine.h
// says in scalar C++ what these compute.
#ifndef LANEQUANT_KERNELS_CONTRACTS_QUANTIZE_H_
#define LANEQUANT_KERNELS_CONTRACTS_QUANTIZE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/arithmetic.h"
#include "kernels/variant.h"
#include "lanequant/encoding.h"

namespace lq::kernels {

enum class FloatType { kF32, kF16, kBF16 };

// 4- and 2-bit codes are packed, the first in the low bits of byte 0. A kernel that writes them fills the bits behind
// the last one with zeros.
enum class CodeType { kU8, kS8, kU16, kS16, kS32, kU4, kS4, kU2, kS2 };

// Element i uses scale[(i / run) % count] and the offset of the same index: per tensor run = n, count = 1; per channel
// along an axis run = product of the dimensions after it; per block along the last axis run = block size.
// Scales and offsets are values of the arithmetic's type.
struct AffineLayout {
  const float* scale;
  const int32_t* offset;
  size_t count, run;
};

// float -> codes. With R = rounding to the arithmetic's type, s and o of the element:
//   aimet_div, onnx  q = clamp(R(rint(R(R(R(x) / s) - shift)) - o), qmin, qmax)
//   aimet_fakequant  q = clamp(R(rint(R(x * R(1 / s))) - o), qmin, qmax)
//   aimet_onnx       u = R(o + qmin + shift), v = clamp(x, R(s * u), R(s * R(u + (qmax - qmin))))
//                    q = clamp(half_up(R(R(v / s) - u)) + qmin, qmin, qmax)
// NaN -> qmin, infinities saturate. Codes fit `type`. shift is 0 or 1/2, under onnx and aimet_fakequant 0. Scales may
// be any floats; positive ones, of 2^-60..2^60, are fast.
struct QuantizeAffineArgs {
  const void* in;
  FloatType in_type = FloatType::kF32;
  size_t n;
  AffineLayout layout;
  float shift = 0;
  int64_t qmin, qmax;
  RoundingProfile profile;
  Arithmetic arithmetic = Arithmetic::kF32;
  CodeType type;
  void* out;
  bool stream = false;  // `out` is not read soon and no cache holds it: stores go around the caches
  bool far = false;     // no cache holds `in` and what is read after it: it is fetched ahead
};
using QuantizeAffineFn = void (*)(const QuantizeAffineArgs&);
std::span<const Variant<QuantizeAffineFn>> QuantizeAffineVariants();

// codes -> float: R(R(R(q) + R(o + shift)) * s), rounded once more to out_type (from kF64 by way of float).
struct DequantizeAffineArgs {
  const void* in;
  CodeType type;
  size_t n;
  AffineLayout layout;
  float shift = 0;
  Arithmetic arithmetic = Arithmetic::kF32;
  void* out;
  FloatType out_type = FloatType::kF32;
  bool stream = false;
};
using DequantizeAffineFn = void (*)(const DequantizeAffineArgs&);
std::span<const Variant<DequantizeAffineFn>> DequantizeAffineVariants();

// The two of these in one pass, for any grid of up to 32 bits. Not always their composition: NaN stays NaN under
// aimet_div; aimet_fakequant clamps to R(qmin) and R(qmax); onnx computes the value in binary32. in == out is allowed.
struct QuantizeDequantizeAffineArgs {
  const void* in;
  void* out;
  FloatType type = FloatType::kF32;
  size_t n;
  AffineLayout layout;
  float shift = 0;
  int64_t qmin, qmax;
  RoundingProfile profile;
  Arithmetic arithmetic = Arithmetic::kF32;
  bool stream = false;
};
using QuantizeDequantizeAffineFn = void (*)(const QuantizeDequantizeAffineArgs&);
std::span<const Variant<QuantizeDequantizeAffineFn>> QuantizeDequantizeAffineVariants();

// float -> signed symmetric codes, with a scale for each block of elements found from them:
//   s = fl32(min(largest |x|, FLT_MAX) / qmax), 1 where that is 0; q = clamp(rint(fl32(x / s)), -qmax, qmax)
// with qmax 127 for kS8, 7 for kS4. NaN does not count for the scale; its code is -qmax.
struct QuantizeDynamicArgs {
  const float* in;
  size_t n, block;  // 32 or 64; the last block may be short
  CodeType type;
  float* scale;  // (n + block - 1) / block
  void* out;
  bool stream = false;
};
using QuantizeDynamicFn = void (*)(const QuantizeDynamicArgs&);
std::span<const Variant<QuantizeDynamicFn>> QuantizeDynamicVariants();

// Packed 4-bit codes (two's complement, element 2j in the low nibble of byte j) times the integer scale of their block
// -> s8. Element i uses scale[i / block]; every product must fit s8 (scale <= 16 always does).
struct LpbqExpandArgs {
  const uint8_t* in;     // (n + 1) / 2 bytes
  const uint8_t* scale;  // (n + block - 1) / block
  size_t n, block;
  int8_t* out;
  bool stream = false;
};
using LpbqExpandFn = void (*)(const LpbqExpandArgs&);
std::span<const Variant<LpbqExpandFn>> LpbqExpandVariants();

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_CONTRACTS_QUANTIZE_H_
