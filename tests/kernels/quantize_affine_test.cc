#include <gtest/gtest.h>

#include <cmath>
#include <iterator>
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

// Blocks of few vectors of each target, groups of 64 of them and more, with offsets that are 0, one, and many.
TEST(QuantizeAffine, ShortBlocks) {
  constexpr kernels::CodeType kCodes[] = {kernels::CodeType::kS8, kernels::CodeType::kS4, kernels::CodeType::kS2,
                                          kernels::CodeType::kU8, kernels::CodeType::kU4, kernels::CodeType::kS16};
  Random random(13);
  for (const size_t run : {8, 16, 32, 64, 128, 256}) {
    for (size_t round = 0; round < Cases(30) && !HasFatalFailure(); ++round) {
      const size_t count = random.Size(1, 70);
      AffineCase test(run * count - random.Size(0, run - 1), count, run, random);
      test.profile = random.Chance(0.7) ? RoundingProfile::kAimetDiv : static_cast<RoundingProfile>(random.Size(0, 3));
      test.type = random.Chance(0.7) ? FloatType::kF32 : FloatType::kF16;
      test.arithmetic = kernels::Arithmetic::kF32;
      test.shift = 0;
      test.code = kCodes[random.Size(0, std::size(kCodes) - 1)];
      test.qmin = LowestOf(test.code), test.qmax = HighestOf(test.code);
      if (random.Chance(0.3)) ++test.qmin;
      if (random.Chance(0.3)) test.qmax -= test.qmax / 2;
      const int offset = static_cast<int>(random.Int(-200, 200)), offsets = static_cast<int>(random.Int(0, 2));
      for (size_t k = 0; k < count; ++k) {
        test.offset[k] = offsets == 0 ? 0 : offsets == 1 ? offset : static_cast<int>(random.Int(-200, 200));
        if (random.Chance(0.9)) test.scale[k] = std::exp(random.Float(-8, 3));
      }
      CheckCase(test, random);
    }
  }
}

TEST(QuantizeAffine, EveryHalf) {
  Random random(14);
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
