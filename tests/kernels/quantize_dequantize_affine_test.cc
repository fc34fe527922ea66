#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/contracts_quantize.h"
#include "kernels/reference/affine.h"
#include "tests/support/affine_case.h"

namespace lq::testing {
namespace {

using kernels::FloatType;
using kernels::QuantizeDequantizeAffineVariants;

kernels::QuantizeDequantizeAffineArgs ArgsOf(const AffineCase& test, const void* in, void* out) {
  return {.in = in,
          .out = out,
          .type = test.type,
          .n = test.n,
          .layout = test.layout,
          .shift = test.shift,
          .qmin = test.qmin,
          .qmax = test.qmax,
          .profile = test.profile,
          .arithmetic = test.arithmetic,
          .stream = test.stream};
}

void CheckVariants(const AffineCase& test, const GuardedBuffer<std::byte>& in, bool in_place) {
  GuardedBuffer<std::byte> expected(in.size(), test.guard);
  for (size_t i = 0; i < test.n; ++i) {
    const float value = reference::QuantizeDequantizeElement(FloatAt(in.data(), test.type, i), test.RuleOf(i));
    SetFloat(expected.data(), test.type, i, value);
  }
  for (const auto& variant : QuantizeDequantizeAffineVariants()) {
    GuardedBuffer<std::byte> out(in.size(), test.guard);
    if (in_place && in.size() != 0) std::memcpy(out.data(), in.data(), in.size());
    variant.run(ArgsOf(test, in_place ? out.data() : in.data(), out.data()));
    for (size_t i = 0; i < test.n; ++i) {
      ASSERT_TRUE(SameFloat(out.data(), expected.data(), test.type, i))
          << variant.name << ", " << test.ToString() << ": element " << i << " = " << FloatAt(in.data(), test.type, i)
          << ", scale " << test.RuleOf(i).scale << ", offset " << test.RuleOf(i).offset << ": "
          << FloatAt(out.data(), test.type, i) << " instead of " << FloatAt(expected.data(), test.type, i);
    }
  }
}

void CheckCase(const AffineCase& test, Random& random) {
  GuardedBuffer<std::byte> in(test.n * BytesOf(test.type), test.guard);
  for (size_t i = 0; i < test.n; ++i) SetFloat(in.data(), test.type, i, test.ValueFor(i, random));
  CheckVariants(test, in, random.Chance(0.2));
}

TEST(QuantizeDequantizeAffine, RandomCases) {
  Random random(30);
  ASSERT_FALSE(QuantizeDequantizeAffineVariants().empty());
  ForRandomLayouts(Cases(4000), random, [&](const AffineCase& test) {
    if (!HasFatalFailure()) CheckCase(test, random);
  });
}

TEST(QuantizeDequantizeAffine, SmallSizes) {
  Random random(31);
  for (size_t n = 0; n <= 330 && !HasFatalFailure(); ++n) CheckCase(AffineCase(n, 1, n + 1, random), random);
}

TEST(QuantizeDequantizeAffine, EveryHalf) {
  Random random(33);
  ForEveryHalf(Cases(60), random, [&](const AffineCase& test, const GuardedBuffer<std::byte>& in) {
    if (!HasFatalFailure()) CheckVariants(test, in, false);
  });
}

// Values next to ties of a wide grid: a wrong last place of the quotient would choose the wrong point.
TEST(QuantizeDequantizeAffine, DivisionNextToTies) {
  Random random(32);
  constexpr size_t kElements = 16384;
  AffineCase test(kElements, 4096, 1, random);
  test.type = FloatType::kF32;
  test.arithmetic = kernels::Arithmetic::kF32;
  test.profile = RoundingProfile::kAimetDiv;
  test.shift = 0;
  test.qmin = -(1 << 20);
  test.qmax = (1 << 20) - 1;
  for (size_t i = 0; i < test.scale.size(); ++i) {
    test.scale[i] = random.Float(0.5f, 1.0f);
    test.offset[i] = 0;
  }
  GuardedBuffer<std::byte> in(kElements * sizeof(float));
  for (size_t i = 0; i < kElements; ++i) {
    const double tie = static_cast<double>(random.Int(-(1 << 20), (1 << 20) - 2)) + 0.5;
    const float x = static_cast<float>(tie * double{test.scale[test.ScaleOf(i)]});
    SetFloat(in.data(), FloatType::kF32, i, random.Chance(0.5) ? x : std::nextafter(x, random.Float(-1, 1) * 1e30f));
  }
  CheckVariants(test, in, false);
}

// Scales that take a value of 16 bits as near to a tie as floats come: a product with their reciprocal often rounds to
// the other side.
TEST(QuantizeDequantizeAffine, HalvesNextToTies) {
  Random random(34);
  constexpr size_t kRun = 64, kRuns = 256;
  for (const FloatType type : {FloatType::kF16, FloatType::kBF16}) {
    AffineCase test(kRun * kRuns, kRuns, kRun, random);
    test.type = type;
    test.arithmetic = kernels::Arithmetic::kF32;
    test.profile = RoundingProfile::kAimetDiv;
    test.shift = 0;
    test.qmin = -8;
    test.qmax = 7;
    GuardedBuffer<std::byte> in(test.n * BytesOf(type));
    for (size_t i = 0; i < test.n; ++i) {
      const size_t run = i / kRun;
      if (i % kRun == 0) {
        SetFloat(in.data(), type, i, random.Float(0.01f, 1.0f));
        const float tie = static_cast<float>(random.Int(0, 6)) + 0.5f;
        const float scale = FloatAt(in.data(), type, i) / tie;
        test.scale[run] = random.Chance(0.5) ? scale : std::nextafter(scale, random.Float(-1, 1) * 1e30f);
        test.offset[run] = 0;
      } else {
        const float tie = static_cast<float>(random.Int(-9, 8)) + 0.5f;
        SetFloat(in.data(), type, i, tie * test.scale[run]);
      }
    }
    CheckVariants(test, in, false);
  }
}

}  // namespace
}  // namespace lq::testing
