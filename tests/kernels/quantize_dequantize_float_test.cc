#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/float_case.h"

namespace lq::testing {
namespace {

using kernels::FloatType;
using kernels::QuantizeDequantizeFloatVariants;

struct Types {
  FloatType in, out, arithmetic;
};
constexpr Types kTypes[] = {
    {FloatType::kF32, FloatType::kF32, FloatType::kF32},   {FloatType::kF16, FloatType::kF16, FloatType::kF32},
    {FloatType::kF16, FloatType::kF32, FloatType::kF32},   {FloatType::kF16, FloatType::kF16, FloatType::kF16},
    {FloatType::kBF16, FloatType::kBF16, FloatType::kF32}, {FloatType::kBF16, FloatType::kF32, FloatType::kF32},
    {FloatType::kBF16, FloatType::kBF16, FloatType::kBF16}};

struct Case {
  FloatFormat format;
  bool saturate;
  Types types;

  // AIMET refuses what its clamp cannot hold.
  bool IsLegal() const {
    return types.arithmetic != FloatType::kF16 || !std::isinf(reference::RoundToF16((*NumbersOf(format)).largest));
  }
};

void CheckVariants(const Case& test, const FloatLayout& layout, FloatBuffer& in, Guard guard, bool stream) {
  const kernels::Arithmetic arithmetic = ArithmeticOf(test.types.arithmetic);
  CarryTable carry;
  const kernels::FloatGrid grid = GridOf(test.format, test.saturate, arithmetic, carry);
  for (const auto& variant : QuantizeDequantizeFloatVariants()) {
    FloatBuffer out(layout.n, test.types.out, guard);
    variant.run(
        {in.data(), test.types.in, layout.n, layout.layout, grid, arithmetic, out.data(), test.types.out, stream});
    for (size_t i = 0; i < layout.n; ++i) {
      const reference::FloatRule rule{test.format, layout.ScaleOf(i), test.saturate, DTypeOf(test.types.arithmetic)};
      const float expected = RoundToType(reference::QuantizeDequantizeFloat(in.Get(i), rule), test.types.out);
      ASSERT_TRUE(SameBits(out.Get(i), expected))
          << variant.name << ", " << NameOf(test.format) << (test.saturate ? " saturating, " : ", ")
          << NameOf(DTypeOf(test.types.in)) << " in " << NameOf(DTypeOf(test.types.arithmetic)) << ", "
          << layout.ToString() << ": element " << i << " = " << in.Get(i) << ", scale " << rule.scale << ": "
          << out.Get(i) << " instead of " << expected;
    }
  }
}

void CheckRandom(const Types& types, const FloatLayout& layout, Random& random) {
  const Case test = {RandomFormat(random), random.Chance(0.7), types};
  if (!test.IsLegal()) return;
  const Guard guard = RandomGuard(random);
  FloatBuffer in(layout.n, test.types.in, guard);
  for (size_t i = 0; i < layout.n; ++i) in.Set(i, RandomFloatValue(random, test.format, layout.ScaleOf(i)));
  CheckVariants(test, layout, in, guard, random.Chance(0.5));
}

void CheckRandom(size_t n, Random& random) {
  CheckRandom(kTypes[random.Size(0, std::size(kTypes) - 1)], FloatLayout(n, random), random);
}

TEST(QuantizeDequantizeFloat, RandomLayouts) {
  Random random(50);
  ASSERT_FALSE(QuantizeDequantizeFloatVariants().empty());
  for (size_t i = 0; i < Cases(600) && !HasFatalFailure(); ++i) CheckRandom(random.LogSize(1, 3000), random);
}

TEST(QuantizeDequantizeFloat, SmallSizes) {
  Random random(51);
  for (size_t n = 0; n <= 200 && !HasFatalFailure(); ++n) CheckRandom(n, random);
}

// Whole runs of whole vectors, and rows of elements with a scale each.
TEST(QuantizeDequantizeFloat, RunsAndRows) {
  constexpr size_t kRuns[] = {1, 8, 16, 32, 64, 96, 160, 1024, 1056};
  constexpr Types kSame[] = {kTypes[0], kTypes[0], kTypes[1], kTypes[4]};
  Random random(54);
  for (size_t i = 0; i < Cases(200) && !HasFatalFailure(); ++i) {
    const size_t run = kRuns[random.Size(0, std::size(kRuns) - 1)];
    const size_t count = run == 1 ? random.LogSize(2, 4200) : random.LogSize(2, 140);
    const size_t most = 8000 / run, runs = random.LogSize(1, most);
    const size_t n = random.Chance(0.8) ? runs * run : random.LogSize(1, 8000);
    CheckRandom(kSame[random.Size(0, std::size(kSame) - 1)], FloatLayout(n, count, run, random), random);
  }
}

void SetEveryHalf(FloatType type, FloatBuffer& in) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    in.Set(bits, type == FloatType::kF16 ? reference::FloatOfF16(half) : reference::FloatOfBF16(half));
  }
}

// All values of the 16-bit types, under the scales of a calibrated quantizer and of none.
TEST(QuantizeDequantizeFloat, EveryHalf) {
  Random random(52);
  for (const Types& types : kTypes) {
    if (types.in == FloatType::kF32) continue;
    FloatBuffer in(65536, types.in, Guard::kAfter);
    SetEveryHalf(types.in, in);
    for (const FloatFormat& format :
         {kFloat16, kBFloat16, kFloat8E4M3Fn, kFloat4E2M1Fn, FloatFormat{4, 3}, FloatFormat{6, 5}, FloatFormat{3, 4}}) {
      const Case test = {format, true, types};
      FloatLayout layout(65536, random);
      layout.scale.assign(1, random.Chance(0.3) ? 1.0f : static_cast<float>(random.Int(1, 255)) / 256);
      if (random.Chance(0.3)) layout.scale[0] = random.Float(0.001f, 1.0f);
      layout.layout = {layout.scale.data(), nullptr, 1, 65536};
      if (test.IsLegal() && !HasFatalFailure()) CheckVariants(test, layout, in, Guard::kAfter, random.Chance(0.5));
    }
  }
}

// The same under many scales, for the formats of few mantissa bits, which have a way of their own.
TEST(QuantizeDequantizeFloat, EveryHalfOfFewBits) {
  constexpr FloatFormat kFormats[] = {kFloat8E4M3Fn, kFloat8E5M2,   kFloat6E2M3Fn, kFloat6E3M2Fn,
                                      kFloat4E2M1Fn, {4, 3},        {5, 1},        {6, 2},
                                      {7, 3},        kFloat8E4M3Fn, kFloat8E4M3Fn, kFloat8E4M3FnUz};
  constexpr Types kSame[] = {kTypes[1], kTypes[4]};
  Random random(53);
  for (size_t i = 0; i < Cases(30) && !HasFatalFailure(); ++i) {
    const Case test = {kFormats[random.Size(0, std::size(kFormats) - 1)], random.Chance(0.8), kSame[i % 2]};
    FloatBuffer in(65536, test.types.in, Guard::kAfter);
    SetEveryHalf(test.types.in, in);
    FloatLayout layout(65536, random);
    const float mantissa = random.Chance(0.2) ? 1.0f : random.Float(1.0f, 2.0f);
    layout.scale.assign(1, std::ldexp(mantissa, static_cast<int>(random.Int(-18, 12))));
    layout.layout = {layout.scale.data(), nullptr, 1, 65536};
    CheckVariants(test, layout, in, Guard::kAfter, random.Chance(0.5));
  }
}

}  // namespace
}  // namespace lq::testing
