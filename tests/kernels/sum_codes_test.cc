#include <gtest/gtest.h>

#include <cstring>

#include "kernels/contracts_pack.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

template <class T>
void Check(size_t rows, size_t n, size_t padding, bool largest, Random& random) {
  const size_t stride = n + padding;
  GuardedBuffer<T> in((rows - 1) * stride + n);
  const auto top = static_cast<int64_t>(static_cast<T>(~T{0}));
  for (T& code : in) code = static_cast<T>(largest ? top : random.Int(0, top));
  for (const auto& variant : kernels::SumCodesVariants()) {
    GuardedBuffer<double> out(rows);
    variant.run({in.data(), sizeof(T) == 2, rows, n, stride * sizeof(T), out.data()});
    for (size_t row = 0; row < rows; ++row) {
      uint64_t sum = 0;
      for (size_t i = 0; i < n; ++i) sum += in[row * stride + i];
      ASSERT_EQ(out[row], static_cast<double>(sum)) << variant.name << " n " << n;
    }
  }
}

TEST(SumCodes, RandomRows) {
  Random random(95);
  for (size_t i = 0; i < Cases(1000); ++i) {
    const size_t rows = random.LogSize(1, 20), n = random.LogSize(1, 1000), padding = random.Size(0, 9);
    Check<uint8_t>(rows, n, padding, false, random);
    Check<uint16_t>(rows, n, padding, false, random);
  }
}

// Where sums of 16-bit codes must leave 32 bits.
TEST(SumCodes, LongRows) {
  Random random(96);
  Check<uint8_t>(1, 3'000'001, 0, true, random);
  Check<uint16_t>(1, 3'000'001, 0, true, random);
}

}  // namespace
}  // namespace lq::testing
