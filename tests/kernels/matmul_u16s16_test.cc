#include <gtest/gtest.h>

#include "tests/support/matmul_cases.h"

namespace lq::testing {
namespace {

constexpr MatmulKind kKind = {MatmulWeights::kS16, true};

void Check(const MatmulShape& shape) {
  Random random(1616);
  const MatmulCase test(shape, random);
  for (const auto& variant : MatmulVariants(kKind)) EXPECT_TRUE(test.Check(variant));
}

TEST(MatmulU16S16, HasVariants) { EXPECT_FALSE(MatmulVariants(kKind).empty()); }

TEST(MatmulU16S16, RandomShapes) { CheckRandomShapes(kKind, 1000, 1616); }

// Around the number of pairs that 32 bits hold (128 pairs of the largest products), and sums far beyond 2^32.
TEST(MatmulU16S16, LargestSums) {
  for (size_t k : {254, 255, 256, 257, 258, 512, 513, 100000}) {
    Check({.weights = MatmulWeights::kS16, .m = 2, .n = 17, .k = k, .style = MatmulStyle::kExtreme, .wide = true});
  }
}

}  // namespace
}  // namespace lq::testing
