#include <gtest/gtest.h>

#include "tests/support/matmul_cases.h"

namespace lq::testing {
namespace {

void Check(const MatmulShape& shape) {
  Random random(4);
  const MatmulCase test(shape, random);
  for (const auto& variant : MatmulVariants({shape.weights})) EXPECT_TRUE(test.Check(variant));
}

TEST(MatmulU8S4, HasVariants) { EXPECT_FALSE(MatmulVariants({MatmulWeights::kS4}).empty()); }

TEST(MatmulU8S4, RandomShapes) { CheckRandomShapes({MatmulWeights::kS4}, 1000, 40); }

// Every kernel (one row, fused, unpacked) with every kind of block: pairs only, odd quads, a last superblock of one
// block.
TEST(MatmulU8S4, Blocks) {
  for (size_t block : {4, 8, 12, 20, 32, 36, 64, 128, 132}) {
    for (size_t blocks : {1, 2, 3, 8}) {
      for (size_t m : {1, 2, 3, 8, 12, 13, 16, 40}) {
        Check({.weights = MatmulWeights::kS4, .m = m, .n = 80, .k = block * blocks, .block = block});
      }
    }
  }
}

// Scales of 8-bit grids' 16 and of wider ones, at the largest sums that fit int32: 255 * 8 * 16 * k and 255 * 8 * 255 *
// k.
TEST(MatmulU8S4, LargestSums) {
  for (size_t m : {1, 2, 5, 13}) {
    Check({MatmulWeights::kS4, m, 65, 65792, 64, 16, MatmulStyle::kExtreme});
    Check({MatmulWeights::kS4, m, 65, 4096, 64, 255, MatmulStyle::kExtreme});
    Check({MatmulWeights::kS4, m, 17, 4128, 4128, 255, MatmulStyle::kExtreme});
  }
}

// A block so long that sums of high nibbles times 16 would leave 32 bits.
TEST(MatmulU8S4, LongBlocks) {
  for (size_t m : {1, 2}) Check({MatmulWeights::kS4, m, 17, 150000, 150000, 1, MatmulStyle::kRandom});
}

}  // namespace
}  // namespace lq::testing
