// Weights as Quark's torch stack packs them into safetensors: codes in [out][in] order, whatever the file's order.
#ifndef LANEQUANT_RUNTIME_IO_QUARK_CODES_H_
#define LANEQUANT_RUNTIME_IO_QUARK_CODES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/tensor.h"

namespace lq {

// A format of weights: how the file stores an element, and what its codes stand for.
struct QuarkFormat {
  std::string_view name;   // Quark's dtype
  std::string_view type;   // of the file's tensor
  size_t elements, bytes;  // that many elements in that many bytes
  Grid grid;               // of integers
  // Of floats: bits of exponent and mantissa; the grid then holds value * 2^shift, where it has a bitwidth above 0.
  int exponent_bits = 0, mantissa_bits = 0, shift = 0;

  bool is_float() const { return exponent_bits > 0; }
};

// null: a format without a file to check a reader against.
const QuarkFormat* FindQuarkFormat(std::string_view dtype);

// `rows` rows of `columns` integers, a multiple of the format's elements, as the file has them. `reorders`: 4-bit codes
// lie in the order of AWQ, column 8c + j in nibble (0, 4, 1, 5, 2, 6, 3, 7)[j] of word c.
std::vector<int32_t> UnpackQuark(const QuarkFormat& format, std::span<const std::byte> bytes, bool reorders);

// The value of a code of a float format, without infinities and NaN but those of fp8.
float QuarkFloat(const QuarkFormat& format, int32_t code);

// F32, F16 or BF16 -> float32, exact. Empty for other types.
std::vector<float> WidenQuark(std::string_view type, std::span<const std::byte> bytes);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_QUARK_CODES_H_
