#include "kernels/reference/min_max.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "kernels/contracts_min_max.h"
#include "kernels/reference/small_floats.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

using kernels::FloatType;
using kernels::MinMaxVariants;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Any NaN equals any NaN; zeros differ.
bool SameBits(float a, float b) {
  return std::isnan(a) ? std::isnan(b) : std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

float RandomValue(Random& random, double special) {
  constexpr float kSpecial[] = {0.0f, -0.0f, 1e-45f, -1e-45f, 6e-8f, -6e-8f, 65504.0f, kInfinity, -kInfinity, kNaN};
  if (random.Chance(special)) return kSpecial[random.Size(0, std::size(kSpecial) - 1)];
  return random.Float(-3, 3) * std::exp(random.Float(-9, 9));
}

constexpr size_t kMostGroups = 100, kMostPlaces = 80;

// What a kernel reads, and the same as floats.
struct Input {
  const void* data;
  FloatType type;
  std::span<const float> values;
};

// What kernels write: the last `count` floats before guard pages. Mapped once, as mapping takes longer than most cases.
class Outputs {
 public:
  float* Min(size_t count) { return min_.end() - count; }
  float* Max(size_t count) { return max_.end() - count; }

 private:
  GuardedBuffer<float> min_{kMostGroups}, max_{kMostGroups};
};

// `n` values of a type that end, or begin, at a guard page.
struct Tensor {
  Tensor(FloatType float_type, size_t n, double special, Random& random)
      : type(float_type),
        bytes(n * (type == FloatType::kF32 ? 4 : 2), random.Chance(0.7) ? Guard::kAfter : Guard::kBefore) {
    for (size_t i = 0; i < n; ++i) {
      float value = RandomValue(random, special);
      if (type == FloatType::kF32) {
        std::memcpy(bytes.data() + 4 * i, &value, 4);
      } else {
        const bool half = type == FloatType::kF16;
        const uint16_t bits = half ? reference::F16Bits(value) : reference::BF16Bits(value);
        std::memcpy(bytes.data() + 2 * i, &bits, 2);
        value = half ? reference::FloatOfF16(bits) : reference::FloatOfBF16(bits);
      }
      values.push_back(value);
    }
  }
  Input input() const { return {bytes.data(), type, values}; }

  FloatType type;
  GuardedBuffer<std::byte> bytes;
  std::vector<float> values;
};

void CheckCase(const Input& in, size_t run, size_t count, Random& random, Outputs& outputs) {
  const size_t n = in.values.size();
  std::vector<reference::Extremes> expected(count, {kInfinity, -kInfinity});
  for (auto& extremes : expected) {  // what earlier calls left there
    if (random.Chance(0.3)) extremes = reference::Include(extremes, RandomValue(random, 0.1));
  }
  const std::vector<reference::Extremes> start = expected;
  for (size_t i = 0; i < n; ++i) {
    reference::Extremes& group = expected[i / run % count];
    group = reference::Include(group, in.values[i]);
  }
  float *min = outputs.Min(count), *max = outputs.Max(count);
  for (const auto& variant : MinMaxVariants()) {
    for (size_t i = 0; i < count; ++i) min[i] = start[i].min, max[i] = start[i].max;
    variant.run({in.data, in.type, n, run, count, min, max});
    for (size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(SameBits(min[i], expected[i].min) && SameBits(max[i], expected[i].max))
          << variant.name << ", type " << static_cast<int>(in.type) << ", n " << n << ", run " << run << ", count "
          << count << ": group " << i << " has " << min[i] << ", " << max[i] << ", not " << expected[i].min << ", "
          << expected[i].max;
    }
  }
}

// Per tensor, per channel, per block, along the last axis.
TEST(MinMax, RandomLayouts) {
  Random random(50);
  Outputs outputs;
  ASSERT_FALSE(MinMaxVariants().empty());
  for (size_t i = 0; i < Cases(3000) && !HasFatalFailure(); ++i) {
    const FloatType type = static_cast<FloatType>(random.Int(0, 2));
    const size_t n = random.Chance(0.03) ? 0 : random.LogSize(1, 1200);
    const size_t run = random.Chance(0.3) ? 1 : random.LogSize(1, 300), count = random.LogSize(1, kMostGroups);
    const Tensor tensor(type, n, random.Chance(0.3) ? 0.05 : 0.0, random);
    CheckCase(tensor.input(), run, count, random, outputs);
  }
}

// A NaN, an infinity and each extreme at every place around the sizes of vectors.
TEST(MinMax, EveryPlace) {
  Random random(51);
  Outputs outputs;
  GuardedBuffer<float> memory(kMostPlaces);
  for (const float mark : {kNaN, kInfinity, -kInfinity, -99.0f, 99.0f, -0.0f}) {
    const float other = mark == 0 ? 0.0f : 1.5f;
    for (size_t n = 1; n <= kMostPlaces && !HasFatalFailure(); ++n) {
      const std::span<float> values(memory.end() - n, n);
      std::fill(values.begin(), values.end(), other);
      for (float& place : values) {
        place = mark;
        CheckCase({values.data(), FloatType::kF32, values}, n, 1, random, outputs);
        CheckCase({values.data(), FloatType::kF32, values}, 1, n, random, outputs);
        place = other;
      }
    }
  }
}

}  // namespace
}  // namespace lq::testing
