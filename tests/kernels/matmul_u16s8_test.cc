#include <gtest/gtest.h>

#include "tests/support/matmul_cases.h"

namespace lq::testing {
namespace {

constexpr MatmulKind kKind = {MatmulWeights::kS8, true};

void Check(const MatmulShape& shape) {
  Random random(168);
  const MatmulCase test(shape, random);
  for (const auto& variant : MatmulVariants(kKind)) EXPECT_TRUE(test.Check(variant));
}

TEST(MatmulU16S8, HasVariants) { EXPECT_FALSE(MatmulVariants(kKind).empty()); }

TEST(MatmulU16S8, RandomShapes) { CheckRandomShapes(kKind, 1000, 168); }

// 65793 * 255 * 128 < 2^31: the deepest layer whose sums of bytes fit int32; those of codes are near 2^39.
TEST(MatmulU16S8, LargestSums) {
  for (size_t m : {1, 2, 3, 6, 7}) {
    for (const MatmulStyle style : {MatmulStyle::kExtreme, MatmulStyle::kEnds}) {
      Check({.weights = MatmulWeights::kS8, .m = m, .n = 65, .k = 65793, .style = style, .wide = true});
    }
  }
}

// Around the number of rows that are split at a time, on targets with (256) and without (64) an 8-bit dot.
TEST(MatmulU16S8, ManyRows) {
  for (size_t m : {63, 64, 65, 129, 255, 256, 257, 513}) {
    Check({.weights = MatmulWeights::kS8, .m = m, .n = 81, .k = 37, .wide = true});
  }
}

}  // namespace
}  // namespace lq::testing
