// What the bulk affine quantizers refuse: every error names the argument and both numbers, and no output is touched.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "lanequant/quantize.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

using enum DType;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A legal call of each function on (4, 6) floats and s8 codes with one scale a row, to be spoilt.
struct Call {
  Call() {
    quantizer.scale = {kF32, {4, 1}, std::as_bytes(std::span(scales))};
    quantizer.offset = {kS32, {4, 1}, std::as_bytes(std::span(offsets))};
    quantizer.qmin = -128, quantizer.qmax = 127;
    Reset();
  }
  void Reset() {
    real = {kF32, {4, 6}, std::as_writable_bytes(std::span(reals))};
    result = {kF32, {4, 6}, std::as_writable_bytes(std::span(results))};
    codes = {kS8, {4, 6}, std::as_writable_bytes(std::span(bytes))};
  }

  Status Quantize() { return Untouched(lq::Quantize(real, quantizer, codes)); }
  Status Dequantize() { return Untouched(lq::Dequantize(codes, quantizer, result)); }
  Status QuantizeDequantize() { return Untouched(lq::QuantizeDequantize(real, quantizer, result)); }
  // All three say the same about the quantizer.
  void ExpectAll(std::initializer_list<const char*> parts) {
    ExpectInvalid(Quantize(), parts);
    ExpectInvalid(Dequantize(), parts);
    ExpectInvalid(QuantizeDequantize(), parts);
  }

  Status Untouched(Status status) {
    if (status.ok()) return status;
    EXPECT_TRUE(std::ranges::all_of(results, [](float x) { return x == 7.0f; })) << status.message();
    EXPECT_TRUE(std::ranges::all_of(bytes, [](int8_t q) { return q == 7; })) << status.message();
    return status;
  }

  std::array<float, 4> scales = {1, 2, 3, 4};
  std::array<int32_t, 4> offsets = {};
  std::vector<float> reals = std::vector<float>(24, 1.0f), results = std::vector<float>(24, 7.0f);
  std::vector<int8_t> bytes = std::vector<int8_t>(24, 7);
  AffineQuantizer quantizer;
  TensorView real, result, codes;
};

TEST(QuantizeErrors, TheCallIsLegalUnspoilt) {
  EXPECT_TRUE(Call().Quantize().ok());
  EXPECT_TRUE(Call().Dequantize().ok());
  EXPECT_TRUE(Call().QuantizeDequantize().ok());
}

// More scales and offsets than one task looks at: the first bad one is named, whoever finds it.
TEST(QuantizeErrors, TheFirstOfMany) {
  constexpr size_t kRows = 400000;
  std::vector<float> scales(kRows, 1), offsets(kRows, 0), reals(kRows, 1);
  std::vector<int32_t> whole_offsets(kRows, 0);
  std::vector<int8_t> codes(kRows, 7);
  const Shape shape = {kRows, 1};
  const ConstTensorView in = {kF32, shape, std::as_bytes(std::span(reals))};
  const TensorView out = {kS8, shape, std::as_writable_bytes(std::span(codes))};
  AffineQuantizer quantizer;
  quantizer.scale = {kF32, shape, std::as_bytes(std::span(scales))};
  quantizer.qmin = -128, quantizer.qmax = 127;
  for (const size_t workers : {1, 2, 7}) {
    ThreadExecutor threads(workers);
    BulkOptions options;
    options.executor = &threads;
    const auto expect = [&](std::initializer_list<const char*> parts) {
      ExpectInvalid(Quantize(in, quantizer, out, options), parts);
      EXPECT_TRUE(std::all_of(codes.begin(), codes.end(), [](int8_t q) { return q == 7; }));
    };
    quantizer.offset = {};
    scales[399999] = 0, scales[210001] = kInfinity, scales[210003] = 0;
    expect({"scale", "element 210001"});
    scales[399999] = scales[210001] = scales[210003] = 1;
    quantizer.offset = {kF32, shape, std::as_bytes(std::span(offsets))};
    offsets[399999] = offsets[390001] = 0.5f;
    expect({"offset", "element 390001"});
    quantizer.offset = {kS32, shape, std::as_bytes(std::span(whole_offsets))};
    whole_offsets[399999] = whole_offsets[140000] = 1 << 30;
    expect({"offset", "element 140000"});
    offsets[399999] = offsets[390001] = 0;
    whole_offsets[399999] = whole_offsets[140000] = 0;
  }
}

TEST(QuantizeErrors, Scales) {
  for (const float bad : {0.0f, -0.0f, -2.0f, kInfinity, -kInfinity, std::nanf("")}) {
    Call call;
    call.scales[2] = bad;
    call.ExpectAll({"scale", "element 2", "above 0"});
  }
  Call call;
  call.scales[3] = -2.0f;  // ONNX models have such
  call.quantizer.profile = RoundingProfile::kOnnx;
  EXPECT_TRUE(call.Quantize().ok());
  call.bytes.assign(24, 7);
  call.scales[3] = 0.0f;
  call.ExpectAll({"scale", "element 3 is 0", "other than 0"});
}

// A scale that float16 does not have, where AIMET computes in float16.
TEST(QuantizeErrors, ScalesOfNarrowTensors) {
  for (const auto& [scale, becomes] : {std::pair{1e-9f, "becomes 0"}, std::pair{1e6f, "becomes inf"}}) {
    Call call;
    call.scales[1] = scale;
    call.real.dtype = call.result.dtype = kF16;
    call.ExpectAll({"scale", "element 1", becomes, "f16"});
    call.quantizer.qmin = -30000, call.quantizer.qmax = 30000;  // too fine a grid: AIMET computes in float32
    EXPECT_TRUE(call.QuantizeDequantize().ok());
  }
}

TEST(QuantizeErrors, Offsets) {
  Call call;
  call.offsets[1] = (1 << 24) + 1;
  call.ExpectAll({"offset", "element 1 is 16777217", "-16777088..16777089"});

  Call wide;
  wide.offsets[3] = -2;
  wide.quantizer.qmin = INT32_MIN, wide.quantizer.qmax = INT32_MAX;
  wide.quantizer.profile = RoundingProfile::kOnnx;
  ExpectInvalid(wide.QuantizeDequantize(), {"offset", "element 3 is -2", "-2147483648..2147483647", "with 0 only"});

  std::array<float, 4> floats = {0, 0.5f, 0, 0};
  call.quantizer.offset = {kF32, {4, 1}, std::as_bytes(std::span(floats))};
  for (const float bad : {0.5f, 3e9f, kInfinity, std::nanf("")}) {
    floats[1] = bad;
    call.ExpectAll({"offset", "element 1", "whole number"});
  }
  call.quantizer.offset.dtype = kF64;
  call.ExpectAll({"offset", "f64", "s32"});
  call.quantizer.offset = {kS32, {4}, std::as_bytes(std::span(call.offsets))};
  call.ExpectAll({"offset", "(4)", "(4, 1)"});
  call.quantizer.offset = {kS32, {4, 1}, std::as_bytes(std::span(call.offsets)).first(15)};
  call.ExpectAll({"offset", "15 bytes", "16"});
}

TEST(QuantizeErrors, Grids) {
  for (const auto& [qmin, qmax] : {std::pair<int64_t, int64_t>{5, 5}, {127, -128}, {INT64_MAX, INT64_MIN}}) {
    Call call;
    call.quantizer.qmin = qmin, call.quantizer.qmax = qmax;
    call.ExpectAll({"qmin", std::to_string(qmin).c_str(), "qmax", std::to_string(qmax).c_str()});
  }
  Call call;
  call.quantizer.qmin = INT64_MIN, call.quantizer.qmax = INT64_MAX;
  call.ExpectAll({"qmin", "-9223372036854775808", "2^32"});
  call.quantizer.qmin = -129, call.quantizer.qmax = 127;
  ExpectInvalid(call.Quantize(), {"codes", "s8 holds -128..127", "-129"});
  call.codes.dtype = kU4;
  call.quantizer.qmin = 0, call.quantizer.qmax = 16;
  ExpectInvalid(call.Quantize(), {"codes", "u4 holds 0..15", "16"});
}

TEST(QuantizeErrors, Shifts) {
  Call call;
  call.quantizer.zero_point_shift = 0.25f;
  call.ExpectAll({"zero_point_shift", "0.25"});
  call.quantizer.zero_point_shift = std::nanf("");
  call.ExpectAll({"zero_point_shift", "nan"});
  call.quantizer.zero_point_shift = 0.5f;
  call.quantizer.profile = RoundingProfile::kOnnx;
  call.ExpectAll({"zero_point_shift", "0.5", "onnx"});
}

TEST(QuantizeErrors, BlocksAndShapesOfScales) {
  const auto expect = [](const Shape& scale, std::vector<int64_t> block_size,
                         std::initializer_list<const char*> parts) {
    Call call;
    std::vector<float> scales(static_cast<size_t>(scale.NumElements()), 1.0f);
    call.quantizer.scale = {kF32, scale, std::as_bytes(std::span(scales))};
    call.quantizer.offset = {};
    call.quantizer.block_size = block_size;
    call.ExpectAll(parts);
  };
  expect({4, 2}, {1, 4}, {"block_size[1]", "2 scales", "blocks of 4", "6"});
  expect({4, 4}, {1, -1}, {"block_size[1]", "4 scales", "6"});
  expect({4, 2}, {1, 0}, {"block_size[1] is 0"});
  expect({4, 2}, {-7, 3}, {"block_size[0] is -7"});
  expect({4, 2}, {INT64_MAX, 3}, {"block_size[0]", "4 scales", "9223372036854775807"});
  expect({0, 2}, {-1, 3}, {"block_size[0]", "0 scales", "4"});
  expect({4, 2}, {3}, {"block_size", "1 numbers", "2 dimensions"});
  expect({4, 1}, {1, 6, 1}, {"block_size", "3 numbers", "2 dimensions"});
  expect({5, 1}, {}, {"scale", "5 scales", "4"});
  expect({4}, {}, {"scale", "4 scales", "6"});
  expect({1, 4, 6}, {}, {"scale", "3 dimensions", "2"});
}

TEST(QuantizeErrors, TypesAndBytesOfScales) {
  Call call;
  call.quantizer.scale.dtype = kS32;
  call.ExpectAll({"scale", "s32", "f32"});
  call.quantizer.scale = {kF32, {4, 1}, std::as_bytes(std::span(call.scales)).first(12)};
  call.ExpectAll({"scale", "12 bytes", "16"});
  call.quantizer.scale.shape = {int64_t{1} << 40, int64_t{1} << 40};
  call.ExpectAll({"scale", "(1099511627776, 1099511627776)", "overflows"});
  call.quantizer.scale.shape = {-4, 1};
  call.ExpectAll({"scale", "(-4, 1)", "negative"});
  call = Call();
  call.quantizer.profile = RoundingProfile::kOnnx;
  call.quantizer.scale.dtype = kF16;
  ExpectUnsupported(call.Quantize(), {"scale", "f16", "f32"});
}

TEST(QuantizeErrors, TypesOfTensors) {
  Call call;
  call.codes.dtype = kF32;
  ExpectInvalid(call.Quantize(), {"codes", "f32"});
  ExpectInvalid(call.Dequantize(), {"codes", "f32"});
  call.Reset();
  call.real.dtype = kF64;
  ExpectInvalid(call.Quantize(), {"in", "f64"});
  ExpectInvalid(call.QuantizeDequantize(), {"in", "f64"});
  call.Reset();
  call.result.dtype = kS64;
  ExpectInvalid(call.Dequantize(), {"out", "s64"});
  call.result.dtype = kF16;
  ExpectInvalid(call.QuantizeDequantize(), {"out", "f16", "f32"});
}

TEST(QuantizeErrors, ShapesAndBytesOfTensors) {
  Call call;
  call.codes.bytes = call.codes.bytes.first(23);
  ExpectInvalid(call.Quantize(), {"codes", "23 bytes", "24"});
  ExpectInvalid(call.Dequantize(), {"codes", "23 bytes", "24"});
  call.Reset();
  call.codes.shape = {6, 4};
  ExpectInvalid(call.Quantize(), {"codes", "(6, 4)", "(4, 6)"});
  ExpectInvalid(call.Dequantize(), {"out", "(4, 6)", "(6, 4)"});
  call.Reset();
  call.real.bytes = call.real.bytes.first(95);
  ExpectInvalid(call.Quantize(), {"in", "95 bytes", "96"});
  ExpectInvalid(call.QuantizeDequantize(), {"in", "95 bytes", "96"});
  call.Reset();
  call.real.shape = call.result.shape = {int64_t{1} << 39, int64_t{1} << 39};
  ExpectInvalid(call.QuantizeDequantize(), {"in", "overflows"});
  call.real.shape = call.result.shape = {4, -6};
  ExpectInvalid(call.QuantizeDequantize(), {"in", "(4, -6)"});
}

TEST(QuantizeErrors, OverlapAndTargets) {
  Call call;
  call.codes.bytes = call.real.bytes.subspan(72);
  ExpectInvalid(Quantize(call.real, call.quantizer, call.codes), {"codes", "24 bytes overlap", "96"});
  std::vector<float> buffer(25, 1.0f);
  call.real.bytes = std::as_writable_bytes(std::span(buffer)).first(96);
  call.result.bytes = std::as_writable_bytes(std::span(buffer)).last(96);
  ExpectInvalid(QuantizeDequantize(call.real, call.quantizer, call.result), {"out", "overlap", "in"});
  EXPECT_TRUE(std::ranges::all_of(buffer, [](float x) { return x == 1.0f; }));
  call.Reset();
  ExpectError(QuantizeDequantize(call.real, call.quantizer, call.result, {nullptr, "Z80"}), StatusCode::kNotFound,
              {"Z80"});
}

// Random nonsense in every field: an answer, no crash, and nothing written where it is an error.
TEST(QuantizeErrors, RandomArguments) {
  Random random(44);
  const auto number = [&]() -> int64_t {
    constexpr int64_t kNumbers[] = {0, 1, 2, 3, 4, 6, 24, -1, -2, 127, 255, 1 << 24, INT32_MAX, INT64_MAX, INT64_MIN};
    return kNumbers[random.Size(0, std::size(kNumbers) - 1)];
  };
  const auto shape = [&] {
    if (random.Chance(0.6)) return Shape{4, 6};
    std::vector<int64_t> dims(random.Size(0, 8));
    for (int64_t& dim : dims) dim = number();
    return Shape(dims);
  };
  size_t accepted = 0;
  for (size_t i = 0; i < Cases(20000); ++i) {
    Call call;
    std::vector<int64_t> blocks(random.Chance(0.7) ? 0 : random.Size(0, 9));
    for (int64_t& block : blocks) block = number();
    call.quantizer.block_size = blocks;
    const auto spoil = [&](auto& view) {
      if (random.Chance(0.2)) view.dtype = static_cast<DType>(random.Int(0, 14));
      if (random.Chance(0.2)) view.shape = shape();
      if (random.Chance(0.1)) view.bytes = view.bytes.first(random.Size(0, view.bytes.size()));
    };
    spoil(call.quantizer.scale), spoil(call.quantizer.offset);
    spoil(call.real), spoil(call.result), spoil(call.codes);
    if (random.Chance(0.3)) call.quantizer.qmin = number();
    if (random.Chance(0.3)) call.quantizer.qmax = number();
    if (random.Chance(0.3)) call.scales[random.Size(0, 3)] = static_cast<float>(number());
    if (random.Chance(0.3)) call.offsets[random.Size(0, 3)] = static_cast<int32_t>(number());
    call.quantizer.profile = static_cast<RoundingProfile>(random.Int(0, 3));
    accepted += call.Quantize().ok() ? 1 : 0;
    std::ranges::fill(call.bytes, int8_t{7});
    accepted += call.QuantizeDequantize().ok() ? 1 : 0;
    std::ranges::fill(call.results, 7.0f);
    accepted += call.Dequantize().ok() ? 1 : 0;
  }
  EXPECT_GT(accepted, size_t{1000});
}

}  // namespace
}  // namespace lq::testing
