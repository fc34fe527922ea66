// Random products of floats with blocks of codes, the outputs that the reference expects, and the comparison of a
// kernel variant with them.
#ifndef LANEQUANT_TESTS_SUPPORT_MATMUL_FLOAT_CASE_H_
#define LANEQUANT_TESTS_SUPPORT_MATMUL_FLOAT_CASE_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/contracts_matmul_float.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {

struct MatmulFloatShape {
  size_t m, n, k, block;
  int bits;  // of the codes: 4, 8, or 32: floats
  kernels::FloatType type = kernels::FloatType::kF32;
  bool has_offsets = false;
  bool wild = false;  // among the operands infinities, NaN, subnormal and huge numbers
  kernels::OutputType out = kernels::OutputType::kF32;

  std::string ToString() const;
};

std::span<const kernels::Variant<kernels::MatmulFloatFn>> MatmulFloatVariants(int bits);

class MatmulFloatCase {
 public:
  MatmulFloatCase(const MatmulFloatShape& shape, Random& random);

  // The variant on buffers that end at guard pages, channels in two calls; compares every byte, but any NaN equals any
  // NaN.
  ::testing::AssertionResult Check(const kernels::Variant<kernels::MatmulFloatFn>& variant) const;

 private:
  void MakeRows(Random& random);
  void MakeWeights(Random& random);
  void MakeEpilogue(Random& random);
  void Expect();
  double Expected(size_t row, size_t channel) const;

  MatmulFloatShape shape_;
  size_t a_stride_, out_stride_, cut_;
  std::vector<float> a_values_;  // [m][k]
  std::unique_ptr<GuardedBuffer<std::byte>> a_, packed_, scratch_;
  std::vector<float> q_, scale_, offset_;
  std::unique_ptr<GuardedBuffer<double>> one_, bias_, real_mul_, real_add_;
  kernels::Epilogue epilogue_{};
  std::vector<std::byte> expected_;
};

// `cases` random shapes (times LQ_SOAK), all variants.
void CheckRandomFloatShapes(int bits, size_t cases, uint64_t stream);

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_MATMUL_FLOAT_CASE_H_
