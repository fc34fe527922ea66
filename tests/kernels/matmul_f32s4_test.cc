#include <gtest/gtest.h>

#include "tests/support/matmul_float_case.h"

namespace lq::testing {
namespace {

void Check(const MatmulFloatShape& shape) {
  Random random(41);
  const MatmulFloatCase test(shape, random);
  for (const auto& variant : MatmulFloatVariants(4)) EXPECT_TRUE(test.Check(variant));
}

TEST(MatmulF32S4, HasVariants) { EXPECT_FALSE(MatmulFloatVariants(4).empty()); }

TEST(MatmulF32S4, RandomShapes) { CheckRandomFloatShapes(4, 1000, 42); }

// Every number of rows of a tile with every width of a panel, blocks that are no whole words and a short last one.
TEST(MatmulF32S4, Tiles) {
  for (size_t m : {1, 2, 3, 4, 5, 6, 7, 13}) {
    for (size_t n : {1, 16, 17, 33, 49, 64, 65, 128}) {
      Check({.m = m, .n = n, .k = 75, .block = 12, .bits = 4, .has_offsets = n % 2 == 1});
      Check({.m = m, .n = n, .k = 64, .block = 32, .bits = 4});
    }
  }
}

// One block over all of k, and sums far longer than any layer's.
TEST(MatmulF32S4, LongSums) {
  for (size_t m : {1, 7}) {
    Check({.m = m, .n = 17, .k = 10000, .block = 10000, .bits = 4, .has_offsets = true});
    Check({.m = m, .n = 17, .k = 10000, .block = 16, .bits = 4});
  }
}

}  // namespace
}  // namespace lq::testing
