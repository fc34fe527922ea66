#include <gtest/gtest.h>

#include "tests/support/float_case.h"

namespace lq::testing {
namespace {

using kernels::DequantizeFloatVariants;
using kernels::FloatType;

constexpr FloatFormat kCoded[] = {kFloat8E4M3Fn, kFloat8E4M3FnUz, kFloat8E5M2,  kFloat8E5M2FnUz,
                                  kFloat6E2M3Fn, kFloat6E3M2Fn,   kFloat4E2M1Fn};

void CheckRandom(size_t n, const FloatFormat& format, Random& random) {
  const auto type = static_cast<FloatType>(random.Int(0, 2));
  const bool packed = format.bits() == 4 && random.Chance(0.7), stream = random.Chance(0.5);
  const FloatLayout layout(n, random);
  const Guard guard = RandomGuard(random);
  GuardedBuffer<uint8_t> in(packed ? (n + 1) / 2 : n, guard);
  const int64_t top = packed ? 255 : (1 << format.bits()) - 1;
  for (uint8_t& byte : in) byte = static_cast<uint8_t>(random.Int(0, top));
  for (const auto& variant : DequantizeFloatVariants()) {
    FloatBuffer out(n, type, guard);
    variant.run({in.data(), packed, n, layout.layout, format.mantissa_bits, format.unsigned_zero, CodeOf(format),
                 out.data(), type, stream});
    for (size_t i = 0; i < n; ++i) {
      const auto code = static_cast<uint8_t>(packed ? (in[i / 2] >> i % 2 * 4) & 15 : in[i]);
      const float expected = RoundToType(reference::ValueOfCode(code, format) * layout.ScaleOf(i), type);
      ASSERT_TRUE(SameBits(out.Get(i), expected))
          << variant.name << ", " << NameOf(format) << ", " << layout.ToString() << ": element " << i << ", code "
          << int{code} << ": " << out.Get(i) << " instead of " << expected;
    }
  }
}

TEST(DequantizeFloat, RandomLayouts) {
  Random random(55);
  ASSERT_FALSE(DequantizeFloatVariants().empty());
  for (size_t i = 0; i < Cases(300) && !HasFatalFailure(); ++i) {
    CheckRandom(random.LogSize(1, 2000), kCoded[random.Size(0, std::size(kCoded) - 1)], random);
  }
}

TEST(DequantizeFloat, SmallSizes) {
  Random random(56);
  for (size_t n = 0; n <= 200 && !HasFatalFailure(); ++n) {
    CheckRandom(n, kCoded[n % std::size(kCoded)], random);
  }
}

}  // namespace
}  // namespace lq::testing
