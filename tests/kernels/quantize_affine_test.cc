#include <gtest/gtest.h>

#include <vector>

#include "kernels/contracts_quantize.h"
#include "kernels/reference/affine.h"
#include "tests/support/affine_case.h"

namespace lq::testing {
namespace {

using kernels::FloatType;
using kernels::QuantizeAffineVariants;

void CheckVariants(const AffineCase& test, const GuardedBuffer<std::byte>& in) {
  std::vector<int64_t> expected(test.n);
  for (size_t i = 0; i < test.n; ++i) {
    expected[i] = reference::QuantizeElement(FloatAt(in.data(), test.type, i), test.RuleOf(i));
  }
  for (const auto& variant : QuantizeAffineVariants()) {
    GuardedBuffer<std::byte> out(BytesOf(test.code, test.n), test.guard);
    variant.run({.in = in.data(),
                 .in_type = test.type,
                 .n = test.n,
                 .layout = test.layout,
                 .shift = test.shift,
                 .qmin = test.qmin,
                 .qmax = test.qmax,
                 .profile = test.profile,
                 .arithmetic = test.arithmetic,
                 .type = test.code,
                 .out = out.data(),
                 .stream = test.stream});
    for (size_t i = 0; i < test.n; ++i) {
      ASSERT_EQ(CodeAt(out.data(), test.code, i), expected[i])
          << variant.name << ", " << test.ToString() << ": element " << i << " = " << FloatAt(in.data(), test.type, i)
          << ", scale " << test.RuleOf(i).scale << ", offset " << test.RuleOf(i).offset;
    }
    for (size_t i = test.n; BytesOf(test.code, i + 1) == BytesOf(test.code, test.n); ++i) {
      ASSERT_EQ(CodeAt(out.data(), test.code, i), 0) << variant.name << ", " << test.ToString() << ": bits behind";
    }
  }
}

void CheckCase(const AffineCase& test, Random& random) {
  if (!test.HasCodes()) return;
  GuardedBuffer<std::byte> in(test.n * BytesOf(test.type), test.guard);
  for (size_t i = 0; i < test.n; ++i) SetFloat(in.data(), test.type, i, test.ValueFor(i, random));
  CheckVariants(test, in);
}

TEST(QuantizeAffine, RandomCases) {
  Random random(10);
  ASSERT_FALSE(QuantizeAffineVariants().empty());
  ForRandomLayouts(Cases(4000), random, [&](const AffineCase& test) {
    if (!HasFatalFailure()) CheckCase(test, random);
  });
}

// Every size up to five vectors of every target, so that each tail comes up.
TEST(QuantizeAffine, SmallSizes) {
  Random random(11);
  for (size_t n = 0; n <= 330 && !HasFatalFailure(); ++n) CheckCase(AffineCase(n, 1, n + 1, random), random);
}

TEST(QuantizeAffine, EveryHalf) {
  Random random(13);
  ForEveryHalf(Cases(60), random, [&](const AffineCase& test, const GuardedBuffer<std::byte>& in) {
    if (test.HasCodes() && !HasFatalFailure()) CheckVariants(test, in);
  });
}

// Half-way values of a whole 16-bit grid, from far below to far above.
TEST(QuantizeAffine, AllTies) {
  constexpr size_t kSteps = 140000;
  GuardedBuffer<std::byte> in(kSteps * sizeof(float));
  for (size_t i = 0; i < kSteps; ++i) {
    SetFloat(in.data(), FloatType::kF32, i, 0.25f * (static_cast<float>(i) - 70000.5f));
  }
  Random random(12);
  AffineCase test(kSteps, 1, kSteps, random);
  test.type = FloatType::kF32;
  test.arithmetic = kernels::Arithmetic::kF32;
  test.shift = 0;
  test.qmin = -32768;
  test.qmax = 32767;
  test.code = kernels::CodeType::kS16;
  test.scale[0] = 0.25f;
  for (const int32_t offset : {0, 1, -32768, 30001}) {
    test.offset[0] = offset;
    for (int profile = 0; profile < 4 && !HasFatalFailure(); ++profile) {
      test.profile = static_cast<RoundingProfile>(profile);
      CheckVariants(test, in);
    }
  }
}

}  // namespace
}  // namespace lq::testing
