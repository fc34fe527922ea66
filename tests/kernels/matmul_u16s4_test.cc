#include <gtest/gtest.h>

#include "tests/support/matmul_cases.h"

namespace lq::testing {
namespace {

constexpr MatmulKind kKind = {MatmulWeights::kS4, true};

void Check(MatmulShape shape) {
  Random random(164);
  shape.weights = kKind.weights;
  shape.wide = true;
  const MatmulCase test(shape, random);
  for (const auto& variant : MatmulVariants(kKind)) EXPECT_TRUE(test.Check(variant));
}

TEST(MatmulU16S4, HasVariants) { EXPECT_FALSE(MatmulVariants(kKind).empty()); }

TEST(MatmulU16S4, RandomShapes) { CheckRandomShapes(kKind, 1000, 164); }

// Every kernel (one row, fused, unpacked) with every kind of block: pairs only, odd quads, a last superblock of one
// block.
TEST(MatmulU16S4, Blocks) {
  for (size_t block : {4, 8, 12, 20, 32, 36, 64, 128, 132}) {
    for (size_t blocks : {1, 2, 3, 8}) {
      for (size_t m : {1, 2, 3, 4, 6, 7, 8, 20}) Check({.m = m, .n = 80, .k = block * blocks, .block = block});
    }
  }
}

// Scales of 8-bit grids' 16 and of wider ones, at the largest sums of bytes that fit int32: 255 * 8 * 16 * k and
// 255 * 8 * 255 * k.
TEST(MatmulU16S4, LargestSums) {
  for (size_t m : {1, 2, 5, 13}) {
    for (const MatmulStyle style : {MatmulStyle::kExtreme, MatmulStyle::kEnds}) {
      Check({.m = m, .n = 65, .k = 65792, .block = 64, .largest_scale = 16, .style = style});
      Check({.m = m, .n = 65, .k = 4096, .block = 64, .largest_scale = 255, .style = style});
      Check({.m = m, .n = 17, .k = 4128, .block = 4128, .largest_scale = 255, .style = style});
    }
  }
}

// A block so long that sums of high nibbles times 16 would leave 32 bits.
TEST(MatmulU16S4, LongBlocks) {
  for (size_t m : {1, 2}) {
    Check({.m = m, .n = 17, .k = 150000, .block = 150000, .largest_scale = 1, .style = MatmulStyle::kRandom});
  }
}

// More rows than are split at a time.
TEST(MatmulU16S4, ManyRows) {
  for (size_t m : {255, 256, 257, 513}) Check({.m = m, .n = 81, .k = 40, .block = 20});
}

}  // namespace
}  // namespace lq::testing
