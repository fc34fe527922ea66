#include "tests/support/tensor_codec.h"

#include <cstring>

#include "kernels/reference/small_floats.h"

namespace lq::testing {
namespace {

// Bits begin..begin + count of a little-endian bit string.
uint64_t ReadBits(std::span<const std::byte> bytes, size_t begin, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t bit = begin + i;
    value |= static_cast<uint64_t>(std::to_integer<uint64_t>(bytes[bit / 8]) >> bit % 8 & 1) << i;
  }
  return value;
}

void WriteBits(std::vector<std::byte>& bytes, size_t begin, size_t count, uint64_t value) {
  for (size_t i = 0; i < count; ++i) {
    const size_t bit = begin + i;
    if ((value >> i & 1) != 0) bytes[bit / 8] |= std::byte{1} << bit % 8;
  }
}

bool IsSignedCode(DType dtype) {
  return dtype == DType::kS2 || dtype == DType::kS4 || dtype == DType::kS8 || dtype == DType::kS16 ||
         dtype == DType::kS32;
}

}  // namespace

int64_t LowestCode(DType dtype) { return IsSignedCode(dtype) ? -(int64_t{1} << (BitsOf(dtype) - 1)) : 0; }
int64_t HighestCode(DType dtype) { return LowestCode(dtype) + (int64_t{1} << BitsOf(dtype)) - 1; }

float RoundToType(DType dtype, float value) {
  if (dtype == DType::kF16) return reference::RoundToF16(value);
  if (dtype == DType::kBF16) return reference::RoundToBF16(value);
  return value;
}

std::vector<std::byte> EncodeFloats(DType dtype, std::span<const float> values) {
  std::vector<std::byte> bytes(values.size() * SizeOf(dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF32) {
      std::memcpy(&bytes[4 * i], &values[i], 4);
    } else {
      const uint16_t bits = dtype == DType::kF16 ? reference::F16Bits(values[i]) : reference::BF16Bits(values[i]);
      std::memcpy(&bytes[2 * i], &bits, 2);
    }
  }
  return bytes;
}

std::vector<float> DecodeFloats(DType dtype, std::span<const std::byte> bytes, size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) {
    if (dtype == DType::kF32) {
      std::memcpy(&values[i], &bytes[4 * i], 4);
    } else {
      uint16_t bits;
      std::memcpy(&bits, &bytes[2 * i], 2);
      values[i] = dtype == DType::kF16 ? reference::FloatOfF16(bits) : reference::FloatOfBF16(bits);
    }
  }
  return values;
}

std::vector<std::byte> EncodeCodes(DType dtype, std::span<const int64_t> codes) {
  const size_t bits = BitsOf(dtype);
  std::vector<std::byte> bytes(BytesOf(dtype, static_cast<int64_t>(codes.size())));
  for (size_t i = 0; i < codes.size(); ++i) WriteBits(bytes, i * bits, bits, static_cast<uint64_t>(codes[i]));
  return bytes;
}

std::vector<int64_t> DecodeCodes(DType dtype, std::span<const std::byte> bytes, size_t n) {
  const size_t bits = BitsOf(dtype);
  std::vector<int64_t> codes(n);
  for (size_t i = 0; i < n; ++i) {
    codes[i] = static_cast<int64_t>(ReadBits(bytes, i * bits, bits));
    if (codes[i] > HighestCode(dtype)) codes[i] -= int64_t{1} << bits;
  }
  return codes;
}

}  // namespace lq::testing
