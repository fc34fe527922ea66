// kernels/exact_division-inl.h claims that three operations give a division's bits, and leaves 28 quotients to be
// tried.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/random.h"

namespace lq::testing {
namespace {

float ThreeOperations(float x, float s) {
  const float inverse = 1.0f / s;
  const float p = x * inverse;
  return std::fma(std::fma(-p, s, x), inverse, p);
}

TEST(ExactDivision, LastMantissas) {
  for (int s = 1; s <= 8; ++s) {
    for (int x = s; x <= 8; ++x) {
      const float below_two = 2.0f - 0x1p-23f * static_cast<float>(x),
                  divisor = 2.0f - 0x1p-23f * static_cast<float>(s);
      EXPECT_EQ(ThreeOperations(below_two, divisor), below_two / divisor) << x << ", " << s;
    }
  }
}

// Quotients as close to the middle of two floats as there are: x = fl(s * middle), and its neighbours.
TEST(ExactDivision, NextToMiddles) {
  Random random(60);
  for (size_t i = 0; i < Cases(200000); ++i) {
    const float s = std::ldexp(random.Float(1, 2), static_cast<int>(random.Int(-60, 59)));
    const double middle = static_cast<double>(2 * random.Int(1 << 23, (1 << 24) - 1) + 1);
    const float nearest = static_cast<float>(std::ldexp(middle * double{s}, static_cast<int>(random.Int(-50, -4))));
    for (const float x : {nearest, std::nextafter(nearest, 0.0f), std::nextafter(nearest, 1e38f)}) {
      ASSERT_EQ(ThreeOperations(x, s), x / s) << std::hexfloat << x << " / " << s;
    }
  }
}

}  // namespace
}  // namespace lq::testing
