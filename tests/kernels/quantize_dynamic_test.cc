#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/contracts_quantize.h"
#include "kernels/reference/dynamic.h"
#include "tests/support/affine_case.h"

namespace lq::testing {
namespace {

using kernels::CodeType;
using kernels::QuantizeDynamicVariants;

struct Expected {
  std::vector<float> scale;
  std::vector<int> codes;
};

Expected ExpectedOf(std::span<const float> in, size_t block, int qmax) {
  Expected expected;
  for (size_t begin = 0; begin < in.size(); begin += block) {
    const auto values = in.subspan(begin, std::min(block, in.size() - begin));
    const float scale = reference::DynamicScale(values, qmax);
    expected.scale.push_back(scale);
    for (const float x : values) expected.codes.push_back(reference::DynamicCode(x, scale, qmax));
  }
  return expected;
}

void CheckVariants(std::span<const float> in, size_t block, CodeType type, bool stream, Guard guard) {
  const Expected expected = ExpectedOf(in, block, type == CodeType::kS4 ? 7 : 127);
  for (const auto& variant : QuantizeDynamicVariants()) {
    GuardedBuffer<float> scale(expected.scale.size(), guard);
    GuardedBuffer<std::byte> out(BytesOf(type, in.size()), guard);
    variant.run({in.data(), in.size(), block, type, scale.data(), out.data(), stream});
    for (size_t j = 0; j < scale.size(); ++j) {
      ASSERT_EQ(std::bit_cast<uint32_t>(scale[j]), std::bit_cast<uint32_t>(expected.scale[j]))
          << variant.name << ", n " << in.size() << ", blocks of " << block << ": scale " << j;
    }
    for (size_t i = 0; i < in.size(); ++i) {
      ASSERT_EQ(CodeAt(out.data(), type, i), expected.codes[i])
          << variant.name << ", n " << in.size() << ", blocks of " << block << ": element " << i << " = " << in[i]
          << ", scale " << expected.scale[i / block];
    }
  }
}

// Blocks of any magnitude, zeros, subnormals; some with ties, infinities or NaN.
void FillBlock(std::span<float> values, Random& random) {
  const float size = random.Chance(0.1)   ? 0.0f
                     : random.Chance(0.1) ? std::ldexp(1.0f, static_cast<int>(random.Int(-149, 127)))
                                          : std::exp(random.Float(-8, 8));
  const bool ties = random.Chance(0.3), special = random.Chance(0.1);
  for (float& x : values) {
    x = random.Float(-1, 1) * size;
    if (ties) x = static_cast<float>(random.Int(-254, 254)) * size;  // half the largest code is a tie
    if (special && random.Chance(0.1)) {
      x = random.Chance(0.5) ? std::numeric_limits<float>::quiet_NaN()
                             : std::copysign(std::numeric_limits<float>::infinity(), random.Float(-1, 1));
    }
  }
}

TEST(QuantizeDynamic, RandomCases) {
  Random random(50);
  ASSERT_FALSE(QuantizeDynamicVariants().empty());
  for (size_t i = 0; i < Cases(1500) && !HasFatalFailure(); ++i) {
    const size_t n = random.Chance(0.05) ? 0 : random.LogSize(1, 5000), block = random.Chance(0.5) ? 32 : 64;
    const Guard guard = AffineCase::GuardOf(random);
    GuardedBuffer<float> in(n, guard);
    for (size_t begin = 0; begin < n; begin += block) {
      FillBlock(std::span<float>(in).subspan(begin, std::min(block, n - begin)), random);
    }
    CheckVariants({in.data(), n}, block, random.Chance(0.5) ? CodeType::kS8 : CodeType::kS4, random.Chance(0.3), guard);
  }
}

}  // namespace
}  // namespace lq::testing
