#include "kernels/amx_model.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/own_targets.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

using kernels::AmxModel;
using kernels::TileConfig;

// C 3 x 5 int32, A 3 x 8 bytes, B 2 x 5 quads: tiles 0, 1 and 2.
constexpr TileConfig kSmall = {1, 0, {}, {20, 8, 20}, {3, 3, 2}};

struct Operands {
  explicit Operands(Random& random) : a(3 * 8), b(2 * 20), c(3 * 5) {
    for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<uint8_t>(random.Int(0, 255));
    for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<int8_t>(random.Int(-128, 127));
    for (size_t i = 0; i < c.size(); ++i) c[i] = static_cast<int32_t>(random.Int(INT32_MIN, INT32_MAX));
  }
  GuardedBuffer<uint8_t> a;
  GuardedBuffer<int8_t> b;
  GuardedBuffer<int32_t> c;
};

template <class Tiles>
std::vector<int32_t> Product(const Operands& operands) {
  std::vector<int32_t> out(3 * 16, 77);
  Tiles::Configure(kSmall);
  Tiles::template Load<0>(operands.c.data(), 20);
  Tiles::template Load<1>(operands.a.data(), 8);
  Tiles::template Load<2>(operands.b.data(), 20);
  Tiles::template DotU8S8<0, 1, 2>();
  Tiles::template Store<0>(out.data(), 64);
  Tiles::Release();
  return out;
}

// Tiles that are not full read and write only their own rows and bytes.
TEST(AmxModel, MultipliesSmallTiles) {
  Random random(17);
  for (size_t i = 0; i < Cases(100); ++i) {
    const Operands x(random);
    const std::vector<int32_t> out = Product<AmxModel>(x);
    for (size_t m = 0; m < 3; ++m) {
      for (size_t n = 0; n < 16; ++n) {
        if (n >= 5) {
          EXPECT_EQ(out[m * 16 + n], 77);
          continue;
        }
        int64_t sum = x.c[m * 5 + n];
        for (size_t k = 0; k < 8; ++k) sum += int64_t{x.a[m * 8 + k]} * x.b[k / 4 * 20 + n * 4 + k % 4];
        EXPECT_EQ(out[m * 16 + n], static_cast<int32_t>(static_cast<uint32_t>(sum))) << m << ", " << n;
      }
    }
  }
}

// A load leaves zeros behind its rows and bytes; so does the configuration.
TEST(AmxModel, TheRestIsZero) {
  constexpr TileConfig kMixed = {1, 0, {}, {64, 20}, {16, 3}};
  const std::vector<uint8_t> ones(1024, 1);
  std::vector<uint8_t> out(1024, 2);
  AmxModel::Configure(kMixed);
  AmxModel::Load<0>(ones.data(), 64);
  AmxModel::Configure(kMixed);
  AmxModel::Store<0>(out.data(), 64);
  EXPECT_EQ(out, std::vector<uint8_t>(1024, 0));
  AmxModel::Load<0>(ones.data(), 64);
  AmxModel::Zero<0>();
  AmxModel::Store<0>(out.data(), 64);
  EXPECT_EQ(out, std::vector<uint8_t>(1024, 0));
  AmxModel::Release();
}

// 64 bytes of A are 16 quads; B has 15.
void MultiplyMismatchedTiles() {
  AmxModel::Configure({1, 0, {}, {64, 64, 64}, {16, 16, 15}});
  AmxModel::DotU8S8<0, 1, 2>();
}

TEST(AmxModelDeathTest, StopsWhereTheCpuRaisesAnException) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(AmxModel::Zero<0>(), "");  // no configuration
  EXPECT_DEATH(AmxModel::Configure({2, 0, {}, {64}, {16}}), "");
  EXPECT_DEATH(AmxModel::Configure({1, 0, {}, {65}, {16}}), "");
  EXPECT_DEATH(MultiplyMismatchedTiles(), "");
}

#if defined(__x86_64__)
TEST(AmxModel, AgreesWithTheInstructions) {
  const std::string why_not = kernels::WhyNotAmx(kernels::Amx());
  if (!why_not.empty()) GTEST_SKIP() << "AMX: " << why_not;
  Random random(18);
  for (size_t i = 0; i < Cases(1000); ++i) {
    const Operands x(random);
    EXPECT_EQ(Product<kernels::AmxTiles>(x), Product<AmxModel>(x));
  }
}
#endif

TEST(WhyNotAmx, SaysWhoRefuses) {
  EXPECT_EQ(kernels::WhyNotAmx({true, true, 0}), "");
  EXPECT_EQ(kernels::WhyNotAmx({false, false, 0}), "not supported by this CPU");
  EXPECT_EQ(kernels::WhyNotAmx({true, false, 0}), "not enabled by the operating system");
  EXPECT_EQ(kernels::WhyNotAmx({true, true, ENOSPC}), "refused by the kernel (arch_prctl: No space left on device)");
}

}  // namespace
}  // namespace lq::testing
