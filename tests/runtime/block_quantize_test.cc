#include "lanequant/block_quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "kernels/reference/block_formats.h"
#include "lanequant/target.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/format_golden.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

template <class T>
TensorView View(DType dtype, Shape shape, std::vector<T>& values) {
  return {dtype, shape, std::as_writable_bytes(std::span(values))};
}

TEST(BlockQuantize, EqualsQuark) {
  const GoldenCases golden("block_formats/block_formats.npz");
  for (const TargetInfo& target : CompiledTargets()) {
    if (!target.supported || target.name == "AMX") continue;
    for (const auto& [name, arrays] : golden.cases()) {
      const BlockCase test = BlockCaseOf(arrays.at("format"));
      const NamedArray& x = arrays.at("x");
      const std::vector<float> expected = ValuesOf<float>(arrays.at("y"));
      std::vector<float> y(expected.size());
      const Status status = QuantizeDequantizeBlocks(x.view(), test.format, test.axis, View(DType::kF32, x.shape, y),
                                                     {nullptr, target.name});
      ASSERT_TRUE(status.ok()) << name << ": " << status.message();
      for (size_t i = 0; i < y.size(); ++i) {
        ASSERT_TRUE(SameFloat(y[i], expected[i]))
            << name << ", " << target.name << ", element " << i << ": " << y[i] << " instead of " << expected[i];
      }
    }
  }
}

// Tensors of many tasks, cut along every dimension, against blocks taken out one by one.
TEST(BlockQuantize, EveryAxisOfLargeTensors) {
  Random random(70);
  ThreadExecutor executor(3);
  for (const Shape& shape : {Shape{5, 40, 1000}, Shape{300000, 3}, Shape{3, 100001}, Shape{2, 70, 3, 500}}) {
    std::vector<float> x(static_cast<size_t>(shape.NumElements())), y(x.size());
    for (float& v : x) v = random.Float(-4, 4);
    for (size_t axis = 0; axis < shape.rank(); ++axis) {
      const BlockFormat format = random.Chance(0.5) ? OnnxMx(BlockElement::kE2M3, TieRounding::kEven) : TorchBfp16();
      const Status status = QuantizeDequantizeBlocks(View(DType::kF32, shape, x), format, static_cast<int64_t>(axis),
                                                     View(DType::kF32, shape, y), {&executor, DefaultMaxIsa()});
      ASSERT_TRUE(status.ok()) << status.message();
      size_t inner = 1;
      for (size_t d = axis + 1; d < shape.rank(); ++d) inner *= static_cast<size_t>(shape[d]);
      const size_t length = static_cast<size_t>(shape[axis]), size = static_cast<size_t>(format.block_size);
      for (int sample = 0; sample < 3000; ++sample) {
        const size_t at = random.Size(0, x.size() - 1), i = at / inner % length, begin = i / size * size;
        std::vector<float> block(std::min(size, length - begin)), expected(block.size());
        for (size_t k = 0; k < block.size(); ++k) block[k] = x[at - (i - begin - k) * inner];
        reference::QuantizeDequantizeBlock(block, format, expected);
        ASSERT_TRUE(SameFloat(y[at], expected[i - begin]))
            << shape.ToString() << ", axis " << axis << ", element " << at << ": " << y[at] << " instead of "
            << expected[i - begin];
      }
    }
  }
}

TEST(BlockQuantize, InPlaceEmptyAndBlocksBeyondTheAxis) {
  std::vector<float> x = {1.0f, -2.5f, 0.3f, 7.0f}, y(4), none;
  BlockFormat format = TorchMx(BlockElement::kE4M3, BlockExponent::kEven);
  ASSERT_TRUE(QuantizeDequantizeBlocks(View(DType::kF32, {4}, x), format, 0, View(DType::kF32, {4}, y)).ok());
  format.block_size = std::numeric_limits<int64_t>::max();
  ASSERT_TRUE(QuantizeDequantizeBlocks(View(DType::kF32, {4}, x), format, -1, View(DType::kF32, {4}, x)).ok());
  EXPECT_EQ(x, y);
  EXPECT_TRUE(
      QuantizeDequantizeBlocks(View(DType::kF32, {3, 0}, none), format, 0, View(DType::kF32, {3, 0}, none)).ok());
}

TEST(BlockQuantize, RefusesAndTouchesNothing) {
  std::vector<float> x(6, 1.0f), y(6, 7.0f);
  const BlockFormat mx = TorchMx(BlockElement::kE2M1, BlockExponent::kEven);
  const auto run = [&](const BlockFormat& format, int64_t axis) {
    return QuantizeDequantizeBlocks(View(DType::kF32, {2, 3}, x), format, axis, View(DType::kF32, {2, 3}, y));
  };
  const auto changed = [&](auto change) {
    BlockFormat format = OnnxBfpPrime(16, TieRounding::kEven);
    change(format);
    return run(format, 0);
  };
  ExpectInvalid(run(mx, 2), {"axis", "2", "2 dimensions"});
  ExpectInvalid(run(mx, -3), {"axis", "-3"});
  ExpectInvalid(run(OnnxBfp(9, TieRounding::kUp), 0), {"integer_bits", "0", "1 to 14"});
  ExpectInvalid(run(OnnxBfp(24, TieRounding::kUp), 0), {"integer_bits", "15"});
  ExpectInvalid(changed([](BlockFormat& f) { f.block_size = 0; }), {"block_size", "0"});
  ExpectInvalid(changed([](BlockFormat& f) { f.block_size = -32; }), {"block_size", "-32"});
  ExpectInvalid(changed([](BlockFormat& f) { f.sub_block_size = 3; }), {"sub_block_size", "3", "16"});
  ExpectInvalid(changed([](BlockFormat& f) { f.sub_block_size = 32; }), {"sub_block_size", "32", "16"});
  ExpectInvalid(changed([](BlockFormat& f) { f.sub_block_size = 0; }), {"sub_block_size", "0"});
  ExpectInvalid(changed([](BlockFormat& f) { f.sub_block_shift_bits = 5; }), {"sub_block_shift_bits", "5"});
  ExpectUnsupported(changed([](BlockFormat& f) { f.exponent = BlockExponent::kEven; }), {"sub_block_size", "kFloor"});
  ExpectUnsupported(changed([](BlockFormat& f) { f.double_on_carry = true; }), {"double_on_carry"});
  std::vector<uint16_t> half(6);
  const ConstTensorView in = View(DType::kF32, {2, 3}, x);
  ExpectInvalid(QuantizeDequantizeBlocks(in, mx, 0, View(DType::kF16, {2, 3}, half)), {"out", "f16", "f32"});
  ExpectInvalid(QuantizeDequantizeBlocks(in, mx, 0, View(DType::kF32, {3, 2}, y)), {"out", "(3, 2)", "(2, 3)"});
  ExpectInvalid(QuantizeDequantizeBlocks({DType::kS8, {6}, in.bytes}, mx, 0, View(DType::kF32, {6}, y)), {"in", "s8"});
  ExpectInvalid(QuantizeDequantizeBlocks({DType::kF32, {7}, in.bytes}, mx, 0, View(DType::kF32, {7}, y)),
                {"in", "24", "28"});
  ExpectInvalid(QuantizeDequantizeBlocks({DType::kF32, {}, in.bytes}, mx, 0, View(DType::kF32, {}, y)),
                {"axis", "0 dimensions"});
  EXPECT_FALSE(QuantizeDequantizeBlocks(in, mx, 0, View(DType::kF32, {2, 3}, y), {nullptr, "Z80"}).ok());
  EXPECT_EQ(y, std::vector<float>(6, 7.0f));
}

}  // namespace
}  // namespace lq::testing
