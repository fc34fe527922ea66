// lanequant quantize from outside: the arrays that it writes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "runtime/io/npz.h"
#include "tests/support/cli_test.h"

namespace lq {
namespace {

using testing::CliTest;
using testing::Contains;

// The worked example of AIMET's QuantizedTensor: min-max calibration, symmetric, one scale a row.
TEST_F(CliTest, QuantizesAsAimetsExample) {
  const std::vector<float> x = {-1.20f, 4.1f, -0.21f, 2.3f, 0.2f, 5.6f, -1.0f, -0.1f};
  const std::span<const std::byte> bytes = std::as_bytes(std::span(x));
  ASSERT_TRUE(WriteNpz(folder_ / "x.npz", {{"x", DType::kF32, {2, 4}, {bytes.begin(), bytes.end()}}}).ok());
  const std::string quantize = "quantize " + Quote(folder_ / "x.npz") + " " + Quote(folder_ / "q.npz");
  for (const char* scales : {" --axis 0", " --axis -2", " --block-size 1,-1", " --block-size 1,4"}) {
    const Outcome outcome = Run(quantize + " --from-data min-max" + scales);
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    EXPECT_TRUE(Contains(outcome.out, "f32 (2, 4) -> s8 codes, 2 scales, ")) << outcome.out;
    const std::vector<int8_t> want = {-37, 127, -7, 71, 5, 127, -23, -2};
    const testing::Arrays arrays = Read("q.npz");
    ASSERT_EQ(arrays.at("codes").bytes.size(), want.size());
    EXPECT_EQ(std::memcmp(arrays.at("codes").bytes.data(), want.data(), want.size()), 0) << scales;
    EXPECT_TRUE(arrays.at("scale").shape == (Shape{2, 1}));
  }
}

// Scales of f64 stay what they are, for values of f64; no code here is the same with 0.1 of float32.
TEST_F(CliTest, Float64) {
  const std::vector<double> x = {1234567.05, -0.25, 7654321.95, 3.35}, scale = {0.1};
  const auto array = [](const char* name, const Shape& shape, const std::vector<double>& values) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
    return NamedArray{name, DType::kF64, shape, {bytes.begin(), bytes.end()}};
  };
  ASSERT_TRUE(WriteNpz(folder_ / "x.npz", {array("x", {4}, x), array("s", {}, scale)}).ok());
  const std::string q = folder_ / "q.npz";
  const Outcome forth = Run("quantize " + Quote(folder_ / "x.npz:x") + " " + Quote(q) + " --scale " +
                            Quote(folder_ / "x.npz:s") + " --bitwidth 32");
  ASSERT_EQ(forth.exit_status, 0) << forth.err;
  const testing::Arrays codes = Read("q.npz");
  EXPECT_EQ(codes.at("scale").bytes, array("s", {}, scale).bytes);
  const Outcome back = Run("quantize --op dequantize --dtype f64 " + Quote(q + ":codes") + " " +
                           Quote(folder_ / "y.npz") + " --scale " + Quote(q + ":scale"));
  ASSERT_EQ(back.exit_status, 0) << back.err;
  const testing::Arrays values = Read("y.npz");
  ASSERT_EQ(values.at("values").bytes.size(), x.size() * sizeof(double));
  for (size_t i = 0; i < x.size(); ++i) {
    const double code = std::nearbyint(x[i] / 0.1);
    EXPECT_EQ(codes.at("codes").view().data<int32_t>()[i], static_cast<int32_t>(code)) << i;
    EXPECT_EQ(values.at("values").view().data<double>()[i], code * 0.1) << i;
  }
}

TEST_F(CliTest, DequantizesWhatItQuantized) {
  const std::vector<float> x = {-1.5f, 0.25f, 0.75f, 9.0f, 1e9f, -1e9f}, scale = {0.5f, 0.25f};
  const auto array = [](const char* name, const Shape& shape, const std::vector<float>& values) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
    return NamedArray{name, DType::kF32, shape, {bytes.begin(), bytes.end()}};
  };
  ASSERT_TRUE(WriteNpz(folder_ / "x.npz", {array("x", {3, 2}, x), array("s", {2}, scale)}).ok());
  const std::string q = folder_ / "q.npz";
  ASSERT_EQ(Run("quantize " + Quote(folder_ / "x.npz:x") + " " + Quote(q) + " --scale " + Quote(folder_ / "x.npz:s") +
                " --axis 1 --bitwidth 4 --unsigned --dtype s16")
                .exit_status,
            0);
  const Outcome back = Run("quantize --op dequantize " + Quote(q + ":codes") + " " + Quote(folder_ / "y.npz") +
                           " --scale " + Quote(q + ":scale") + " --offset " + Quote(q + ":offset"));
  ASSERT_EQ(back.exit_status, 0) << back.err;
  const std::vector<float> want = {0.0f, 0.25f, 1.0f, 3.75f, 7.5f, 0.0f};
  const testing::Arrays values = Read("y.npz");
  ASSERT_EQ(values.at("values").bytes.size(), want.size() * sizeof(float));
  EXPECT_EQ(std::memcmp(values.at("values").bytes.data(), want.data(), want.size() * sizeof(float)), 0);
  const std::string quantize = "quantize " + Quote(folder_ / "x.npz:x") + " " + Quote(folder_ / "bad.npz");
  const std::string given = quantize + " --scale " + Quote(folder_ / "x.npz:s");
  ExpectRefused(quantize, {"--scale", "--from-data"});
  ExpectRefused(quantize + " --from-data best", {"'best'", "min-max"});
  ExpectRefused(quantize + " --from-data entropy", {"entropy", "aimet_torch"});
  ExpectRefused(quantize + " --from-data min-max --tool onnx", {"'onnx'", "quark_torch"});
  ExpectRefused(quantize + " --from-data percentile --percentile 10", {"percentile 10", "50..100"});
  ExpectRefused(given + " --axis 1 --dtype s3", {"'s3'", "s4"});
  ExpectRefused(given + " --axis 1 --codes s4 --shape 3,5", {"--shape (3, 5)", "8 bytes", "f32 (3, 2)"});
  ExpectRefused(quantize + " --float float9", {"'float9'", "float8_e4m3fn"});
  ExpectRefused(quantize + " --float 4,3 --lpbq", {"--float", "--lpbq"});
  ExpectRefused(quantize + " --float 4,3 --from-data min-max", {"--from-data min-max", "--float", "--scale"});
  ExpectRefused(quantize + " --blocks torch_mx", {"block_size 32", "(3, 2)", "which is 2"});
  ExpectRefused(quantize + " --blocks torch_mx --op dequantize", {"--blocks", "--scale"});
  ExpectRefused(quantize + " --blocks torch_mx_pairs --bit-width 8 --blocks-of 2", {"sub_block_size"});
  ExpectRefused(quantize + " --lpbq --block-size 1,3", {"3", "2"});
  ExpectRefused(quantize + " --from-data min-max --axis 2", {"--axis 2", "(3, 2)"});
  ExpectRefused(quantize + " --from-data min-max --block-size 2,1", {"--block-size", "2", "3"});
  ExpectRefused(given + " --axis 0", {"(2)", "--axis 0", "(3)"});
  ExpectRefused(given + " --block-size 1,1", {"block_size", "2 numbers", "1 dimensions"});
  ExpectRefused(given + " --qmin 5 --qmax 5", {"qmin 5", "qmax 5"});
  ExpectRefused(given + " --bitwidth 16 --dtype u8", {"codes", "u8 holds 0..255", "-32768"});
  ExpectRefused(given + " --op double", {"'double'", "qdq"});
  ExpectRefused(given + " --profile exact", {"'exact'", "onnx"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bad.npz"));
}

// What a program finds in an array of a file.
template <class T>
std::vector<T> ValuesOf(const NamedArray& array) {
  std::vector<T> values(array.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

class CliQuantizeTest : public CliTest {
 protected:
  // Writes x.npz and quantizes it to q.npz, then q.npz:codes back to y.npz.
  void WriteX(const Shape& shape, const std::vector<float>& x) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(x));
    ASSERT_TRUE(WriteNpz(folder_ / "x.npz", {{"x", DType::kF32, shape, {bytes.begin(), bytes.end()}}}).ok());
  }
  testing::Arrays Forth(const std::string& options) {
    const Outcome outcome = Run("quantize " + Quote(folder_ / "x.npz") + " " + Quote(folder_ / "q.npz") + options);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return Read("q.npz");
  }
  std::vector<float> Back(const std::string& options) {
    const Outcome outcome =
        Run("quantize --op dequantize " + Quote(folder_ / "q.npz:codes") + " " + Quote(folder_ / "y.npz") + options);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return ValuesOf<float>(Read("y.npz").at("values"));
  }
  std::string Of(const std::string& array) { return Quote(folder_ / ("q.npz:" + array)); }
};

TEST_F(CliQuantizeTest, PackedCodes) {
  WriteX({3, 1}, {-4, 3.5f, 0.5f});
  const testing::Arrays q = Forth(" --from-data min-max --bitwidth 4 --dtype s4");
  EXPECT_EQ(ValuesOf<uint8_t>(q.at("codes")), (std::vector<uint8_t>{0x78, 0x01}));
  EXPECT_EQ(ValuesOf<int64_t>(q.at("shape")), (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(Back(" --codes s4 --shape 3,1 --scale " + Of("scale")), (std::vector<float>{-4, 3.5f, 0.5f}));
}

// Quark divides the largest magnitude by 127.5, AIMET's asymmetric min-max the whole range by 255.
TEST_F(CliQuantizeTest, CalibratesAsAnyTool) {
  WriteX({2}, {-255, 25.5f});
  EXPECT_EQ(ValuesOf<float>(Forth(" --from-data min-max --tool quark_torch").at("scale")), (std::vector<float>{2}));
  const testing::Arrays q = Forth(" --from-data min-max --asymmetric");
  EXPECT_EQ(ValuesOf<float>(q.at("scale")), (std::vector<float>{1.1f}));
  EXPECT_EQ(ValuesOf<int32_t>(q.at("offset")), (std::vector<int32_t>{-232 + 128}));
  const testing::Arrays unsigned_q = Forth(" --from-data tf-enhanced --tool aimet_onnx --unsigned");
  EXPECT_EQ(ValuesOf<uint8_t>(unsigned_q.at("codes")).size(), 2u);
}

TEST_F(CliQuantizeTest, FloatFormats) {
  WriteX({3}, {1, -448, 500});
  EXPECT_EQ(ValuesOf<uint8_t>(Forth(" --float float8_e4m3fn").at("codes")), (std::vector<uint8_t>{56, 254, 126}));
  EXPECT_EQ(Back(" --float float8_e4m3fn"), (std::vector<float>{1, -448, 448}));
  EXPECT_EQ(ValuesOf<uint8_t>(Forth(" --float float8_e4m3fn --overflows").at("codes"))[2], 0x7F);
  EXPECT_EQ(ValuesOf<uint8_t>(Forth(" --float float4_e2m1fn").at("codes")), (std::vector<uint8_t>{0xF2, 0x07}));
  const testing::Arrays six = Forth(" --float float6_e3m2fn --dtype u6");  // 12, 63 and 31
  EXPECT_EQ(ValuesOf<uint8_t>(six.at("codes")), (std::vector<uint8_t>{0xCC, 0xFF, 0x01}));
  EXPECT_EQ(Back(" --float float6_e3m2fn --codes u6 --shape 3"), (std::vector<float>{1, -28, 28}));
}

TEST_F(CliQuantizeTest, BlockFormats) {
  WriteX({1, 4}, {0.3f, 5, -9, 1});
  const testing::Arrays q = Forth(" --op qdq --blocks torch_mx");
  EXPECT_EQ(ValuesOf<float>(q.at("values")), (std::vector<float>{0, 4, -8, 1}));
  const testing::Arrays codes = Forth(" --blocks torch_mx --blocks-of 2");
  EXPECT_EQ(ValuesOf<uint8_t>(codes.at("codes")), (std::vector<uint8_t>{0x61, 0x1E}));
  EXPECT_EQ(ValuesOf<uint8_t>(codes.at("scale")), (std::vector<uint8_t>{127, 128}));
  EXPECT_EQ(Back(" --blocks torch_mx --blocks-of 2 --codes u4 --shape 1,4 --scale " + Of("scale")),
            (std::vector<float>{0.5f, 4, -8, 1}));
}

TEST_F(CliQuantizeTest, Lpbq) {
  std::vector<float> x(64, 7);
  std::fill(x.begin() + 16, x.begin() + 32, 3.5f);
  WriteX({2, 32}, x);
  const testing::Arrays q = Forth(" --lpbq --bitwidth 4 --block-size 1,16");
  EXPECT_EQ(ValuesOf<int32_t>(q.at("int_scale")), (std::vector<int32_t>{16, 8, 16, 16}));
  EXPECT_EQ(ValuesOf<uint8_t>(q.at("codes")), std::vector<uint8_t>(32, 0x77));
  EXPECT_TRUE(q.at("channel_scale").shape == (Shape{2, 1}));
  const std::string scales = " --int-scale " + Of("int_scale") + " --channel-scale " + Of("channel_scale");
  EXPECT_EQ(Back(" --lpbq --bitwidth 4 --block-size 1,16 --codes s4 --shape 2,32" + scales), x);
}

}  // namespace
}  // namespace lq
