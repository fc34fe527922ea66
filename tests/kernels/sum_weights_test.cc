#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "kernels/contracts_pack.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

void Check(size_t block, size_t blocks, bool scaled, bool extreme, Random& random) {
  GuardedBuffer<int8_t> codes(block * blocks);
  GuardedBuffer<uint32_t> scale(blocks);
  for (int8_t& code : codes) code = static_cast<int8_t>(extreme ? -128 : random.Int(-128, 127));
  for (uint32_t& s : scale) s = static_cast<uint32_t>(extreme ? 255 : random.Int(1, 255));
  int64_t sum = 0, absolute = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    const int64_t w = codes[i] * (scaled ? int64_t{scale[i / block]} : 1);
    sum += w;
    absolute += std::abs(w);
  }
  for (const auto& variant : kernels::SumWeightsVariants()) {
    int32_t got = 0, got_absolute = 0;
    variant.run({codes.data(), codes.size(), block, scaled ? scale.data() : nullptr, &got, &got_absolute});
    ASSERT_EQ(got, sum) << variant.name << " block " << block << " x " << blocks;
    ASSERT_EQ(got_absolute, absolute) << variant.name << " block " << block << " x " << blocks;
  }
}

TEST(SumWeights, Random) {
  Random random(95);
  for (size_t i = 0; i < Cases(1000); ++i) {
    Check(random.LogSize(1, 400), random.LogSize(1, 40), random.Chance(0.5), false, random);
    if (HasFatalFailure()) return;
  }
}

TEST(SumWeights, LargestSums) {
  Random random(96);
  Check(65792, 1, true, true, random);  // 2^31 - 3 * 2^15
  Check(1, 65792, true, true, random);
  Check((size_t{1} << 24) - 1, 1, false, true, random);  // 2^31 - 128
}

}  // namespace
}  // namespace lq::testing
