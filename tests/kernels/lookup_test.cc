#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/contracts.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

using kernels::LookupVariants;

void CheckCase(size_t n, bool in_place, Random& random) {
  const Guard guard = random.Chance(0.5) ? Guard::kAfter : Guard::kBefore;
  GuardedBuffer<uint8_t> in(n, guard), table(256, guard);
  for (uint8_t& code : in) code = static_cast<uint8_t>(random.Int(0, 255));
  for (uint8_t& code : table) code = static_cast<uint8_t>(random.Int(0, 255));
  for (const auto& variant : LookupVariants()) {
    GuardedBuffer<uint8_t> out(n, guard);
    if (in_place) std::copy_n(in.data(), n, out.data());
    variant.run({in_place ? out.data() : in.data(), n, table.data(), out.data()});
    for (size_t i = 0; i < n; ++i) {
      ASSERT_EQ(int{out[i]}, int{table[in[i]]}) << variant.name << ", n " << n << ": element " << i << " = " << in[i];
    }
  }
}

TEST(Lookup, Sizes) {
  Random random(40);
  ASSERT_FALSE(LookupVariants().empty());
  for (size_t n = 0; n <= 330 && !HasFatalFailure(); ++n) {
    CheckCase(n, false, random);
    CheckCase(n, true, random);
  }
  for (size_t n : {997, 4096, 10007}) CheckCase(n, false, random);
}

// Every code in every lane, and a table in which every entry differs.
TEST(Lookup, EveryCodeInEveryLane) {
  GuardedBuffer<uint8_t> in(256), table(256);
  for (size_t i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(i * 37 + 11);
  for (size_t shift = 0; shift < 256; ++shift) {
    for (size_t i = 0; i < 256; ++i) in[i] = static_cast<uint8_t>(i + shift);
    for (const auto& variant : LookupVariants()) {
      GuardedBuffer<uint8_t> out(256);
      variant.run({in.data(), 256, table.data(), out.data()});
      for (size_t i = 0; i < 256; ++i) {
        ASSERT_EQ(int{out[i]}, static_cast<int>((i + shift) % 256 * 37 + 11) % 256) << variant.name;
      }
    }
  }
}

}  // namespace
}  // namespace lq::testing
