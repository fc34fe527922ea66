// A weight with its LPBQ layout, compressed and expanded.
#ifndef LANEQUANT_TESTS_SUPPORT_LPBQ_CASE_H_
#define LANEQUANT_TESTS_SUPPORT_LPBQ_CASE_H_

#include <gtest/gtest.h>

#include <vector>

#include "lanequant/lpbq.h"

namespace lq::testing {

struct LpbqCase {
  Shape shape;
  LpbqLayout layout;
  size_t elements = 0, blocks = 0, groups = 0;  // the latter two: of golden cases
  std::vector<float> weight;

  ConstTensorView view() const { return {DType::kF32, shape, std::as_bytes(std::span(weight))}; }
};

// Code `i` of packed or whole bytes.
inline int64_t CodeAt(const std::vector<std::byte>& bytes, DType dtype, size_t i) {
  const size_t bits = BitsOf(dtype), bit = i * bits;
  uint64_t code = 0;
  for (size_t b = 0; b < bits; ++b) {
    code |= uint64_t{(static_cast<uint8_t>(bytes[(bit + b) / 8]) >> (bit + b) % 8 & 1u)} << b;
  }
  return static_cast<int64_t>(code << (64 - bits)) >> (64 - bits);
}

inline std::vector<std::byte> Compressed(const LpbqCase& c, const LpbqScales& scales, RoundingProfile profile,
                                         DType dtype, const BulkOptions& bulk = {}) {
  std::vector<std::byte> bytes(BytesOf(dtype, static_cast<int64_t>(c.elements)));
  const Status status = LpbqCompress(c.view(), scales, profile, {dtype, c.shape, bytes}, bulk);
  EXPECT_TRUE(status.ok()) << status.message();
  return bytes;
}

inline std::vector<float> Expanded(const LpbqCase& c, const LpbqScales& scales, DType dtype,
                                   const std::vector<std::byte>& bytes) {
  std::vector<float> out(c.elements);
  const Status status =
      LpbqExpand({dtype, c.shape, bytes}, scales, {DType::kF32, c.shape, std::as_writable_bytes(std::span(out))});
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

inline std::vector<int8_t> ExpandedToS8(const LpbqCase& c, const LpbqScales& scales, DType dtype,
                                        const std::vector<std::byte>& bytes, const BulkOptions& bulk = {}) {
  std::vector<int8_t> out(c.elements);
  const Status status =
      LpbqExpand({dtype, c.shape, bytes}, scales, {DType::kS8, c.shape, std::as_writable_bytes(std::span(out))}, bulk);
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_LPBQ_CASE_H_
