// Affine, float and block quantizers through the C API: the bits of the C++ API, and every argument that only C can get
// wrong. What the C++ functions refuse is tested with them; one case of each shows that their sentence comes through.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <vector>

#include "lanequant/block_quantize.h"
#include "lanequant/float_quantize.h"
#include "lanequant/lanequant.h"
#include "lanequant/quantize.h"
#include "tests/support/c_api.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq {
namespace {

using testing::ExpectFails;
using testing::ExpectOk;
using testing::GuardedBuffer;
using testing::Owned;
using testing::Tensor;

constexpr int64_t kRows = 6, kColumns = 40;
constexpr size_t kSize = kRows * kColumns;

class CApiQuantizeTest : public ::testing::Test {
 protected:
  CApiQuantizeTest() {
    testing::Random random(1);
    for (float& value : x_) value = random.Float(-4, 4);
    for (float& value : scale_) value = random.Float(0.01f, 0.1f);
    for (int32_t& value : offset_) value = static_cast<int32_t>(random.Int(-3, 3));
  }

  AffineQuantizer Cxx() const {
    AffineQuantizer quantizer;
    quantizer.scale = {DType::kF32, {kRows, 5}, std::as_bytes(std::span(scale_))};
    quantizer.offset = {DType::kS32, {kRows, 5}, std::as_bytes(std::span(offset_))};
    quantizer.block_size = block_;
    quantizer.qmin = -8;
    quantizer.qmax = 7;
    return quantizer;
  }
  ConstTensorView CxxX() const { return {DType::kF32, {kRows, kColumns}, std::as_bytes(std::span<const float>(x_))}; }

  // fails(change): the call with one thing changed.
  template <class F, class Change>
  void Refuses(const F& call, const Change& change, lq_status code, std::initializer_list<const char*> parts) {
    const auto saved = std::tuple(in_, scale_tensor_, offset_tensor_, codes_, out_, quantizer_, options_);
    change();
    ExpectFails(call, code, parts);
    std::tie(in_, scale_tensor_, offset_tensor_, codes_, out_, quantizer_, options_) = saved;
  }

  GuardedBuffer<float> x_{kSize}, y_{kSize};
  GuardedBuffer<uint8_t> packed_{kSize / 2};
  std::array<float, kRows * 5> scale_;
  std::array<int32_t, kRows * 5> offset_;
  std::array<int64_t, 2> block_{1, 8};
  lq_tensor in_ = Tensor(LQ_F32, {kRows, kColumns}, std::span<float>(x_));
  lq_tensor out_ = Tensor(LQ_F32, {kRows, kColumns}, std::span<float>(y_));
  lq_tensor codes_ = Tensor(LQ_S4, {kRows, kColumns}, std::span<uint8_t>(packed_));
  lq_tensor scale_tensor_ = Tensor(LQ_F32, {kRows, 5}, std::span(scale_));
  lq_tensor offset_tensor_ = Tensor(LQ_S32, {kRows, 5}, std::span(offset_));
  lq_affine_quantizer quantizer_{
      sizeof(lq_affine_quantizer), &scale_tensor_, &offset_tensor_, {block_.data(), 2}, -8, 7, 0, LQ_AIMET_DIV};
  lq_bulk_options options_{sizeof(lq_bulk_options), nullptr, nullptr};
};

TEST_F(CApiQuantizeTest, GivesTheBitsOfCxx) {
  lq_executor* two = nullptr;
  ExpectOk([&](lq_message* m) { return lq_executor_create(2, &two, m); });
  const Owned<lq_executor> owned(two);
  std::vector<std::byte> codes(kSize / 2);
  std::vector<float> real(kSize);
  const TensorView cxx_codes{DType::kS4, {kRows, kColumns}, codes};
  const TensorView cxx_real{DType::kF32, {kRows, kColumns}, std::as_writable_bytes(std::span(real))};
  for (int32_t profile : {LQ_AIMET_DIV, LQ_AIMET_FAKEQUANT, LQ_AIMET_ONNX, LQ_ONNX}) {
    AffineQuantizer cxx = Cxx();
    cxx.profile = static_cast<RoundingProfile>(profile);
    quantizer_.profile = profile;
    options_.executor = profile == LQ_AIMET_DIV ? two : nullptr;
    const lq_bulk_options* options = profile == LQ_AIMET_ONNX ? nullptr : &options_;
    ASSERT_TRUE(Quantize(CxxX(), cxx, cxx_codes).ok());
    ExpectOk([&](lq_message* m) { return lq_quantize(&in_, &quantizer_, &codes_, options, m); });
    EXPECT_EQ(std::memcmp(packed_.data(), codes.data(), codes.size()), 0);
    ASSERT_TRUE(Dequantize(cxx_codes, cxx, cxx_real).ok());
    ExpectOk([&](lq_message* m) { return lq_dequantize(&codes_, &quantizer_, &out_, options, m); });
    EXPECT_EQ(std::memcmp(y_.data(), real.data(), kSize * sizeof(float)), 0);
    ASSERT_TRUE(QuantizeDequantize(CxxX(), cxx, cxx_real).ok());
    ExpectOk([&](lq_message* m) { return lq_quantize_dequantize(&in_, &quantizer_, &out_, options, m); });
    EXPECT_EQ(std::memcmp(y_.data(), real.data(), kSize * sizeof(float)), 0);
  }
}

TEST_F(CApiQuantizeTest, OffsetMayBeAbsent) {
  quantizer_.offset = nullptr;
  offset_.fill(0);
  std::vector<float> real(kSize);
  ASSERT_TRUE(
      QuantizeDequantize(CxxX(), Cxx(), {DType::kF32, {kRows, kColumns}, std::as_writable_bytes(std::span(real))})
          .ok());
  ExpectOk([&](lq_message* m) { return lq_quantize_dequantize(&in_, &quantizer_, &out_, nullptr, m); });
  EXPECT_EQ(std::memcmp(y_.data(), real.data(), kSize * sizeof(float)), 0);
}

TEST_F(CApiQuantizeTest, RefusesBadArguments) {
  const auto quantize = [&](lq_message* m) { return lq_quantize(&in_, &quantizer_, &codes_, &options_, m); };
  const auto refuses = [&](auto change, std::initializer_list<const char*> parts) {
    Refuses(quantize, change, LQ_INVALID_ARGUMENT, parts);
  };
  refuses([&] { quantizer_.struct_size = 8; }, {"quantizer: struct_size is 8", "64"});
  refuses([&] { options_.struct_size = 0; }, {"options: struct_size is 0", "24"});
  refuses([&] { quantizer_.scale = nullptr; }, {"scale is null"});
  refuses([&] { quantizer_.block_size.values = nullptr; }, {"block_size is null"});
  refuses([&] { quantizer_.block_size.count = 9; }, {"block_size: 9 numbers", "8"});
  refuses([&] { quantizer_.profile = 4; }, {"rounding profile 4"});
  refuses([&] { quantizer_.profile = -1; }, {"rounding profile -1"});
  refuses([&] { in_.dtype = 77; }, {"in: dtype 77"});
  refuses([&] { codes_.rank = -1; }, {"codes: rank -1"});
  refuses([&] { scale_tensor_.data = nullptr; }, {"scale: data is null"});
  refuses([&] { offset_tensor_.data = static_cast<char*>(offset_tensor_.data) + 2; }, {"offset", "multiple of 4"});
  // And the sentences of the C++ function.
  refuses([&] { quantizer_.qmin = 7; }, {"qmin", "7"});
  refuses([&] { quantizer_.qmax = 8; }, {"s4", "8"});
  refuses([&] { codes_.bytes -= 1; }, {"codes", "119", "120"});
  refuses([&] { in_.dims[0] = 7; }, {"(7, 40)"});
  refuses([&] { scale_tensor_.dims[1] = -5; }, {"scale"});
  refuses([&] { in_.dims[0] = in_.dims[1] = int64_t{1} << 40; }, {"1099511627776"});
  refuses([&] { scale_[3] = 0; }, {"scale", "0"});
  scale_[3] = 0.1f;
  Refuses(quantize, [&] { options_.max_isa = "AVX9"; }, LQ_NOT_FOUND, {"AVX9"});
  const auto none = [&](lq_message* m) { return lq_quantize(nullptr, &quantizer_, &codes_, nullptr, m); };
  ExpectFails(none, LQ_INVALID_ARGUMENT, {"in is null"});
  ExpectFails([&](lq_message* m) { return lq_quantize(&in_, nullptr, &codes_, nullptr, m); }, LQ_INVALID_ARGUMENT,
              {"quantizer is null"});
  ExpectFails([&](lq_message* m) { return lq_dequantize(&codes_, &quantizer_, nullptr, nullptr, m); },
              LQ_INVALID_ARGUMENT, {"out is null"});
  for (uint8_t byte : packed_) EXPECT_EQ(byte, 0xA5);  // no output touched
  ExpectOk(quantize);
}

// What all three functions refuse of a quantizer, in the same words; no output is touched.
TEST_F(CApiQuantizeTest, EveryFunctionRefusesBadQuantizers) {
  const auto good_scale = scale_;
  const auto refuses = [&](auto change, std::initializer_list<const char*> parts) {
    Refuses([&](lq_message* m) { return lq_quantize(&in_, &quantizer_, &codes_, nullptr, m); }, change,
            LQ_INVALID_ARGUMENT, parts);
    Refuses([&](lq_message* m) { return lq_dequantize(&codes_, &quantizer_, &out_, nullptr, m); }, change,
            LQ_INVALID_ARGUMENT, parts);
    Refuses([&](lq_message* m) { return lq_quantize_dequantize(&in_, &quantizer_, &out_, nullptr, m); }, change,
            LQ_INVALID_ARGUMENT, parts);
    scale_ = good_scale;
    block_ = {1, 8};
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad : {0.0f, -0.25f, kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    refuses([&] { scale_[7] = bad; }, {"scale", "element 7", "above 0"});
  }
  refuses([&] { block_[1] = 7; }, {"block_size[1]", "5 scales", "blocks of 7", "40"});
  refuses([&] { block_[0] = INT64_MIN; }, {"block_size[0]", "-9223372036854775808"});
  refuses([&] { quantizer_.block_size.count = 1; }, {"block_size", "1 numbers", "2 dimensions"});
  refuses([&] { scale_tensor_.dims[0] = 5, offset_tensor_.dims[0] = 5; }, {"block_size[0]", "5 scales", "6"});
  refuses([&] { scale_tensor_.dims[0] = scale_tensor_.dims[1] = int64_t{1} << 40; }, {"scale", "overflows"});
  refuses([&] { scale_tensor_.bytes = 119; }, {"scale", "119 bytes", "120"});
  refuses([&] { scale_tensor_.dtype = LQ_S32; }, {"scale", "s32", "f32"});
  refuses([&] { offset_tensor_.bytes = 0; }, {"offset", "0 bytes", "120"});
  refuses([&] { offset_tensor_.dtype = LQ_S64; }, {"offset", "s64", "s32"});
  refuses([&] { offset_tensor_.dims[1] = 4; }, {"offset", "(6, 4)", "(6, 5)"});
  refuses([&] { quantizer_.zero_point_shift = 0.25f; }, {"zero_point_shift", "0.25"});
  for (uint8_t byte : packed_) EXPECT_EQ(byte, 0xA5);
  for (float value : y_) EXPECT_EQ(std::memcmp(&value, "\xA5\xA5\xA5\xA5", 4), 0);
}

class CApiFloatTest : public CApiQuantizeTest {
 protected:
  template <class F>
  void ExpectSame(const F& c, const FloatQuantizer& cxx) {
    std::vector<float> real(kSize);
    const TensorView out{DType::kF32, {kRows, kColumns}, std::as_writable_bytes(std::span(real))};
    ASSERT_TRUE(QuantizeDequantizeFloat(CxxX(), cxx, out).ok());
    ExpectOk(c);
    EXPECT_EQ(std::memcmp(y_.data(), real.data(), kSize * sizeof(float)), 0);
  }
  lq_float_quantizer float_{sizeof(lq_float_quantizer), {4, 3, 1, 0}, nullptr, {nullptr, 0}, 0};
};

TEST_F(CApiFloatTest, GivesTheBitsOfCxx) {
  const auto c = [&](lq_message* m) { return lq_quantize_dequantize_float(&in_, &float_, &out_, nullptr, m); };
  FloatQuantizer cxx{kFloat8E4M3Fn, {}, {}, true};
  ExpectSame(c, cxx);
  cxx.scale = Cxx().scale;
  cxx.block_size = block_;
  float_.scale = &scale_tensor_;
  float_.block_size = {block_.data(), 2};
  ExpectSame(c, cxx);
  for (float& value : x_) value *= 1000;
  cxx.saturate = false;
  float_.overflows = 1;
  ExpectSame(c, cxx);
  float scale = 0;
  ExpectOk([&](lq_message* m) { return lq_float_scale(&float_.format, 3.0f, &scale, m); });
  EXPECT_EQ(scale, *FloatScale(kFloat8E4M3Fn, 3.0f));
}

TEST_F(CApiFloatTest, CodesComeAndGo) {
  std::vector<uint8_t> codes(kSize), want(kSize);
  const FloatQuantizer cxx{kFloat8E4M3Fn, {}, {}, true};
  ASSERT_TRUE(
      QuantizeFloat(CxxX(), cxx, {DType::kU8, {kRows, kColumns}, std::as_writable_bytes(std::span(want))}).ok());
  lq_tensor tensor = Tensor(LQ_U8, {kRows, kColumns}, std::span(codes));
  ExpectOk([&](lq_message* m) { return lq_quantize_float(&in_, &float_, &tensor, nullptr, m); });
  EXPECT_EQ(codes, want);
  ExpectOk([&](lq_message* m) { return lq_dequantize_float(&tensor, &float_, &out_, nullptr, m); });
  const std::vector<float> real(y_.begin(), y_.end());
  ExpectOk([&](lq_message* m) { return lq_quantize_dequantize_float(&in_, &float_, &out_, nullptr, m); });
  EXPECT_EQ(std::memcmp(y_.data(), real.data(), kSize * sizeof(float)), 0);
}

TEST_F(CApiFloatTest, RefusesBadArguments) {
  const auto c = [&](lq_message* m) { return lq_quantize_dequantize_float(&in_, &float_, &out_, nullptr, m); };
  const lq_float_quantizer good = float_;
  const auto refuses = [&](auto change, std::initializer_list<const char*> parts) {
    change();
    ExpectFails(c, LQ_INVALID_ARGUMENT, parts);
    float_ = good;
  };
  refuses([&] { float_.struct_size = 1; }, {"quantizer: struct_size is 1"});
  refuses([&] { float_.format.finite = 2; }, {"finite 2"});
  refuses([&] { float_.format.unsigned_zero = -1; }, {"unsigned_zero -1"});
  refuses([&] { float_.overflows = 3; }, {"overflows 3"});
  refuses([&] { float_.block_size.count = 1; }, {"block_size is null"});
  refuses([&] { float_.format = {20, 20, 0, 0}; }, {"20"});
  refuses([&] { float_.format = {-2147483647, 2147483647, 0, 0}; }, {"2147483647"});
  float scale = 0;
  ExpectFails([&](lq_message* m) { return lq_float_scale(nullptr, 1, &scale, m); }, LQ_INVALID_ARGUMENT,
              {"format is null"});
  ExpectFails([&](lq_message* m) { return lq_float_scale(&good.format, 1, nullptr, m); }, LQ_INVALID_ARGUMENT,
              {"scale is null"});
  ExpectFails([&](lq_message* m) { return lq_float_scale(&good.format, 0, &scale, m); }, LQ_INVALID_ARGUMENT,
              {"maxval", "0"});
  for (float value : y_) EXPECT_EQ(std::memcmp(&value, "\xA5\xA5\xA5\xA5", 4), 0);
}

TEST_F(CApiQuantizeTest, BlockFormatsGiveTheBitsOfCxx) {
  const struct {
    lq_block_quantizer c;
    BlockFormat cxx;
  } cases[] = {
      {{0, LQ_ONNX_MX, LQ_E4M3, 0, LQ_TIES_EVEN, 0, 0, -1}, OnnxMx(BlockElement::kE4M3, TieRounding::kEven)},
      {{0, LQ_TORCH_MX, LQ_E2M1, LQ_EXPONENT_EVEN, 0, 0, 0, 1}, TorchMx(BlockElement::kE2M1, BlockExponent::kEven)},
      {{0, LQ_ONNX_BFP, 0, 0, LQ_TIES_AWAY, 16, 8, 0}, OnnxBfp(16, TieRounding::kAway)},
      {{0, LQ_ONNX_COMPILER_BFP, 0, 0, LQ_TIES_UP, 0, 0, 1}, OnnxCompilerBfp(TieRounding::kUp)},
      {{0, LQ_ONNX_BFP_PRIME, 0, 0, LQ_TIES_EVEN, 13, 0, 1}, OnnxBfpPrime(13, TieRounding::kEven)},
      {{0, LQ_TORCH_BFP16, 0, 0, 0, 0, 0, 1}, TorchBfp16()},
      {{0, LQ_TORCH_MX_PAIRS, 0, 0, 0, 5, 16, 1}, TorchMxPairs(5, 16)},
  };
  for (auto [c, cxx] : cases) {
    c.struct_size = sizeof(c);
    if (c.block_size != 0) cxx.block_size = c.block_size;
    std::vector<float> real(kSize);
    const TensorView out{DType::kF32, {kRows, kColumns}, std::as_writable_bytes(std::span(real))};
    ASSERT_TRUE(QuantizeDequantizeBlocks(CxxX(), cxx, c.axis, out).ok());
    ExpectOk([&, format = &c](lq_message* m) {  // clang 14 captures no structured binding by reference
      return lq_quantize_dequantize_blocks(&in_, format, &out_, nullptr, m);
    });
    EXPECT_EQ(std::memcmp(y_.data(), real.data(), kSize * sizeof(float)), 0) << c.format;
  }
}

TEST_F(CApiQuantizeTest, BlockCodesGiveTheBitsOfCxx) {
  const lq_block_quantizer c{sizeof(c), LQ_TORCH_MX, LQ_E4M3, LQ_EXPONENT_EVEN, 0, 0, 5, 1};
  BlockFormat format = TorchMx(BlockElement::kE4M3, BlockExponent::kEven);
  format.block_size = 5;
  const int64_t columns = kColumns / 5;
  std::vector<uint8_t> codes(kSize), scales(kRows * columns), cxx_codes(kSize), cxx_scales(kRows * columns);
  const lq_tensor c_codes{codes.data(), codes.size(), LQ_U8, 2, {kRows, kColumns}};
  const lq_tensor c_scales{scales.data(), scales.size(), LQ_U8, 2, {kRows, columns}};
  ExpectOk([&](lq_message* m) { return lq_quantize_blocks(&in_, &c, &c_codes, &c_scales, nullptr, m); });
  const auto view = [](std::vector<uint8_t>& bytes, const Shape& shape) {
    return TensorView{DType::kU8, shape, std::as_writable_bytes(std::span(bytes))};
  };
  const TensorView codes_view = view(cxx_codes, {kRows, kColumns}), scales_view = view(cxx_scales, {kRows, columns});
  ASSERT_TRUE(QuantizeBlocks(CxxX(), format, 1, codes_view, scales_view).ok());
  EXPECT_EQ(codes, cxx_codes);
  EXPECT_EQ(scales, cxx_scales);
  std::vector<float> real(kSize);
  const TensorView out{DType::kF32, {kRows, kColumns}, std::as_writable_bytes(std::span(real))};
  ASSERT_TRUE(DequantizeBlocks(codes_view, scales_view, format, 1, out).ok());
  ExpectOk([&](lq_message* m) { return lq_dequantize_blocks(&c_codes, &c_scales, &c, &out_, nullptr, m); });
  EXPECT_EQ(std::memcmp(y_.data(), real.data(), kSize * sizeof(float)), 0);
  ExpectFails([&](lq_message* m) { return lq_quantize_blocks(&in_, &c, &c_codes, nullptr, nullptr, m); },
              LQ_INVALID_ARGUMENT, {"scales is null"});
  ExpectFails([&](lq_message* m) { return lq_dequantize_blocks(&c_codes, &c_codes, &c, &out_, nullptr, m); },
              LQ_INVALID_ARGUMENT, {"scales", "shape"});
}

TEST_F(CApiQuantizeTest, BlockFormatsRefuseBadArguments) {
  const lq_block_quantizer good{sizeof(good), LQ_ONNX_MX, LQ_E2M1, 0, LQ_TIES_EVEN, 0, 0, 1};
  const auto refuses = [&](auto change, std::initializer_list<const char*> parts) {
    lq_block_quantizer quantizer = good;
    change(quantizer);
    ExpectFails([&](lq_message* m) { return lq_quantize_dequantize_blocks(&in_, &quantizer, &out_, nullptr, m); },
                LQ_INVALID_ARGUMENT, parts);
  };
  refuses([](lq_block_quantizer& q) { q.struct_size = 4; }, {"quantizer: struct_size is 4"});
  refuses([](lq_block_quantizer& q) { q.format = 7; }, {"block format 7"});
  refuses([](lq_block_quantizer& q) { q.element = 6; }, {"element 6"});
  refuses([](lq_block_quantizer& q) { q.exponent = -1; }, {"exponent -1"});
  refuses([](lq_block_quantizer& q) { q.ties = 3; }, {"ties 3"});
  refuses([](lq_block_quantizer& q) { q.bit_width = 33, q.format = LQ_ONNX_BFP; }, {"bit_width 33"});
  refuses([](lq_block_quantizer& q) { q.bit_width = 0, q.format = LQ_ONNX_BFP; }, {"integer_bits", "-9"});
  refuses([](lq_block_quantizer& q) { q.block_size = -5; }, {"-5"});
  refuses([](lq_block_quantizer& q) { q.axis = 2; }, {"axis", "2"});
  ExpectFails([&](lq_message* m) { return lq_quantize_dequantize_blocks(&in_, nullptr, &out_, nullptr, m); },
              LQ_INVALID_ARGUMENT, {"quantizer is null"});
  for (float value : y_) EXPECT_EQ(std::memcmp(&value, "\xA5\xA5\xA5\xA5", 4), 0);
}

}  // namespace
}  // namespace lq
