// The AMX kernels, run by the model of the tiles (kernels/amx_model.h) on any CPU. Where there are tiles, the tests of
// the matrix products run the instructions too, as one of the variants.
#include <gtest/gtest.h>

#include "kernels/matmul_amx_model.h"
#include "tests/support/matmul_cases.h"

namespace lq::testing {
namespace {

MatmulVariantSpan Models(MatmulKind kind) {
  if (kind.weights == MatmulWeights::kS8) {
    return kind.wide ? kernels::MatmulU16S8AmxModels() : kernels::MatmulU8S8AmxModels();
  }
  return kind.wide ? kernels::MatmulU16S4AmxModels() : kernels::MatmulU8S4AmxModels();
}

void Check(const MatmulShape& shape) {
  Random random(5);
  const MatmulCase test(shape, random);
  const MatmulVariantSpan models = Models({shape.weights, shape.wide});
  ASSERT_FALSE(models.empty());
  for (const auto& model : models) EXPECT_TRUE(test.Check(model));
}

class MatmulAmx : public ::testing::TestWithParam<MatmulKind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, MatmulAmx,
                         ::testing::Values(MatmulKind{MatmulWeights::kS8, false}, MatmulKind{MatmulWeights::kS8, true},
                                           MatmulKind{MatmulWeights::kS4, false},
                                           MatmulKind{MatmulWeights::kS4, true}));

TEST_P(MatmulAmx, RandomShapes) { CheckRandomShapes(GetParam(), Models(GetParam()), 1000, 90); }

// Rows around whole tiles, strips of three tiles and packed blocks; steps that end within the panel; one group to four.
TEST_P(MatmulAmx, EdgesOfTiles) {
  const MatmulKind kind = GetParam();
  for (size_t m : {1, 15, 16, 17, 48, 49, 64, 65}) {
    for (size_t k : {4, 60, 64, 68, 128, 132}) {
      for (size_t n : {1, 16, 17, 33, 49, 64, 128, 145}) {
        Check({.weights = kind.weights, .m = m, .n = n, .k = k, .block = 4, .wide = kind.wide});
      }
    }
  }
}

// More rows than are packed at a time.
TEST_P(MatmulAmx, ManyRows) {
  const MatmulKind kind = GetParam();
  for (size_t m : {255, 256, 257, 512, 513, 1025}) {
    Check({.weights = kind.weights, .m = m, .n = 17, .k = 76, .block = 4, .wide = kind.wide});
  }
  for (size_t m : {49, 97}) {
    Check({.weights = kind.weights, .m = m, .n = 17, .k = 24576, .block = 64, .wide = kind.wide});
  }
}

// 65792 * 255 * 128 < 2^31: the deepest layer whose sums fit int32.
TEST_P(MatmulAmx, LargestSums) {
  const MatmulKind kind = GetParam();
  Check({kind.weights, 17, 33, 65792, 64, 16, MatmulStyle::kExtreme, kind.wide});
}

}  // namespace
}  // namespace lq::testing
