// Block formats as codes and powers of two.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/reference/block_formats.h"
#include "kernels/reference/float_formats.h"
#include "kernels/reference/small_floats.h"
#include "lanequant/block_quantize.h"
#include "lanequant/target.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/format_golden.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

constexpr BlockElement kElements[] = {BlockElement::kE2M1, BlockElement::kE2M3, BlockElement::kE3M2,
                                      BlockElement::kE4M3, BlockElement::kE5M2, BlockElement::kInteger};
constexpr FloatFormat kFormats[] = {kFloat4E2M1Fn, kFloat6E2M3Fn, kFloat6E3M2Fn, kFloat8E4M3Fn, kFloat8E5M2};

template <class T>
TensorView View(DType dtype, Shape shape, std::vector<T>& values) {
  return {dtype, shape, std::as_writable_bytes(std::span(values))};
}

struct Codes {
  Codes(DType type, const Shape& tensor, const Shape& blocks)
      : dtype(type),
        shape(tensor),
        scale_shape(blocks),
        bytes(BytesOf(type, tensor.NumElements())),
        scales(static_cast<size_t>(blocks.NumElements())) {}

  TensorView view() { return View(dtype, shape, bytes); }
  TensorView scale_view() { return View(DType::kU8, scale_shape, scales); }

  DType dtype;
  Shape shape, scale_shape;
  std::vector<std::byte> bytes;
  std::vector<uint8_t> scales;
};

TEST(BlockCodes, EqualQuarksFiles) {
  const GoldenCases golden("block_formats/block_codes.npz");
  ASSERT_EQ(golden.cases().size(), 6u);
  for (const TargetInfo& target : CompiledTargets()) {
    if (!target.supported || target.name == "AMX") continue;
    for (const auto& [name, arrays] : golden.cases()) {
      const auto element = static_cast<BlockElement>(ValuesOf<int32_t>(arrays.at("element"))[0]);
      const BlockFormat format = TorchMx(element, BlockExponent::kEven);
      const NamedArray& x = arrays.at("x");
      Codes codes(element == BlockElement::kE2M1 ? DType::kU4 : DType::kU8, x.shape, arrays.at("scales").shape);
      const BulkOptions options{nullptr, target.name};
      Status status = QuantizeBlocks(x.view(), format, -1, codes.view(), codes.scale_view(), options);
      ASSERT_TRUE(status.ok()) << name << ": " << status.message();
      EXPECT_EQ(codes.bytes, arrays.at("codes").bytes) << name << ", " << target.name;
      EXPECT_EQ(codes.scales, ValuesOf<uint8_t>(arrays.at("scales"))) << name << ", " << target.name;
      const std::vector<float> expected = ValuesOf<float>(arrays.at("y"));
      std::vector<float> y(expected.size());
      status = DequantizeBlocks(codes.view(), codes.scale_view(), format, -1, View(DType::kF32, x.shape, y), options);
      ASSERT_TRUE(status.ok()) << name << ": " << status.message();
      EXPECT_EQ(y, expected) << name << ", " << target.name;
    }
  }
}

TEST(BlockCodes, SixBitsArePackedAsInQuarksFiles) {
  const GoldenCases golden("block_formats/block_codes.npz"), files("block_formats/packed_codes.npz");
  ASSERT_EQ(files.cases().size(), 4u);
  for (const auto& [name, file] : files.cases()) {
    const auto& arrays = golden.cases().at(name);
    const auto element = static_cast<BlockElement>(ValuesOf<int32_t>(arrays.at("element"))[0]);
    const BlockFormat format = TorchMx(element, BlockExponent::kEven);
    Codes codes(DType::kU6, arrays.at("x").shape, arrays.at("scales").shape);
    ASSERT_TRUE(QuantizeBlocks(arrays.at("x").view(), format, -1, codes.view(), codes.scale_view()).ok()) << name;
    EXPECT_EQ(codes.bytes, file.at("packed").bytes) << name;
    std::vector<float> y(static_cast<size_t>(codes.shape.NumElements()));
    const TensorView out = View(DType::kF32, codes.shape, y);
    ASSERT_TRUE(DequantizeBlocks(codes.view(), codes.scale_view(), format, -1, out).ok()) << name;
    EXPECT_EQ(y, ValuesOf<float>(arrays.at("y"))) << name;
  }
}

// A tensor [outer][blocks * size][inner] that a format with codes takes.
struct Case {
  explicit Case(Random& random) {
    const BlockElement element = kElements[random.Size(0, 5)];
    const BlockFormat formats[] = {OnnxMx(element, TieRounding::kEven),
                                   TorchMx(element, static_cast<BlockExponent>(random.Int(1, 3))),
                                   OnnxBfp(static_cast<int>(random.Int(10, 23)), TieRounding::kEven),
                                   OnnxCompilerBfp(TieRounding::kEven), TorchBfp16()};
    format = formats[random.Size(0, std::size(formats) - 1)];
    if (random.Chance(0.5)) format.block_size = random.Int(1, 70);
    outer = random.Size(1, 4);
    blocks = random.Size(1, 5);
    inner = random.Chance(0.5) ? 1 : random.LogSize(1, 70);
    const bool integer = format.element == BlockElement::kInteger;
    const bool small = integer ? format.integer_bits <= 7 : format.element == BlockElement::kE2M1;
    const bool six = format.element == BlockElement::kE2M3 || format.element == BlockElement::kE3M2;
    const DType most = integer ? DType::kS16 : six && random.Chance(0.7) ? DType::kU6 : DType::kU8;
    codes = small && random.Chance(0.7) ? integer ? DType::kS8 : DType::kU4 : most;
    type = random.Chance(0.6) ? DType::kF32 : random.Chance(0.5) ? DType::kF16 : DType::kBF16;
  }

  size_t size() const { return static_cast<size_t>(format.block_size); }
  size_t elements() const { return outer * blocks * size() * inner; }
  Shape shape() const {
    return {static_cast<int64_t>(outer), static_cast<int64_t>(blocks * size()), static_cast<int64_t>(inner)};
  }
  Shape scale_shape() const {
    return {static_cast<int64_t>(outer), static_cast<int64_t>(blocks), static_cast<int64_t>(inner)};
  }
  // Element i of block b.
  size_t At(size_t b, size_t i) const { return (b / inner * size() + i) * inner + b % inner; }

  BlockFormat format;
  size_t outer, blocks, inner;
  DType codes, type;
};

void Set(DType type, std::vector<std::byte>& bytes, size_t i, float x) {
  const uint16_t bits = type == DType::kF16 ? reference::F16Bits(x) : reference::BF16Bits(x);
  if (type == DType::kF32) {
    std::memcpy(bytes.data() + 4 * i, &x, 4);
  } else {
    std::memcpy(bytes.data() + 2 * i, &bits, 2);
  }
}

float Rounded(DType type, float x) {
  std::vector<std::byte> bytes(4);
  Set(type, bytes, 0, x);
  return FloatAt(type, bytes.data(), 0);
}

// code * 2^(scale - 127), as the header says it.
double ValueAt(const Case& test, const Codes& codes, size_t i, uint8_t scale) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(codes.bytes[at]); };
  const int exponent = scale - 127;
  if (test.format.element != BlockElement::kInteger) {
    const size_t bits = BitsOf(test.codes), past = i * bits % 8, last = (i * bits + bits - 1) / 8;
    const uint32_t word = byte(i * bits / 8) | uint32_t{byte(last)} << 8 * (last - i * bits / 8);
    const auto code = static_cast<uint8_t>(word >> past & ((1u << bits) - 1));
    return std::ldexp(reference::ValueOfCode(code, kFormats[static_cast<size_t>(test.format.element)]), exponent);
  }
  int16_t code = static_cast<int8_t>(byte(i));
  if (test.codes == DType::kS16) std::memcpy(&code, codes.bytes.data() + 2 * i, 2);
  return std::ldexp(code, exponent - (test.format.integer_bits - 1));
}

// One block: codes times scale, and what DequantizeBlocks made of them, against the reference.
void CheckBlock(const Case& test, size_t block, const std::vector<std::byte>& in, const Codes& codes,
                const std::vector<std::byte>& out, const std::string& what) {
  std::vector<float> x(test.size()), y(x.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = FloatAt(test.type, in.data(), test.At(block, i));
  reference::QuantizeDequantizeBlock(x, test.format, y);
  const bool finite = std::all_of(x.begin(), x.end(), [](float v) { return std::isfinite(v); });
  ASSERT_EQ(codes.scales[block] == 255, !finite) << what << ": block " << block;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t at = test.At(block, i);
    float expected = finite ? y[i] : std::numeric_limits<float>::quiet_NaN();
    if (test.format.element == BlockElement::kInteger) expected += 0.0f;
    const float read = FloatAt(test.type, out.data(), at);
    ASSERT_TRUE(SameFloat(read, Rounded(test.type, expected)))
        << what << ": block " << block << ", element " << i << " = " << x[i] << ": " << read << " for " << expected;
    if (finite) {
      ASSERT_TRUE(SameFloat(static_cast<float>(ValueAt(test, codes, at, codes.scales[block])), expected))
          << what << ": block " << block << ", element " << i << " = " << x[i];
    }
  }
}

TEST(BlockCodes, StandForTheValuesOfTheReference) {
  Random random(71);
  ThreadExecutor executor(2);
  for (size_t k = 0; k < Cases(400) && !HasFatalFailure(); ++k) {
    const Case test(random);
    std::vector<std::byte> in(BytesOf(test.type, test.shape().NumElements())), out(in.size());
    const int exponent = static_cast<int>(test.type == DType::kF16 ? random.Int(-10, 10) : random.Int(-100, 100));
    const bool special = random.Chance(0.1);
    for (size_t i = 0; i < test.elements(); ++i) {
      const double units = random.Chance(0.5) ? static_cast<double>(random.Int(-512, 512)) / 256 : random.Real(-2, 2);
      float v = static_cast<float>(std::ldexp(units, exponent - static_cast<int>(random.Int(0, 4))));
      if (special && random.Chance(0.02))
        v = random.Chance(0.5) ? std::nanf("") : -std::numeric_limits<float>::infinity();
      Set(test.type, in, i, random.Chance(0.05) ? -0.0f : v);
    }
    for (const TargetInfo& target : CompiledTargets()) {
      if (!target.supported || target.name == "AMX") continue;
      const BulkOptions options{random.Chance(0.3) ? &executor : nullptr, target.name};
      Codes codes(test.codes, test.shape(), test.scale_shape());
      const ConstTensorView x{test.type, test.shape(), in};
      Status status = QuantizeBlocks(x, test.format, 1, codes.view(), codes.scale_view(), options);
      ASSERT_TRUE(status.ok()) << status.message();
      status = DequantizeBlocks(codes.view(), codes.scale_view(), test.format, -2, View(test.type, test.shape(), out),
                                options);
      ASSERT_TRUE(status.ok()) << status.message();
      for (size_t block = 0; block < codes.scales.size() && !HasFatalFailure(); ++block) {
        CheckBlock(test, block, in, codes, out, "case " + std::to_string(k) + ", " + target.name);
      }
    }
  }
}

// Powers of two that a byte does not have.
TEST(BlockCodes, EndsOfTheRange) {
  constexpr float kMost = std::numeric_limits<float>::max();
  std::vector<float> x = {0x1p-127f, -0x1p-128f, 0x1p-130f, 0, kMost, -0x1p127f, 1, 0};
  Codes codes(DType::kU4, {2, 4}, {2, 1});
  BlockFormat format = OnnxMx(BlockElement::kE2M1, TieRounding::kEven);
  format.block_size = 4;
  const auto run = [&] {
    return QuantizeBlocks(View(DType::kF32, {2, 4}, x), format, 1, codes.view(), codes.scale_view()).ok();
  };
  ASSERT_TRUE(run());
  EXPECT_EQ(codes.scales, (std::vector<uint8_t>{0, 252}));  // 2^-127 for 2^-129
  EXPECT_EQ(codes.bytes, (std::vector<std::byte>{std::byte{0x92}, std::byte{0}, std::byte{0xE7}, std::byte{0}}));
  format = TorchMx(BlockElement::kInteger, BlockExponent::kCeilLog2);
  format.block_size = 4;
  codes = Codes(DType::kS8, {2, 4}, {2, 1});
  ASSERT_TRUE(run());
  EXPECT_EQ(codes.scales[1], 254);  // 2^127 for 2^128
  EXPECT_EQ(codes.bytes[4], std::byte{127});
  EXPECT_EQ(codes.bytes[5], std::byte{0xC0});
}

// A block of zeros has the smallest power of two that its rule finds, whatever their signs.
TEST(BlockCodes, ZerosOfEitherSign) {
  std::vector<float> x = {0, 0, 0, 0, -0.0f, -0.0f, -0.0f, -0.0f, 0, -0.0f, -0.0f, 0};
  const auto scales = [&](BlockFormat format, DType type) {
    format.block_size = 4;
    Codes codes(type, {3, 4}, {3, 1});
    const Status status = QuantizeBlocks(View(DType::kF32, {3, 4}, x), format, 1, codes.view(), codes.scale_view());
    EXPECT_TRUE(status.ok()) << status.message();
    return codes.scales;
  };
  EXPECT_EQ(scales(TorchMx(BlockElement::kE2M1, BlockExponent::kEven), DType::kU4), std::vector<uint8_t>(3, 1));
  EXPECT_EQ(scales(OnnxMx(BlockElement::kE2M1, TieRounding::kEven), DType::kU4), std::vector<uint8_t>(3, 0));
  for (const BlockExponent exponent : {BlockExponent::kFloorLog2, BlockExponent::kCeilLog2}) {
    const std::vector<uint8_t> found = scales(TorchMx(BlockElement::kInteger, exponent), DType::kS8);
    EXPECT_EQ(found, std::vector<uint8_t>(3, found[0]));
    EXPECT_LE(found[0], 127);
  }
}

class BlockCodeErrors : public ::testing::Test {
 protected:
  Status Run() {
    return QuantizeBlocks(View(DType::kF32, {2, 32}, x_), format_, axis_,
                          {dtype_, {2, 32}, View(dtype_, {}, codes_).bytes},
                          {scale_dtype_, scale_shape_, View(scale_dtype_, {}, scales_).bytes});
  }
  Status Back() {
    std::vector<float> y(64);
    return DequantizeBlocks({dtype_, {2, 32}, View(dtype_, {}, codes_).bytes},
                            {scale_dtype_, scale_shape_, View(scale_dtype_, {}, scales_).bytes}, format_, axis_,
                            View(DType::kF32, {2, 32}, y));
  }
  void ExpectRefused(std::initializer_list<const char*> words) {
    ExpectInvalid(Run(), words);
    ExpectInvalid(Back(), words);
  }

  BlockFormat format_ = TorchMx(BlockElement::kE2M1, BlockExponent::kEven);
  int64_t axis_ = 1;
  DType dtype_ = DType::kU8, scale_dtype_ = DType::kU8;
  Shape scale_shape_{2, 1};
  std::vector<float> x_ = std::vector<float>(64, 1.0f);
  std::vector<uint8_t> codes_ = std::vector<uint8_t>(64, 7), scales_ = std::vector<uint8_t>(2, 7);
};

TEST_F(BlockCodeErrors, NameTheArgumentAndTheNumbers) {
  axis_ = 2;
  ExpectRefused({"axis", "2", "2 dimensions"});
  axis_ = 0;
  ExpectRefused({"block_size 32", "dimension 0", "which is 2"});
  axis_ = 1;
  scale_shape_ = {2};
  ExpectRefused({"scales", "(2)", "(2, 1)"});
  scale_shape_ = {2, 1};
  scale_dtype_ = DType::kS8;
  ExpectRefused({"scales", "s8", "u8"});
  scale_dtype_ = DType::kU8;
  dtype_ = DType::kS8;
  ExpectRefused({"codes", "s8", "floats of 4 bits", "u4"});
  dtype_ = DType::kU6;
  ExpectRefused({"codes", "u6", "floats of 4 bits", "u4"});
  dtype_ = DType::kS8;
  format_ = OnnxBfp(17, TieRounding::kEven);
  format_.block_size = 32;
  ExpectRefused({"codes", "s8", "integers of 9 bits", "s16"});
  dtype_ = DType::kU8;
  format_ = OnnxBfp(16, TieRounding::kEven);
  ExpectRefused({"codes", "u8", "integers of 8 bits", "s8"});
  format_.block_size = 0;
  ExpectRefused({"block_size", "0"});
  scales_.pop_back();
  format_ = TorchMx(BlockElement::kE4M3, BlockExponent::kFloorLog2);
  ExpectRefused({"scales", "1 bytes", "2"});
  EXPECT_EQ(codes_, std::vector<uint8_t>(64, 7));
  EXPECT_EQ(scales_[0], 7);
}

TEST_F(BlockCodeErrors, FormatsWithoutCodes) {
  format_ = TorchMxPairs(8, 32);
  ExpectUnsupported(Run(), {"sub_block_size", "2", "MX9"});
  format_ = OnnxMx(BlockElement::kInteger, TieRounding::kAway);
  dtype_ = DType::kS8;
  ExpectUnsupported(Run(), {"ties to even"});
  format_.ties = TieRounding::kEven;
  format_.rounds_to_bfloat16_first = true;
  ExpectUnsupported(Run(), {"rounds_to_bfloat16_first"});
  const TensorView overlap{DType::kU8, {2, 1}, View(DType::kF32, {}, x_).bytes};
  ExpectInvalid(QuantizeBlocks(View(DType::kF32, {2, 32}, x_), TorchMx(BlockElement::kE4M3, BlockExponent::kEven), 1,
                               View(DType::kU8, {2, 32}, codes_), overlap),
                {"scales", "overlap"});
}

TEST(BlockCodes, Empty) {
  std::vector<float> none;
  Codes codes(DType::kU4, {0, 64}, {0, 2});
  const BlockFormat format = OnnxMx(BlockElement::kE2M1, TieRounding::kEven);
  EXPECT_TRUE(QuantizeBlocks(View(DType::kF32, {0, 64}, none), format, 1, codes.view(), codes.scale_view()).ok());
  EXPECT_TRUE(DequantizeBlocks(codes.view(), codes.scale_view(), format, 1, View(DType::kF32, {0, 64}, none)).ok());
}

}  // namespace
}  // namespace lq::testing
