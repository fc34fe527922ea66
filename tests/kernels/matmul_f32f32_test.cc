#include <gtest/gtest.h>

#include "tests/support/matmul_float_case.h"

namespace lq::testing {
namespace {

TEST(MatmulF32F32, HasVariants) { EXPECT_FALSE(MatmulFloatVariants(32).empty()); }

TEST(MatmulF32F32, RandomShapes) { CheckRandomFloatShapes(32, 600, 83); }

// Every number of rows of a tile with every width of a panel, a short last block.
TEST(MatmulF32F32, Tiles) {
  Random random(84);
  for (size_t m : {1, 2, 3, 4, 5, 6, 7, 13}) {
    for (size_t n : {1, 16, 17, 33, 49, 64, 65, 128}) {
      const MatmulFloatCase test({.m = m, .n = n, .k = 75, .block = 64, .bits = 32}, random);
      for (const auto& variant : MatmulFloatVariants(32)) EXPECT_TRUE(test.Check(variant));
    }
  }
}

}  // namespace
}  // namespace lq::testing
