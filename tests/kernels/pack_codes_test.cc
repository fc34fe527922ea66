#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/contracts_pack.h"
#include "kernels/packing.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

struct PackCase {
  size_t n, k, stride;
  bool channels_are_rows, flip;
};

// The contract: what PackS8 makes of the same weights.
void Check(const PackCase& c, Random& random) {
  const size_t rows = c.channels_are_rows ? c.n : c.k, columns = c.channels_are_rows ? c.k : c.n;
  GuardedBuffer<uint8_t> in((rows - 1) * c.stride + columns);
  for (uint8_t& byte : in) byte = static_cast<uint8_t>(random.Int(0, 255));
  std::vector<int32_t> weights(c.n * c.k);
  std::vector<double> sums(64);
  for (size_t channel = 0; channel < c.n; ++channel) {
    for (size_t k = 0; k < c.k; ++k) {
      const uint8_t byte = in[c.channels_are_rows ? channel * c.stride + k : k * c.stride + channel];
      const int32_t weight = c.flip ? byte - 128 : byte < 128 ? byte : byte - 256;
      weights[channel * c.k + k] = weight;
      sums[channel] += weight;
    }
  }
  std::vector<int8_t> expected(kernels::PackedS8Bytes(c.n, c.k));
  kernels::PackS8(weights.data(), c.n, c.k, expected.data());
  for (const auto& variant : kernels::PackCodesVariants()) {
    GuardedBuffer<int8_t> out(expected.size());
    GuardedBuffer<double> weight_sum(64);
    variant.run({in.data(), c.n, c.k, c.stride, c.channels_are_rows, c.flip, out.data(), weight_sum.data()});
    ASSERT_EQ(std::memcmp(out.data(), expected.data(), expected.size()), 0)
        << variant.name << " n " << c.n << " k " << c.k << " rows are channels " << c.channels_are_rows;
    for (size_t i = 0; i < 64; ++i) ASSERT_EQ(weight_sum[i], sums[i]) << variant.name << " channel " << i;
  }
}

TEST(PackCodes, RandomPanels) {
  Random random(93);
  for (size_t i = 0; i < Cases(1000); ++i) {
    PackCase c{random.LogSize(1, 64), random.LogSize(1, 300), 0, random.Chance(0.5), random.Chance(0.5)};
    c.stride = (c.channels_are_rows ? c.k : c.n) + (random.Chance(0.5) ? random.Size(0, 70) : 0);
    Check(c, random);
    if (HasFatalFailure()) return;
  }
}

TEST(PackCodes, EveryWidth) {
  Random random(94);
  for (size_t n = 1; n <= 64; ++n) {
    for (size_t k : {1, 3, 4, 15, 16, 17, 63, 64}) {
      Check({n, k, n, false, true}, random);
      Check({n, k, k, true, false}, random);
    }
  }
}

}  // namespace
}  // namespace lq::testing
