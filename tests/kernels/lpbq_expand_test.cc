#include <gtest/gtest.h>

#include <vector>

#include "kernels/contracts.h"
#include "kernels/reference/reference.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

using kernels::LpbqExpandVariants;

// Codes of -8..7 with scales of 1..16; where scales are larger, codes whose products still fit s8.
void CheckCase(size_t n, size_t block, Random& random) {
  const Guard guard = random.Chance(0.7) ? Guard::kAfter : Guard::kBefore;
  const size_t blocks = (n + block - 1) / block;
  const bool stream = random.Chance(0.5);
  GuardedBuffer<uint8_t> packed((n + 1) / 2, guard), scale(blocks, guard);
  for (size_t i = 0; i < packed.size(); ++i) packed[i] = static_cast<uint8_t>(random.Int(0, 255));
  for (size_t i = 0; i < blocks; ++i) scale[i] = static_cast<uint8_t>(random.Int(1, 16));
  if (random.Chance(0.2)) {  // codes of -1..1 with scales of up to 127
    for (size_t i = 0; i < packed.size(); ++i) {
      packed[i] = static_cast<uint8_t>((random.Int(-1, 1) & 15) * 16 + (random.Int(-1, 1) & 15));
    }
    for (size_t i = 0; i < blocks; ++i) scale[i] = static_cast<uint8_t>(random.Int(1, 127));
  }
  std::vector<int32_t> expected(n);
  reference::LpbqExpand({packed.data(), packed.size()}, {scale.data(), scale.size()}, block, expected);
  for (const auto& variant : LpbqExpandVariants()) {
    GuardedBuffer<int8_t> out(n, guard);
    variant.run({packed.data(), scale.data(), n, block, out.data(), stream});
    for (size_t i = 0; i < n; ++i) {
      ASSERT_EQ(out[i], expected[i]) << variant.name << ", n " << n << ", block " << block << ": element " << i;
    }
  }
}

TEST(LpbqExpand, RandomSizes) {
  Random random(30);
  ASSERT_FALSE(LpbqExpandVariants().empty());
  for (size_t i = 0; i < Cases(3000) && !HasFatalFailure(); ++i) {
    CheckCase(random.Chance(0.05) ? 0 : random.LogSize(1, random.Chance(0.1) ? 10000 : 1500), random.LogSize(1, 400),
              random);
  }
}

// The blocks that models have; whole blocks and a last one cut short.
TEST(LpbqExpand, BlocksOfModels) {
  Random random(31);
  for (size_t block : {16, 32, 64, 128, 256}) {
    for (size_t n = 0; n <= 300 && !HasFatalFailure(); ++n) CheckCase(n, block, random);
  }
}

// Every code with every scale.
TEST(LpbqExpand, AllProducts) {
  for (int scale_value = 1; scale_value <= 16; ++scale_value) {
    GuardedBuffer<uint8_t> packed(256), scale(1);
    for (size_t i = 0; i < 256; ++i) packed[i] = static_cast<uint8_t>(i);
    scale[0] = static_cast<uint8_t>(scale_value);
    for (const auto& variant : LpbqExpandVariants()) {
      GuardedBuffer<int8_t> out(512);
      variant.run({packed.data(), scale.data(), 512, 512, out.data()});
      for (int i = 0; i < 512; ++i) {
        const int nibble = i % 2 == 0 ? i / 2 % 16 : i / 32;
        ASSERT_EQ(out[static_cast<size_t>(i)], (nibble < 8 ? nibble : nibble - 16) * scale_value) << variant.name;
      }
    }
  }
}

}  // namespace
}  // namespace lq::testing
