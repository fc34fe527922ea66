// QuantizeDynamic against its formula, one element at a time; the kernels have quantize_dynamic_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "kernels/contracts_quantize.h"
#include "kernels/reference/dynamic.h"
#include "lanequant/quantize.h"
#include "tests/support/affine_case.h"
#include "tests/support/any_machine.h"
#include "tests/support/expect_error.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq {
namespace {

using kernels::CodeType;
using testing::GuardedBuffer;

template <class T>
std::span<std::byte> Bytes(GuardedBuffer<T>& buffer) {
  return std::as_writable_bytes(std::span<T>(buffer.data(), buffer.size()));
}

std::vector<float> Draw(testing::Random& random, size_t n) {
  std::vector<float> values(n);
  const float size = std::exp(random.Float(-8, 8));
  for (float& x : values) x = random.Chance(0.01) ? std::numeric_limits<float>::quiet_NaN() : random.Float(-size, size);
  return values;
}

TEST(QuantizeDynamic, MatchesItsFormulaOnEveryTargetAndExecutor) {
  testing::Random random(93);
  testing::AnyMachine machine;
  for (size_t i = 0; i < testing::Cases(50); ++i) {
    const auto block = random.Chance(0.5) ? size_t{32} : size_t{64};
    const bool bytes = random.Chance(0.5);
    const size_t rows = random.LogSize(1, 60), blocks = random.LogSize(1, 60), n = rows * blocks * block;
    const std::vector<float> values = Draw(random, n);
    const Shape shape{static_cast<int64_t>(rows), static_cast<int64_t>(blocks * block)};
    const Shape scale_shape{static_cast<int64_t>(rows), static_cast<int64_t>(blocks)};
    GuardedBuffer<std::byte> codes(bytes ? n : n / 2);
    GuardedBuffer<float> scales(rows * blocks);
    const Status status = QuantizeDynamic(
        {DType::kF32, shape, std::as_bytes(std::span(values))}, static_cast<int64_t>(block),
        {bytes ? DType::kS8 : DType::kS4, shape, Bytes(codes)}, {DType::kF32, scale_shape, Bytes(scales)},
        {.executor = &machine.Workers(random), .max_isa = machine.Target(random)});
    ASSERT_TRUE(status.ok()) << status.message();
    const int qmax = bytes ? 127 : 7;
    for (size_t j = 0; j < n; ++j) {
      const auto of_block = std::span(values).subspan(j / block * block, block);
      const float scale = reference::DynamicScale(of_block, qmax);
      ASSERT_EQ(scales.data()[j / block], scale) << j;
      ASSERT_EQ(testing::CodeAt(codes.data(), bytes ? CodeType::kS8 : CodeType::kS4, j),
                reference::DynamicCode(values[j], scale, qmax))
          << "case " << i << ", element " << j;
    }
  }
}

TEST(QuantizeDynamic, ErrorsNameTheArgumentAndTheNumbers) {
  std::vector<float> in(128), scales(4);
  std::vector<std::byte> codes(128, std::byte{7});
  const ConstTensorView x{DType::kF32, Shape{2, 64}, std::as_bytes(std::span(in))};
  const TensorView q{DType::kS8, Shape{2, 64}, codes};
  const TensorView s{DType::kF32, Shape{2, 2}, std::as_writable_bytes(std::span(scales))};
  const auto with = [](TensorView view, DType dtype, const Shape& shape) {
    view.dtype = dtype;
    view.shape = shape;
    return view;
  };
  ASSERT_TRUE(QuantizeDynamic(x, 32, q, s).ok());
  codes.assign(128, std::byte{7});
  testing::ExpectInvalid(QuantizeDynamic(x, 16, q, s), {"block_size", "16", "32 or 64"});
  testing::ExpectInvalid(QuantizeDynamic(x, 64, q, s), {"scales", "(2, 2)", "(2, 1)"});
  testing::ExpectInvalid(QuantizeDynamic(x, 32, with(q, DType::kU8, q.shape), s), {"codes", "u8", "s8"});
  testing::ExpectInvalid(QuantizeDynamic(x, 32, with(q, DType::kS8, Shape{2, 65}), s), {"codes", "(2, 65)"});
  testing::ExpectInvalid(QuantizeDynamic(x, 32, q, with(s, DType::kF64, s.shape)), {"scales", "f64", "f32"});
  testing::ExpectInvalid(QuantizeDynamic({DType::kF32, Shape{4, 32}, x.bytes.first(508)}, 32, q, s), {"in", "508"});
  testing::ExpectInvalid(QuantizeDynamic({DType::kF32, Shape{}, x.bytes.first(4)}, 32, q, s), {"in"});
  EXPECT_EQ(codes, std::vector<std::byte>(128, std::byte{7}));
}

}  // namespace
}  // namespace lq
