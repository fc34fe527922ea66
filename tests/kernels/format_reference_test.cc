// The scalar references of float and block formats against AIMET, AMD Quark and ONNX (tests/golden).
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/reference/block_formats.h"
#include "kernels/reference/float_formats.h"
#include "tests/support/format_golden.h"

namespace lq::testing {
namespace {

// Scale of element `index` of a tensor of up to two dimensions, and of a scale that divides it.
float ScaleAt(const NamedArray& scale, const Shape& shape, size_t index) {
  const std::vector<float> values = ValuesOf<float>(scale);
  if (values.size() == 1) return values[0];
  const size_t columns = static_cast<size_t>(shape[1]), rows = static_cast<size_t>(shape[0]);
  const size_t scale_rows = static_cast<size_t>(scale.shape[0]), scale_columns = static_cast<size_t>(scale.shape[1]);
  return values[index / columns * scale_rows / rows * scale_columns + index % columns * scale_columns / columns];
}

reference::FloatRule RuleOf(const FloatCase& test, const NamedArray& scale, const Shape& shape, size_t i) {
  return {test.format, ScaleAt(scale, shape, i), test.saturate, scale.shape.rank() == 0 ? test.in : DType::kF32};
}

TEST(FormatReference, QuantizeDequantizeIsAimets) {
  const GoldenCases golden("float_formats/float_formats.npz");
  size_t checked = 0;
  for (const auto& [name, arrays] : golden.cases()) {
    if (!arrays.contains("x")) continue;
    ++checked;
    const FloatCase test = FloatCaseOf(arrays.at("format"));
    const NamedArray &x = arrays.at("x"), &y = arrays.at("y");
    for (size_t i = 0; i < static_cast<size_t>(x.shape.NumElements()); ++i) {
      const float in = FloatAt(test.in, x.bytes.data(), i), expected = FloatAt(test.out, y.bytes.data(), i);
      const float actual = reference::QuantizeDequantizeFloat(in, RuleOf(test, arrays.at("scale"), x.shape, i));
      ASSERT_TRUE(SameFloat(actual, expected))
          << name << ", element " << i << " = " << in << ": " << actual << " instead of " << expected;
    }
  }
  EXPECT_EQ(checked, 125u);
}

uint8_t CodeAt(const std::vector<uint8_t>& codes, const FloatFormat& format, size_t i) {
  if (format.bits() != 4) return codes[i];
  return i % 2 == 0 ? codes[i / 2] & 15 : codes[i / 2] >> 4;
}

TEST(FormatReference, CodesAreOnnxs) {
  const GoldenCases golden("float_formats/float_formats.npz");
  size_t checked = 0;
  for (const auto& [name, arrays] : golden.cases()) {
    if (!arrays.contains("codes")) continue;
    ++checked;
    const FloatCase test = FloatCaseOf(arrays.at("format"));
    const NamedArray &real = arrays.at("real"), &scale = arrays.at("scale");
    const std::vector<uint8_t> codes = ValuesOf<uint8_t>(arrays.at("codes"));
    const bool quantizes = name.starts_with("quantize");
    for (size_t i = 0; i < static_cast<size_t>(real.shape.NumElements()); ++i) {
      const float value = FloatAt(test.out, real.bytes.data(), i);
      const reference::FloatRule rule{test.format, ScaleAt(scale, real.shape, i)};
      const uint8_t code = CodeAt(codes, test.format, i);
      if (quantizes) {
        EXPECT_EQ(int{reference::QuantizeFloat(value, rule, test.format.bits() == 4)}, int{code})
            << name << " " << value;
      } else {
        float expected = reference::ValueOfCode(code, test.format) * rule.scale;
        if (test.out == DType::kF16) expected = reference::RoundToF16(expected);
        EXPECT_TRUE(SameFloat(expected, value)) << name << " " << int{code};
      }
    }
  }
  EXPECT_EQ(checked, 8u);
}

// The block of each element along the axis, gathered, quantized and put back.
std::vector<float> QuantizeBlocks(const std::vector<float>& x, const Shape& shape, const BlockCase& test) {
  std::vector<float> y(x.size());
  const size_t axis = static_cast<size_t>(test.axis < 0 ? test.axis + static_cast<int64_t>(shape.rank()) : test.axis);
  const size_t length = static_cast<size_t>(shape[axis]), block = static_cast<size_t>(test.format.block_size);
  size_t inner = 1;
  for (size_t d = axis + 1; d < shape.rank(); ++d) inner *= static_cast<size_t>(shape[d]);
  for (size_t line = 0; line < x.size() / length; ++line) {
    const size_t base = line / inner * inner * length + line % inner;
    for (size_t begin = 0; begin < length; begin += block) {
      const size_t count = std::min(block, length - begin);
      std::vector<float> in(count), out(count);
      for (size_t i = 0; i < count; ++i) in[i] = x[base + (begin + i) * inner];
      reference::QuantizeDequantizeBlock(in, test.format, out);
      for (size_t i = 0; i < count; ++i) y[base + (begin + i) * inner] = out[i];
    }
  }
  return y;
}

TEST(FormatReference, BlocksAreQuarks) {
  const GoldenCases golden("block_formats/block_formats.npz");
  EXPECT_EQ(golden.cases().size(), 99u);
  for (const auto& [name, arrays] : golden.cases()) {
    const BlockCase test = BlockCaseOf(arrays.at("format"));
    const std::vector<float> x = ValuesOf<float>(arrays.at("x")), expected = ValuesOf<float>(arrays.at("y"));
    if (x.size() == 1 && test.format.passes_single_element) continue;  // the API's own rule
    const std::vector<float> y = QuantizeBlocks(x, arrays.at("x").shape, test);
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_TRUE(SameFloat(y[i], expected[i]))
          << name << ", element " << i << " = " << x[i] << ": " << y[i] << " instead of " << expected[i];
    }
  }
}

}  // namespace
}  // namespace lq::testing
