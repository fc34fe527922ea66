#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reference/block_formats.h"
#include "runtime/quantize/block_rule.h"
#include "tests/support/float_case.h"

namespace lq::testing {
namespace {

using kernels::FloatType;
using kernels::QuantizeDequantizeBlocksVariants;

constexpr BlockElement kElements[] = {BlockElement::kE2M1, BlockElement::kE2M3, BlockElement::kE3M2,
                                      BlockElement::kE4M3, BlockElement::kE5M2, BlockElement::kInteger};

// What a tool has, or that with other blocks, or any other legal combination.
BlockFormat RandomBlockFormat(Random& random) {
  const BlockElement element = kElements[random.Size(0, 5)];
  const auto ties = static_cast<TieRounding>(random.Int(0, 2));
  const BlockFormat formats[] = {OnnxMx(element, ties),
                                 TorchMx(element, static_cast<BlockExponent>(random.Int(1, 3))),
                                 OnnxBfp(static_cast<int>(random.Int(10, 16)), ties),
                                 OnnxCompilerBfp(ties),
                                 OnnxBfpPrime(static_cast<int>(random.Int(11, 16)), ties),
                                 TorchBfp16(),
                                 TorchMxPairs(random.Chance(0.5) ? 5 : 8, 16)};
  BlockFormat format = formats[random.Size(0, std::size(formats) - 1)];
  if (random.Chance(0.5)) format.block_size = format.sub_block_size * random.Int(1, 50);
  if (format.exponent == BlockExponent::kFloor && random.Chance(0.2)) {
    format.sub_block_size = int64_t{1} << random.Int(0, 6);
    format.sub_block_shift_bits = static_cast<int>(random.Int(0, 4));
    format.block_size = format.sub_block_size * random.Int(1, 6);
  }
  if (random.Chance(0.1)) format.rounds_to_bfloat16_first = true;
  if (random.Chance(0.1)) format.non_finite = static_cast<NonFinite>(random.Int(0, 2));
  if (random.Chance(0.1)) format.negative_zero = static_cast<NegativeZero>(random.Int(0, 3));
  if (random.Chance(0.1)) format.zero_subnormals = !format.zero_subnormals;
  return format;
}

// Elements of one block are near each other; blocks may be anywhere, and rarely hold something special.
struct Values {
  explicit Values(Random& random)
      : exponent(static_cast<int>(random.Chance(0.3) ? random.Int(-150, 127) : random.Int(-20, 20))),
        ties(random.Chance(0.5)),
        special(random.Chance(0.1)) {}

  float Next(Random& random) const {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kSpecial[] = {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(), 0.0f, -0.0f, -1e-40f};
    if (special && random.Chance(0.1)) return kSpecial[random.Size(0, std::size(kSpecial) - 1)];
    if (random.Chance(0.05)) return random.Chance(0.5) ? 0.0f : -0.0f;
    const double units = ties ? static_cast<double>(random.Int(-512, 512)) / 256 : random.Real(-2, 2);
    const float x = static_cast<float>(std::ldexp(units, exponent - static_cast<int>(random.Int(0, 9))));
    if (random.Chance(0.05)) return std::nextafter(std::copysign(std::ldexp(1.0f, exponent), x), 0.0f);
    return std::isfinite(x) ? x : 3.4028235e38f;
  }

  int exponent;
  bool ties, special;
};

struct Case {
  BlockFormat format;
  FloatType type;
  size_t outer, length, inner;
  Guard guard;
  bool stream;

  std::string ToString() const {
    return "element " + std::to_string(static_cast<int>(format.element)) + ", bits " +
           std::to_string(format.integer_bits) + ", exponent " + std::to_string(static_cast<int>(format.exponent)) +
           ", block " + std::to_string(format.block_size) + ", sub-block " + std::to_string(format.sub_block_size) +
           ", ties " + std::to_string(static_cast<int>(format.ties)) + ", tensor " + std::to_string(outer) + " x " +
           std::to_string(length) + " x " + std::to_string(inner);
  }
};

// Fills `in`, and `expected` by the reference, block by block.
void Fill(const Case& test, Random& random, FloatBuffer& in, std::vector<float>& expected) {
  const size_t size = static_cast<size_t>(test.format.block_size);
  for (size_t line = 0; line < test.outer * test.inner; ++line) {
    const size_t base = line / test.inner * test.length * test.inner + line % test.inner;
    for (size_t begin = 0; begin < test.length; begin += size) {
      const size_t count = std::min(size, test.length - begin);
      const Values values(random);
      std::vector<float> x(count), y(count);
      for (size_t i = 0; i < count; ++i) {
        const size_t at = base + (begin + i) * test.inner;
        in.Set(at, values.Next(random));
        x[i] = in.Get(at);
      }
      reference::QuantizeDequantizeBlock(x, test.format, y);
      for (size_t i = 0; i < count; ++i) expected[base + (begin + i) * test.inner] = RoundToType(y[i], test.type);
    }
  }
}

void CheckCase(const Case& test, Random& random) {
  const size_t n = test.outer * test.length * test.inner;
  FloatBuffer in(n, test.type, test.guard);
  std::vector<float> expected(n);
  Fill(test, random, in, expected);
  for (const auto& variant : QuantizeDequantizeBlocksVariants()) {
    FloatBuffer out(n, test.type, test.guard);
    variant.run({in.data(), out.data(), test.type, test.outer, test.length * test.inner, test.length, test.inner,
                 test.inner, static_cast<size_t>(test.format.block_size), BlockRuleOf(test.format), test.stream});
    for (size_t i = 0; i < n; ++i) {
      ASSERT_TRUE(SameBits(out.Get(i), expected[i]))
          << variant.name << ", " << test.ToString() << ": element " << i << " = " << in.Get(i) << ": " << out.Get(i)
          << " instead of " << expected[i];
    }
  }
}

TEST(QuantizeDequantizeBlocks, RandomTensors) {
  Random random(57);
  ASSERT_FALSE(QuantizeDequantizeBlocksVariants().empty());
  for (size_t i = 0; i < Cases(1500) && !HasFatalFailure(); ++i) {
    const size_t inner = random.Chance(0.5) ? 1 : random.LogSize(1, 70);
    const auto type = random.Chance(0.6) ? FloatType::kF32 : static_cast<FloatType>(random.Int(0, 2));
    const Case test = {RandomBlockFormat(random), type,  random.Size(0, 4),
                       random.LogSize(1, 200),    inner, RandomGuard(random),
                       random.Chance(0.5)};
    ASSERT_TRUE(CheckBlockFormat(test.format).ok()) << CheckBlockFormat(test.format).message();
    CheckCase(test, random);
  }
}

// Only some of the columns, as a task has them: the others stay untouched.
TEST(QuantizeDequantizeBlocks, PartOfTheColumns) {
  Random random(58);
  constexpr size_t kLength = 40, kStride = 50, kWidth = 19;
  std::vector<float> in(kLength * kStride);
  for (float& x : in) x = random.Float(-3, 3);
  for (const auto& variant : QuantizeDequantizeBlocksVariants()) {
    std::vector<float> whole(in.size()), part(in.size(), -77.0f);
    kernels::QuantizeDequantizeBlocksArgs args{
        in.data(), whole.data(), FloatType::kF32, 1,  0,
        kLength,   kStride,      kStride,         32, BlockRuleOf(TorchMx(BlockElement::kE4M3, BlockExponent::kEven)),
        false};
    variant.run(args);
    args.in = in.data() + 7;
    args.out = part.data() + 7;
    args.width = kWidth;
    variant.run(args);
    for (size_t i = 0; i < in.size(); ++i) {
      const bool inside = i % kStride >= 7 && i % kStride < 7 + kWidth;
      ASSERT_TRUE(SameBits(part[i], inside ? whole[i] : -77.0f)) << variant.name << ": element " << i;
    }
  }
}

}  // namespace
}  // namespace lq::testing
