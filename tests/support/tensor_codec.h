// Plain vectors <-> the bytes of tensors of any float or code type, one element at a time.
#ifndef LANEQUANT_TESTS_SUPPORT_TENSOR_CODEC_H_
#define LANEQUANT_TESTS_SUPPORT_TENSOR_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lanequant/tensor.h"

namespace lq::testing {

// The smallest or largest code of a type.
int64_t LowestCode(DType dtype);
int64_t HighestCode(DType dtype);

// Of f32, f16 and bf16. Values that a type does not have are rounded.
float RoundToType(DType dtype, float value);
std::vector<std::byte> EncodeFloats(DType dtype, std::span<const float> values);
std::vector<float> DecodeFloats(DType dtype, std::span<const std::byte> bytes, size_t n);

// Of u2 to s32; sub-byte codes are packed as ONNX packs them, spare bits 0.
std::vector<std::byte> EncodeCodes(DType dtype, std::span<const int64_t> codes);
std::vector<int64_t> DecodeCodes(DType dtype, std::span<const std::byte> bytes, size_t n);

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_TENSOR_CODEC_H_
