#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "kernels/contracts.h"
#include "kernels/reference/reference.h"
#include "tests/support/affine_case.h"

namespace lq::testing {
namespace {

using kernels::CodeType;
using kernels::QuantizeAffineVariants;
using enum RoundingProfile;

constexpr std::array kProfiles = {kAimetDiv, kAimetFakequant, kAimetOnnx};

// Code i in memory of this type.
int64_t CodeAt(const std::byte* codes, CodeType type, size_t i) {
  const auto read = [&]<class T>(T value) {
    std::memcpy(&value, codes + i * sizeof(T), sizeof(T));
    return int64_t{value};
  };
  switch (type) {
    case CodeType::kU8:
      return read(uint8_t{});
    case CodeType::kS8:
      return read(int8_t{});
    case CodeType::kU16:
      return read(uint16_t{});
    case CodeType::kS16:
      return read(int16_t{});
    default:
      break;
  }
  return 0;
}

void CheckVariants(const AffineCase& test, const GuardedBuffer<float>& in, RoundingProfile profile, Guard guard) {
  for (const auto& variant : QuantizeAffineVariants()) {
    GuardedBuffer<std::byte> out(test.n * test.CodeBytes(), guard);
    variant.run({.in = in.data(),
                 .n = test.n,
                 .layout = test.layout,
                 .qmin = test.grid.qmin(),
                 .qmax = test.grid.qmax(),
                 .profile = profile,
                 .type = test.type,
                 .out = out.data()});
    for (size_t i = 0; i < test.n; ++i) {
      const size_t k = test.ScaleOf(i);
      const int64_t expected = reference::QuantizeF32(in[i], test.grid, test.scale[k], test.offset[k], profile).code;
      ASSERT_EQ(CodeAt(out.data(), test.type, i), expected)
          << variant.name << ", profile " << static_cast<int>(profile) << ", " << test.ToString() << ": element " << i
          << " = " << in[i] << ", scale " << test.scale[k] << ", offset " << test.offset[k];
    }
  }
}

void CheckCase(const AffineCase& test, Random& random) {
  const Guard guard = AffineCase::GuardOf(random);
  GuardedBuffer<float> in(test.n, guard);
  for (size_t i = 0; i < test.n; ++i) {
    const size_t k = test.ScaleOf(i);
    in[i] = RandomValue(random, test.grid, test.scale[k], test.offset[k]);
  }
  for (const RoundingProfile profile : kProfiles) CheckVariants(test, in, profile, guard);
}

TEST(QuantizeAffine, RandomLayouts) {
  Random random(10);
  ASSERT_FALSE(QuantizeAffineVariants().empty());
  ForRandomLayouts(Cases(600), random, [&](const AffineCase& test) {
    if (!HasFatalFailure()) CheckCase(test, random);
  });
}

// Every size up to five vectors of every target, so that each tail comes up.
TEST(QuantizeAffine, SmallSizes) {
  Random random(11);
  for (size_t n = 0; n <= 330 && !HasFatalFailure(); ++n) CheckCase(AffineCase(n, 1, n + 1, random), random);
}

// Half-way values of a whole 16-bit grid, from far below to far above.
TEST(QuantizeAffine, AllTies) {
  constexpr int32_t kSteps = 140000;
  GuardedBuffer<float> in(kSteps);
  for (int32_t i = 0; i < kSteps; ++i) in[static_cast<size_t>(i)] = 0.25f * (static_cast<float>(i) - 70000.5f);
  Random random(12);
  AffineCase test(kSteps, 1, kSteps, random);
  test.grid = {16, true};
  test.type = CodeType::kS16;
  test.scale[0] = 0.25f;
  for (const int32_t offset : {0, 1, -32768, 30001}) {
    test.offset[0] = offset;
    for (const RoundingProfile profile : kProfiles) CheckVariants(test, in, profile, Guard::kAfter);
  }
}

}  // namespace
}  // namespace lq::testing
