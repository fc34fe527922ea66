#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/contracts.h"
#include "kernels/reference/reference.h"
#include "tests/support/affine_case.h"

namespace lq::testing {
namespace {

using kernels::AddArgs;
using kernels::AddOperand;
using kernels::AddVariants;
using enum RoundingProfile;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Values that rounding may get wrong, in units of a scale: between codes, half-way, next to half-way, far outside,
// zeros, subnormals, infinities and NaN.
float RandomValue(Random& random, Grid grid, float scale, int32_t offset) {
  constexpr float kSpecial[] = {0.0f,
                                -0.0f,
                                1e-45f,
                                -1e-45f,
                                3.4028235e38f,
                                -3.4028235e38f,
                                std::numeric_limits<float>::infinity(),
                                -std::numeric_limits<float>::infinity(),
                                std::numeric_limits<float>::quiet_NaN()};
  if (random.Chance(0.02)) return kSpecial[random.Size(0, std::size(kSpecial) - 1)];
  const double unit = static_cast<double>(random.Int(grid.qmin() - 3, grid.qmax() + 3) + offset);
  if (random.Chance(0.5)) return static_cast<float>((unit + random.Real(-0.5, 0.5)) * scale);
  const float half_way = static_cast<float>((unit + 0.5) * scale);
  const float next = random.Chance(0.5) ? -3.4028235e38f : 3.4028235e38f;
  return random.Chance(0.5) ? half_way : std::nextafter(half_way, next);
}

// Codes of 2..8 bits, or floats.
struct Operand {
  Operand(size_t n, bool coded, float scale, Random& random)
      : codes(coded ? n : 0, AffineCase::GuardOf(random)), values(coded ? 0 : n, AffineCase::GuardOf(random)) {
    const Grid grid{static_cast<int>(random.Int(2, 8)), false};
    const int32_t offset = static_cast<int32_t>(random.Int(-grid.qmax() - 3, 3));
    for (uint8_t& code : codes) code = static_cast<uint8_t>(random.Int(0, grid.qmax()));
    for (float& value : values) value = RandomValue(random, grid, scale, offset);
    args = {coded ? codes.data() : nullptr, scale, offset, coded ? nullptr : values.data()};
  }

  float Value(size_t i) const {
    return args.values != nullptr ? values[i] : reference::Dequantize(codes[i], args.scale, args.offset);
  }

  GuardedBuffer<uint8_t> codes;
  GuardedBuffer<float> values;
  AddOperand args{};
};

// Half of the scales are powers of two, which makes exact ties common; a few are far from the others.
float ScaleOf(Random& random) {
  if (random.Chance(0.1)) return std::ldexp(random.Float(1, 2), static_cast<int>(random.Int(-70, 70)));
  return random.Chance(0.5) ? std::ldexp(1.0f, static_cast<int>(random.Int(-6, -3))) : random.Float(0.02f, 0.1f);
}

// Some encodings clip further than their grid, as fused activations do.
kernels::QuantizeTo RandomEncoding(Random& random) {
  const Grid grid{static_cast<int>(random.Int(2, 8)), false};
  const int32_t qmax = static_cast<int32_t>(grid.qmax());
  const int32_t offset = static_cast<int32_t>(random.Int(-qmax, 0));
  int32_t lo = 0, hi = qmax;
  if (random.Chance(0.3)) lo = -offset;
  if (random.Chance(0.3)) hi = static_cast<int32_t>(random.Int(lo, qmax));
  return {ScaleOf(random), offset, 0, qmax, lo, hi, static_cast<RoundingProfile>(random.Int(0, 2))};
}

struct AddCase {
  AddCase(size_t n, Random& random)
      : a(n, random.Chance(0.6), ScaleOf(random), random),
        b(n, random.Chance(0.6), ScaleOf(random), random),
        args{a.args, b.args, n, -kInfinity, kInfinity, RandomEncoding(random), nullptr, nullptr} {
    if (random.Chance(0.3)) args.clip_min = random.Chance(0.5) ? 0.0f : random.Float(-3, 1);
    if (random.Chance(0.3)) args.clip_max = random.Float(1, 6);
  }

  // NaN passes the clip.
  float Sum(size_t i) const {
    const float sum = a.Value(i) + b.Value(i);
    return sum < args.clip_min ? args.clip_min : sum > args.clip_max ? args.clip_max : sum;
  }
  int64_t Code(size_t i) const {
    const Grid grid{static_cast<int>(std::bit_width(static_cast<uint32_t>(args.to.qmax))), false};
    const int64_t code = reference::QuantizeF32(Sum(i), grid, args.to.scale, args.to.offset, args.to.profile).code;
    return std::clamp<int64_t>(code, args.to.lo, args.to.hi);
  }
  std::string ToString(size_t i) const {
    return "n " + std::to_string(args.n) + ", profile " + std::to_string(static_cast<int>(args.to.profile)) +
           ", element " + std::to_string(i) + ": " + std::to_string(a.Value(i)) + " + " + std::to_string(b.Value(i));
  }

  Operand a, b;
  AddArgs args;
};

void CheckCodes(const AddCase& test, Guard guard) {
  for (const auto& variant : AddVariants()) {
    GuardedBuffer<uint8_t> out(test.args.n, guard);
    AddArgs args = test.args;
    args.out = out.data();
    variant.run(args);
    for (size_t i = 0; i < args.n; ++i)
      ASSERT_EQ(int64_t{out[i]}, test.Code(i)) << variant.name << ", " << test.ToString(i);
  }
}

// Any NaN is as good as another.
void CheckFloats(const AddCase& test, Guard guard) {
  for (const auto& variant : AddVariants()) {
    GuardedBuffer<float> out(test.args.n, guard);
    AddArgs args = test.args;
    args.out_values = out.data();
    variant.run(args);
    for (size_t i = 0; i < args.n; ++i) {
      const float expected = test.Sum(i);
      if (std::isnan(expected) && std::isnan(out[i])) continue;
      ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(expected))
          << variant.name << ", " << test.ToString(i);
    }
  }
}

TEST(Add, RandomCases) {
  Random random(50);
  ASSERT_FALSE(AddVariants().empty());
  for (size_t i = 0; i < Cases(3000) && !HasFatalFailure(); ++i) {
    const AddCase test(random.Chance(0.05) ? 0 : random.LogSize(1, 700), random);
    const Guard guard = AffineCase::GuardOf(random);
    CheckCodes(test, guard);
    CheckFloats(test, guard);
  }
}

TEST(Add, SmallSizes) {
  Random random(51);
  for (size_t n = 0; n <= 330 && !HasFatalFailure(); ++n) {
    const AddCase test(n, random);
    CheckCodes(test, Guard::kAfter);
    CheckFloats(test, Guard::kAfter);
  }
}

// inf - inf is no number: the smallest code allowed, though the clip would let it pass.
TEST(Add, NaN) {
  const float infinite[] = {kInfinity, -kInfinity, kInfinity}, opposite[] = {-kInfinity, kInfinity, 1.0f};
  for (const RoundingProfile profile : {kAimetDiv, kAimetFakequant, kAimetOnnx}) {
    for (const auto& variant : AddVariants()) {
      uint8_t out[3] = {};
      const AddOperand a{nullptr, 1, 0, infinite}, b{nullptr, 1, 0, opposite};
      variant.run({a, b, 3, -kInfinity, kInfinity, {0.5f, -10, 0, 255, 10, 200, profile}, out, nullptr});
      EXPECT_EQ(out[0], 10) << variant.name;
      EXPECT_EQ(out[1], 10) << variant.name;
      EXPECT_EQ(out[2], 200) << variant.name;
    }
  }
}

}  // namespace
}  // namespace lq::testing
