#include <gtest/gtest.h>

#include "tests/support/matmul_cases.h"

namespace lq::testing {
namespace {

void Check(const MatmulShape& shape) {
  Random random(16);
  const MatmulCase test(shape, random);
  for (const auto& variant : MatmulVariants({shape.weights})) EXPECT_TRUE(test.Check(variant));
}

TEST(MatmulU8S16, HasVariants) { EXPECT_FALSE(MatmulVariants({MatmulWeights::kS16}).empty()); }

TEST(MatmulU8S16, RandomShapes) { CheckRandomShapes({MatmulWeights::kS16}, 1000, 160); }

// Around the number of pairs that 32 bits hold (128 pairs of the largest products), and sums far beyond 2^32.
TEST(MatmulU8S16, LargestSums) {
  for (size_t k : {254, 255, 256, 257, 258, 512, 513, 100000}) {
    Check({.weights = MatmulWeights::kS16, .m = 2, .n = 17, .k = k, .style = MatmulStyle::kExtreme});
  }
}

}  // namespace
}  // namespace lq::testing
