#include "runtime/io/quark_codes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/half.h"

namespace lq {
namespace {

constexpr Grid kNone{0, true};

constexpr QuarkFormat kFormats[] = {
    {"int2", "I32", 1, 4, {2, true}},
    {"int3", "U8", 8, 3, {3, true}},
    {"int4", "I32", 8, 4, {4, true}},
    {"uint4", "I32", 8, 4, {4, false}},
    {"int8", "I8", 1, 1, {8, true}},
    {"uint8", "U8", 1, 1, {8, false}},
    // Largest values 6, 7.5 and 28: 12 and 60 on the grids of halves and eighths, 448 sixteenths of the last.
    {"fp4", "U8", 2, 1, {5, true}, 2, 1, 1},
    {"fp6_e2m3", "U8", 4, 3, {7, true}, 2, 3, 3},
    {"fp6_e3m2", "U8", 4, 3, kNone, 3, 2},
    {"fp8_e4m3", "F8_E4M3", 1, 1, kNone, 4, 3},
    {"fp8_e5m2", "F8_E5M2", 1, 1, kNone, 5, 2},
    {"bfloat16", "", 1, 4, kNone, 8, 7},
    {"float16", "", 1, 4, kNone, 5, 10},
};

// Field `index` of `bits` bits, low bits first, sign extended where the grid is signed.
int32_t Field(std::span<const std::byte> bytes, size_t index, size_t bits) {
  const size_t bit = index * bits, at = bit / 8;
  uint32_t word = std::to_integer<uint32_t>(bytes[at]);
  if (at + 1 < bytes.size()) word |= std::to_integer<uint32_t>(bytes[at + 1]) << 8;
  return static_cast<int32_t>(word >> (bit % 8) & ((1u << bits) - 1));
}

int32_t SignExtended(int32_t code, const Grid& grid) {
  return grid.is_signed && code > grid.qmax() ? code - (1 << grid.bitwidth) : code;
}

}  // namespace

const QuarkFormat* FindQuarkFormat(std::string_view dtype) {
  const auto* found =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const auto& f) { return f.name == dtype; });
  return found == std::end(kFormats) ? nullptr : found;
}

std::vector<int32_t> UnpackQuark(const QuarkFormat& format, std::span<const std::byte> bytes, bool reorders) {
  constexpr std::array<size_t, 8> kNibble = {0, 4, 1, 5, 2, 6, 3, 7};
  const size_t count = bytes.size() / format.bytes * format.elements;
  std::vector<int32_t> codes(count);
  if (format.name == "int2") {  // one 32-bit integer each
    if (count > 0) std::memcpy(codes.data(), bytes.data(), count * sizeof(int32_t));
    return codes;
  }
  const size_t bits = format.bytes * 8 / format.elements;
  const bool in_words = format.type == "I32" && reorders;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = in_words ? i / 8 * 8 + kNibble[i % 8] : i;
    const int32_t code = Field(bytes, at, bits);
    codes[i] = format.is_float() ? code : SignExtended(code, format.grid);
  }
  return codes;
}

float QuarkFloat(const QuarkFormat& format, int32_t code) {
  const int exponent_bits = format.exponent_bits, mantissa_bits = format.mantissa_bits;
  const int mantissa = code & ((1 << mantissa_bits) - 1);
  const int exponent = code >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int top = (1 << exponent_bits) - 1, bias = top / 2;
  const bool is_e5m2 = format.name == "fp8_e5m2", is_e4m3 = format.name == "fp8_e4m3";
  float value = std::ldexp(static_cast<float>(exponent > 0 ? (1 << mantissa_bits) + mantissa : mantissa),
                           std::max(exponent, 1) - bias - mantissa_bits);
  if (is_e5m2 && exponent == top && mantissa == 0) value = std::numeric_limits<float>::infinity();
  if (exponent == top && ((is_e5m2 && mantissa != 0) || (is_e4m3 && mantissa == 7))) {
    value = std::numeric_limits<float>::quiet_NaN();
  }
  return (code >> (exponent_bits + mantissa_bits) & 1) != 0 ? -value : value;
}

std::vector<float> WidenQuark(std::string_view type, std::span<const std::byte> bytes) {
  const size_t width = type == "F32" ? 4 : type == "F16" || type == "BF16" ? 2 : 0;
  std::vector<float> out(width == 0 ? 0 : bytes.size() / width);
  if (width == 4 && !out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  if (width != 2) return out;
  for (size_t i = 0; i < out.size(); ++i) {
    uint16_t code = 0;
    std::memcpy(&code, &bytes[2 * i], sizeof(code));
    out[i] = type == "BF16" ? WidenBfloat(code) : WidenHalf(code);
  }
  return out;
}

}  // namespace lq
