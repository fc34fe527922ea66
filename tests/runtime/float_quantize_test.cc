#include "lanequant/float_quantize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lanequant/target.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/format_golden.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

std::vector<BulkOptions> EveryTarget() {
  std::vector<BulkOptions> options;
  for (const TargetInfo& target : CompiledTargets()) {
    if (target.supported && target.name != "AMX") options.push_back({nullptr, target.name});
  }
  return options;
}

ConstTensorView ViewOf(const NamedArray& array, DType dtype) { return {dtype, array.shape, array.bytes}; }

void ExpectSame(const std::string& name, DType dtype, const std::vector<std::byte>& actual,
                const NamedArray& expected) {
  for (size_t i = 0; i < actual.size() / SizeOf(dtype); ++i) {
    const float a = FloatAt(dtype, actual.data(), i), e = FloatAt(dtype, expected.bytes.data(), i);
    ASSERT_TRUE(SameFloat(a, e)) << name << ", element " << i << ": " << a << " instead of " << e;
  }
}

TEST(FloatQuantize, QuantizeDequantizeIsAimetsAndQuarks) {
  size_t checked = 0;
  for (const char* file : {"float_formats/float_formats.npz", "float_formats/quark_ops.npz"}) {
    const GoldenCases golden(file);
    for (const auto& [name, arrays] : golden.cases()) {
      if (!arrays.contains("x")) continue;
      ++checked;
      const FloatCase test = FloatCaseOf(arrays.at("format"));
      FloatQuantizer quantizer{test.format, arrays.at("scale").view(), {}, test.saturate};
      const std::vector<int64_t> block =
          arrays.contains("block") ? ValuesOf<int64_t>(arrays.at("block")) : std::vector<int64_t>();
      quantizer.block_size = block;
      const NamedArray &x = arrays.at("x"), &y = arrays.at("y");
      for (const BulkOptions& options : EveryTarget()) {
        std::vector<std::byte> out(y.bytes.size());
        const Status status = QuantizeDequantizeFloat(ViewOf(x, test.in), quantizer, {test.out, x.shape, out}, options);
        ASSERT_TRUE(status.ok()) << name << ": " << status.message();
        ExpectSame(name + ", " + options.max_isa, test.out, out, y);
      }
    }
  }
  EXPECT_EQ(checked, 127u);
}

TEST(FloatQuantize, ScaleIsAimets) {
  const GoldenCases golden("float_formats/float_formats.npz");
  size_t checked = 0;
  for (const auto& [name, arrays] : golden.cases()) {
    if (!arrays.contains("maxval")) continue;
    const FloatFormat format = FloatCaseOf(arrays.at("format")).format;
    const std::vector<float> maxval = ValuesOf<float>(arrays.at("maxval")), scale = ValuesOf<float>(arrays.at("scale"));
    for (size_t i = 0; i < maxval.size(); ++i) {
      const Result<float> actual = FloatScale(format, maxval[i]);
      ASSERT_TRUE(actual.ok()) << actual.status().message();
      EXPECT_TRUE(SameFloat(*actual, scale[i])) << name << ": " << *actual << " instead of " << scale[i];
      ++checked;
    }
  }
  EXPECT_GT(checked, 300u);
}

TEST(FloatQuantize, CodesAreOnnxs) {
  const GoldenCases golden("float_formats/float_formats.npz");
  for (const auto& [name, arrays] : golden.cases()) {
    if (!arrays.contains("codes")) continue;
    const FloatCase test = FloatCaseOf(arrays.at("format"));
    const FloatQuantizer quantizer{test.format, arrays.at("scale").view(), {}, true};
    const NamedArray &real = arrays.at("real"), &codes = arrays.at("codes");
    const DType code_type = test.format.bits() == 4 ? DType::kU4 : DType::kU8;
    for (const BulkOptions& options : EveryTarget()) {
      if (name.starts_with("quantize")) {
        std::vector<std::byte> out(codes.bytes.size());
        const TensorView view{code_type, real.shape, out};
        ASSERT_TRUE(QuantizeFloat(ViewOf(real, test.out), quantizer, view, options).ok()) << name;
        EXPECT_EQ(out, codes.bytes) << name << ", " << options.max_isa;
      } else {
        std::vector<std::byte> out(real.bytes.size());
        const TensorView view{test.out, real.shape, out};
        ASSERT_TRUE(DequantizeFloat({code_type, real.shape, codes.bytes}, quantizer, view, options).ok()) << name;
        ExpectSame(name + ", " + options.max_isa, test.out, out, real);
      }
    }
  }
}

std::vector<float> RandomFloats(size_t n, uint64_t stream) {
  Random random(stream);
  std::vector<float> values(n);
  for (float& x : values) x = random.Float(-4, 4);
  return values;
}

template <class T>
TensorView View(DType dtype, Shape shape, std::vector<T>& values) {
  return {dtype, shape, std::as_writable_bytes(std::span(values))};
}

// Tasks of several threads, pieces of odd lengths, packed codes that share bytes; and back.
TEST(FloatQuantize, ThreadsAndOddPieces) {
  const Shape shape{3, 257, 301};
  std::vector<float> in = RandomFloats(3 * 257 * 301, 60), scale = RandomFloats(257, 61);
  for (float& s : scale) s = std::fabs(s) + 0.1f;
  const FloatQuantizer quantizer{kFloat4E2M1Fn, View(DType::kF32, {257, 1}, scale), {}, true};
  const ConstTensorView x = View(DType::kF32, shape, in);
  std::vector<float> y(in.size()), serial(in.size()), parallel(in.size());
  std::vector<uint8_t> codes(in.size()), packed((in.size() + 1) / 2);
  ThreadExecutor executor(3);
  const BulkOptions threads{&executor, DefaultMaxIsa()};
  ASSERT_TRUE(QuantizeDequantizeFloat(x, quantizer, View(DType::kF32, shape, y)).ok());
  ASSERT_TRUE(QuantizeFloat(x, quantizer, View(DType::kU8, shape, codes)).ok());
  ASSERT_TRUE(QuantizeFloat(x, quantizer, View(DType::kU4, shape, packed), threads).ok());
  ASSERT_TRUE(DequantizeFloat(View(DType::kU8, shape, codes), quantizer, View(DType::kF32, shape, serial)).ok());
  ASSERT_TRUE(
      DequantizeFloat(View(DType::kU4, shape, packed), quantizer, View(DType::kF32, shape, parallel), threads).ok());
  for (size_t i = 0; i < in.size(); ++i) {
    ASSERT_EQ(int{codes[i]}, packed[i / 2] >> i % 2 * 4 & 15) << i;
    ASSERT_TRUE(SameFloat(serial[i], y[i])) << i << ": " << serial[i] << " instead of " << y[i];
    ASSERT_TRUE(SameFloat(parallel[i], y[i])) << i << ": " << parallel[i] << " instead of " << y[i];
  }
}

TEST(FloatQuantize, InPlace) {
  std::vector<float> in = RandomFloats(1000, 62), out(1000);
  const FloatQuantizer quantizer{kFloat8E4M3Fn, {}, {}, true};
  ASSERT_TRUE(QuantizeDequantizeFloat(View(DType::kF32, {1000}, in), quantizer, View(DType::kF32, {1000}, out)).ok());
  ASSERT_TRUE(QuantizeDequantizeFloat(View(DType::kF32, {1000}, in), quantizer, View(DType::kF32, {1000}, in)).ok());
  EXPECT_EQ(in, out);
}

// No error touches the output.
class Refused : public ::testing::Test {
 protected:
  Status Run(const FloatQuantizer& quantizer, const ConstTensorView& x, TensorView y) {
    return QuantizeDequantizeFloat(x, quantizer, y);
  }
  Status Codes(const FloatQuantizer& quantizer, TensorView codes) { return QuantizeFloat(X(), quantizer, codes); }
  ConstTensorView X() { return View(DType::kF32, {2, 3}, in_); }
  TensorView Y() { return View(DType::kF32, {2, 3}, out_); }
  TensorView C(DType dtype) { return View(dtype, {2, 3}, codes_); }
  ConstTensorView Scale(std::vector<float> values, Shape shape) {
    scale_ = std::move(values);
    return View(DType::kF32, shape, scale_);
  }
  void TearDown() override {
    EXPECT_EQ(out_, std::vector<float>(6, 7.0f));
    EXPECT_EQ(codes_, std::vector<uint8_t>(6, 7));
  }

  std::vector<float> in_ = std::vector<float>(6, 1.0f), out_ = std::vector<float>(6, 7.0f), scale_;
  std::vector<uint8_t> codes_ = std::vector<uint8_t>(6, 7);
};

TEST_F(Refused, Formats) {
  for (const FloatFormat& format : {FloatFormat{1, 3}, FloatFormat{8, 6}, FloatFormat{4, 11}, FloatFormat{3, 3, true},
                                    FloatFormat{4, 3, false, true}, FloatFormat{-5, 1 << 30}}) {
    ExpectInvalid(Run({format, {}, {}, true}, X(), Y()), {"format", "2 to 7"});
  }
  ExpectUnsupported(Codes({{4, 3}, {}, {}, true}, C(DType::kU8)), {"format", "e4m3 "});
  ExpectUnsupported(Codes({kFloat16, {}, {}, true}, C(DType::kU8)), {"format", "e5m10"});
  ExpectInvalid(Codes({kFloat8E4M3Fn, {}, {}, true}, C(DType::kU4)), {"codes", "u4", "e4m3fn"});
  ExpectInvalid(Codes({kFloat4E2M1Fn, {}, {}, true}, C(DType::kS8)), {"codes", "s8", "u4"});
}

TEST_F(Refused, Tensors) {
  const FloatQuantizer plain{kFloat8E4M3Fn, {}, {}, true};
  ExpectInvalid(Run(plain, X(), View(DType::kF32, {3, 2}, out_)), {"out", "(3, 2)", "(2, 3)"});
  ExpectInvalid(Run(plain, X(), View(DType::kF16, {2, 3}, out_)), {"out", "f16", "f32"});
  ExpectInvalid(Run(plain, {DType::kU8, {2, 3}, X().bytes}, Y()), {"in", "u8"});
  ExpectInvalid(Run(plain, {DType::kF32, {2, 3}, X().bytes.first(23)}, Y()), {"in", "23", "24"});
  ExpectInvalid(Run(plain, X(), {DType::kF32, {2, 3}, Y().bytes.first(8)}), {"out", "8", "24"});
  ExpectInvalid(Run(plain, {DType::kF32, {-1, 3}, X().bytes}, Y()), {"in", "(-1, 3)"});
  const auto bytes = std::as_writable_bytes(std::span(in_));
  ExpectInvalid(Run(plain, {DType::kF32, {2}, bytes.first(8)}, {DType::kF32, {2}, bytes.subspan(4, 8)}),
                {"out", "overlap"});
  std::vector<uint16_t> half(6);
  ExpectInvalid(Run({kBFloat16, {}, {}, true}, View(DType::kF16, {6}, half), View(DType::kF16, {6}, half)),
                {"format", "65504"});
  ExpectInvalid(Run(plain, View(DType::kF16, {2, 3}, half), Y()), {"out", "f32", "f16", "no dimensions"});
}

TEST_F(Refused, Scales) {
  const int64_t block[] = {1, 2}, lone[] = {2};
  ExpectInvalid(Run({kFloat8E4M3Fn, Scale({1, 2}, {2}), {}, true}, X(), Y()), {"scale", "2", "3"});
  ExpectInvalid(Run({kFloat8E4M3Fn, Scale({1, 1}, {2, 1}), block, true}, X(), Y()), {"2", "3"});
  ExpectInvalid(Run({kFloat8E4M3Fn, {}, lone, true}, X(), Y()), {"block_size", "1"});
  for (const float bad : {0.0f, -1.0f, NAN, INFINITY}) {
    ExpectInvalid(Run({kFloat8E4M3Fn, Scale({1, 1, bad}, {3}), {}, true}, X(), Y()), {"scale", "element 2"});
  }
  ExpectInvalid(Run({kFloat8E4M3Fn, {DType::kS32, {}, X().bytes}, {}, true}, X(), Y()), {"scale", "s32"});
  ExpectInvalid(Run({kFloat8E4M3Fn, {DType::kF32, {3}, X().bytes.first(8)}, {}, true}, X(), Y()), {"scale", "8", "12"});
  ExpectInvalid(FloatScale(kFloat16, 0).status(), {"maxval", "0"});
  ExpectInvalid(FloatScale(kFloat16, INFINITY).status(), {"maxval", "inf"});
  ExpectInvalid(LargestValue({9, 9}).status(), {"format", "e9m9"});
}

}  // namespace
}  // namespace lq::testing
