#include <gtest/gtest.h>

#include <bit>

#include "kernels/contracts.h"
#include "kernels/reference/reference.h"
#include "tests/support/affine_case.h"

namespace lq::testing {
namespace {

using kernels::CodeType;
using kernels::DequantizeAffineVariants;

template <class T>
void CheckType(const AffineCase& test, Random& random) {
  const Guard guard = AffineCase::GuardOf(random);
  GuardedBuffer<T> in(test.n, guard);
  for (size_t i = 0; i < test.n; ++i) in[i] = static_cast<T>(random.Int(test.grid.qmin(), test.grid.qmax()));
  for (const auto& variant : DequantizeAffineVariants()) {
    GuardedBuffer<float> out(test.n, guard);
    variant.run({.in = in.data(), .type = test.type, .n = test.n, .layout = test.layout, .out = out.data()});
    for (size_t i = 0; i < test.n; ++i) {
      const size_t k = test.ScaleOf(i);
      const float expected = reference::Dequantize(in[i], test.scale[k], test.offset[k]);
      ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(expected))
          << variant.name << ", " << test.ToString() << ": element " << i << " = " << int64_t{in[i]} << ", scale "
          << test.scale[k] << ", offset " << test.offset[k] << ": " << out[i] << " instead of " << expected;
    }
  }
}

void CheckCase(const AffineCase& test, Random& random) {
  switch (test.type) {
    case CodeType::kU8:
      return CheckType<uint8_t>(test, random);
    case CodeType::kS8:
      return CheckType<int8_t>(test, random);
    case CodeType::kU16:
      return CheckType<uint16_t>(test, random);
    case CodeType::kS16:
      return CheckType<int16_t>(test, random);
    default:
      break;
  }
}

TEST(DequantizeAffine, RandomLayouts) {
  Random random(20);
  ASSERT_FALSE(DequantizeAffineVariants().empty());
  ForRandomLayouts(Cases(1500), random, [&](const AffineCase& test) {
    if (!HasFatalFailure()) CheckCase(test, random);
  });
}

TEST(DequantizeAffine, SmallSizes) {
  Random random(21);
  for (size_t n = 0; n <= 330 && !HasFatalFailure(); ++n) CheckCase(AffineCase(n, 1, n + 1, random), random);
}

}  // namespace
}  // namespace lq::testing
