#include <gtest/gtest.h>

#include "kernels/contracts_quantize.h"
#include "kernels/reference/affine.h"
#include "tests/support/affine_case.h"

namespace lq::testing {
namespace {

using kernels::DequantizeAffineVariants;

void CheckCase(const AffineCase& test, Random& random) {
  GuardedBuffer<std::byte> in(BytesOf(test.code, test.n), test.guard);
  GuardedBuffer<std::byte> expected(test.n * BytesOf(test.type), test.guard);
  for (size_t i = 0; i < test.n; ++i) {
    const int64_t code = random.Int(LowestOf(test.code), HighestOf(test.code));
    SetCode(in.data(), test.code, i, code);
    SetFloat(expected.data(), test.type, i, reference::DequantizeElement(code, test.RuleOf(i)));
  }
  for (const auto& variant : DequantizeAffineVariants()) {
    GuardedBuffer<std::byte> out(test.n * BytesOf(test.type), test.guard);
    variant.run({.in = in.data(),
                 .type = test.code,
                 .n = test.n,
                 .layout = test.layout,
                 .shift = test.shift,
                 .arithmetic = test.arithmetic,
                 .out = out.data(),
                 .out_type = test.type,
                 .stream = test.stream});
    for (size_t i = 0; i < test.n; ++i) {
      ASSERT_TRUE(SameFloat(out.data(), expected.data(), test.type, i))
          << variant.name << ", " << test.ToString() << ": element " << i << " = " << CodeAt(in.data(), test.code, i)
          << ", scale " << test.RuleOf(i).scale << ", offset " << test.RuleOf(i).offset << ": "
          << FloatAt(out.data(), test.type, i) << " instead of " << FloatAt(expected.data(), test.type, i);
    }
  }
}

TEST(DequantizeAffine, RandomCases) {
  Random random(20);
  ASSERT_FALSE(DequantizeAffineVariants().empty());
  ForRandomLayouts(Cases(4000), random, [&](const AffineCase& test) {
    if (!HasFatalFailure()) CheckCase(test, random);
  });
}

TEST(DequantizeAffine, SmallSizes) {
  Random random(21);
  for (size_t n = 0; n <= 330 && !HasFatalFailure(); ++n) CheckCase(AffineCase(n, 1, n + 1, random), random);
}

}  // namespace
}  // namespace lq::testing
