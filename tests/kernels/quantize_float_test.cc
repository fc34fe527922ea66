#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/float_case.h"

namespace lq::testing {
namespace {

using kernels::FloatType;
using kernels::QuantizeFloatVariants;

constexpr FloatFormat kCoded[] = {kFloat8E4M3Fn, kFloat8E4M3FnUz, kFloat8E5M2,  kFloat8E5M2FnUz,
                                  kFloat6E2M3Fn, kFloat6E3M2Fn,   kFloat4E2M1Fn};

struct Case {
  FloatFormat format;
  bool saturate, zero_point, packed, stream;
  FloatType in, arithmetic;
};

void CheckVariants(const Case& test, const FloatLayout& layout, FloatBuffer& in, Guard guard) {
  const kernels::Arithmetic arithmetic = ArithmeticOf(test.arithmetic);
  CarryTable carry;
  kernels::FloatGrid grid = GridOf(test.format, test.saturate, arithmetic, carry);
  grid.carry = nullptr;  // ONNX has no logarithms
  const size_t bytes = test.packed ? (layout.n + 1) / 2 : layout.n;
  for (const auto& variant : QuantizeFloatVariants()) {
    GuardedBuffer<uint8_t> out(bytes, guard);
    variant.run({in.data(), test.in, layout.n, layout.layout, grid, CodeOf(test.format), arithmetic, test.zero_point,
                 test.packed, out.data(), test.stream});
    for (size_t i = 0; i < layout.n; ++i) {
      const reference::FloatRule rule{test.format, layout.ScaleOf(i), test.saturate, DTypeOf(test.arithmetic)};
      const int expected = reference::QuantizeFloat(in.Get(i), rule, test.zero_point);
      const int actual = test.packed ? (out[i / 2] >> i % 2 * 4) & 15 : out[i];
      ASSERT_EQ(actual, expected) << variant.name << ", " << NameOf(test.format)
                                  << (test.saturate ? " saturating, " : ", ") << layout.ToString() << ": element " << i
                                  << " = " << in.Get(i) << ", scale " << rule.scale;
    }
    if (test.packed && layout.n % 2 == 1) {
      ASSERT_EQ(out[bytes - 1] >> 4, 0) << variant.name;
    }
  }
}

void CheckRandom(const FloatLayout& layout, Random& random) {
  Case test = {
      kCoded[random.Size(0, std::size(kCoded) - 1)], random.Chance(0.6), random.Chance(0.5), false, random.Chance(0.3),
      static_cast<FloatType>(random.Int(0, 2)),      FloatType::kF32};
  test.packed = test.format.bits() == 4 && random.Chance(0.7);
  if (random.Chance(0.5)) test.arithmetic = test.in;
  const Guard guard = RandomGuard(random);
  FloatBuffer in(layout.n, test.in, guard);
  const bool finite = random.Chance(0.6);  // others take a slower way, as do their neighbours
  for (size_t i = 0; i < layout.n; ++i) {
    in.Set(i, RandomFloatValue(random, test.format, layout.ScaleOf(i)));
    if (finite && !std::isfinite(in.Get(i))) in.Set(i, layout.ScaleOf(i));
  }
  CheckVariants(test, layout, in, guard);
}

void CheckRandom(size_t n, Random& random) { CheckRandom(FloatLayout(n, random), random); }

TEST(QuantizeFloat, RandomLayouts) {
  Random random(53);
  ASSERT_FALSE(QuantizeFloatVariants().empty());
  for (size_t i = 0; i < Cases(400) && !HasFatalFailure(); ++i) CheckRandom(random.LogSize(1, 2000), random);
}

TEST(QuantizeFloat, RunsAndRows) {
  constexpr size_t kRuns[] = {8, 16, 32, 64, 96, 128, 256, 1024};
  Random random(55);
  for (size_t i = 0; i < Cases(200) && !HasFatalFailure(); ++i) {
    const size_t run = kRuns[random.Size(0, std::size(kRuns) - 1)], runs = random.LogSize(1, 6000 / run);
    const size_t n = random.Chance(0.8) ? runs * run : random.LogSize(1, 6000);
    CheckRandom(FloatLayout(n, random.LogSize(2, 140), run, random), random);
    const size_t row = random.LogSize(1, 68) * (random.Chance(0.9) ? 64 : 63);
    CheckRandom(FloatLayout(random.Chance(0.9) ? random.LogSize(1, 100) * 64 : n, row, 1, random), random);
  }
}

TEST(QuantizeFloat, SmallSizes) {
  Random random(54);
  for (size_t n = 0; n <= 200 && !HasFatalFailure(); ++n) CheckRandom(n, random);
}

}  // namespace
}  // namespace lq::testing
