// The AVX2_VNNI kernels in the encoding of AVX-512. On CPUs with AVX-VNNI the tests of the matrix products run them in
// their own encoding, as one of the variants.
#include <gtest/gtest.h>

#include "kernels/matmul_avx2_vnni_evex.h"
#include "tests/support/matmul_cases.h"

namespace lq::testing {
namespace {

bool CpuHasAvx512Vnni() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

class MatmulAvx2Vnni : public ::testing::TestWithParam<MatmulWeights> {
 protected:
  void SetUp() override {
    variant_.run = GetParam() == MatmulWeights::kS8 ? kernels::MatmulU8S8OnEvex() : kernels::MatmulU8S4OnEvex();
    if (variant_.run == nullptr) GTEST_SKIP() << "the target AVX2 is not compiled";
    if (!CpuHasAvx512Vnni()) GTEST_SKIP() << "no AVX-512 VNNI";
  }

  void Check(const MatmulShape& shape) {
    Random random(6);
    EXPECT_TRUE(MatmulCase(shape, random).Check(variant_));
  }

  kernels::Variant<kernels::MatmulFn> variant_ = {"AVX2_VNNI with EVEX", 0, nullptr};
};

INSTANTIATE_TEST_SUITE_P(Kinds, MatmulAvx2Vnni, ::testing::Values(MatmulWeights::kS8, MatmulWeights::kS4));

TEST_P(MatmulAvx2Vnni, RandomShapes) { CheckRandomShapes({GetParam()}, {&variant_, 1}, 1000, 95); }

TEST_P(MatmulAvx2Vnni, EveryTile) {
  for (size_t m : {1, 2, 3, 4, 5, 6, 7, 13}) {
    for (size_t n : {1, 17, 33, 49, 64, 145}) {
      for (size_t k : {4, 36, 64, 132}) Check({.weights = GetParam(), .m = m, .n = n, .k = k, .block = 4});
    }
  }
}

// 65792 * 255 * 128 < 2^31
TEST_P(MatmulAvx2Vnni, LargestSums) {
  for (size_t m : {1, 2, 5}) Check({GetParam(), m, 65, 65792, 64, 16, MatmulStyle::kExtreme});
}

}  // namespace
}  // namespace lq::testing
