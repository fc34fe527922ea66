#include <gtest/gtest.h>

#include "tests/support/matmul_cases.h"

namespace lq::testing {
namespace {

void Check(const MatmulShape& shape) {
  Random random(8);
  const MatmulCase test(shape, random);
  for (const auto& variant : MatmulVariants({shape.weights})) EXPECT_TRUE(test.Check(variant));
}

TEST(MatmulU8S8, HasVariants) { EXPECT_FALSE(MatmulVariants({MatmulWeights::kS8}).empty()); }

TEST(MatmulU8S8, RandomShapes) { CheckRandomShapes({MatmulWeights::kS8}, 1000, 80); }

// 65793 * 255 * 128 < 2^31: the deepest layer whose sums fit int32.
TEST(MatmulU8S8, LargestSums) {
  for (size_t m : {1, 2, 3, 6, 7}) {
    Check({.weights = MatmulWeights::kS8, .m = m, .n = 65, .k = 65793, .style = MatmulStyle::kExtreme});
  }
}

// More rows than one copy of split rows holds.
TEST(MatmulU8S8, ManyRows) {
  for (size_t m : {127, 128, 129, 257}) Check({.weights = MatmulWeights::kS8, .m = m, .n = 81, .k = 37});
}

}  // namespace
}  // namespace lq::testing
