#include "runtime/plan/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/random.h"

namespace lq {
namespace {

TEST(MemoryPlan, LivingTensorsNeverOverlap) {
  testing::Random random(61);
  for (size_t i = 0; i < testing::Cases(200); ++i) {
    std::vector<Lifetime> lifetimes(random.Size(0, 30));
    for (Lifetime& l : lifetimes) {
      l.first = random.Size(0, 20);
      l.last = l.first + random.Size(0, 6);
      l.bytes = random.LogSize(1, 5000);
    }
    const MemoryPlan plan = PlanMemory(lifetimes);
    for (size_t a = 0; a < lifetimes.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % 64, 0u);
      EXPECT_LE(plan.offsets[a] + lifetimes[a].bytes, plan.bytes);
      for (size_t b = 0; b < a; ++b) {
        const bool together = lifetimes[a].first <= lifetimes[b].last && lifetimes[b].first <= lifetimes[a].last;
        const bool apart = plan.offsets[a] + lifetimes[a].bytes <= plan.offsets[b] ||
                           plan.offsets[b] + lifetimes[b].bytes <= plan.offsets[a];
        ASSERT_TRUE(!together || apart) << "case " << i << ": tensors " << a << " and " << b;
      }
    }
  }
}

// A chain needs its two largest neighbours, not its sum.
TEST(MemoryPlan, ChainSharesMemory) {
  std::vector<Lifetime> chain;
  for (size_t i = 0; i < 10; ++i) chain.push_back({1024, i, i + 1});
  EXPECT_EQ(PlanMemory(chain).bytes, 2048u);
}

}  // namespace
}  // namespace lq
