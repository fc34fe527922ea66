// Calibration and LPBQ through the C API: the numbers of the C++ API, and every argument that only C can get wrong.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "lanequant/calibrate.h"
#include "lanequant/lanequant.h"
#include "lanequant/lpbq.h"
#include "tests/support/c_api.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq {
namespace {

using testing::ExpectFails;
using testing::ExpectOk;
using testing::GuardedBuffer;
using testing::Tensor;

struct Free {
  void operator()(lq_analyzer* p) const { lq_analyzer_free(p); }
  void operator()(lq_lpbq_scales* p) const { lq_lpbq_free(p); }
};
using OwnedAnalyzer = std::unique_ptr<lq_analyzer, Free>;
using OwnedScales = std::unique_ptr<lq_lpbq_scales, Free>;

constexpr int64_t kRows = 6, kColumns = 40, kBlocks = 5;
constexpr size_t kSize = kRows * kColumns;

class CApiWeightTest : public ::testing::Test {
 protected:
  CApiWeightTest() {
    testing::Random random(1);
    for (float& value : w_) value = random.Float(-1, 1);
  }
  ConstTensorView CxxWeight() const {
    return {DType::kF32, {kRows, kColumns}, std::as_bytes(std::span<const float>(w_))};
  }

  GuardedBuffer<float> w_{kSize};
  lq_tensor weight_ = Tensor(LQ_F32, {kRows, kColumns}, std::span<float>(w_));
  const std::array<int64_t, 2> shape_{kRows, kBlocks}, block_{1, 8}, grouping_{1, -1};
};

class CApiCalibrateTest : public CApiWeightTest {
 protected:
  OwnedAnalyzer Create() {
    lq_analyzer* analyzer = nullptr;
    ExpectOk([&](lq_message* m) { return lq_analyzer_create(&options_, &analyzer, m); });
    return OwnedAnalyzer(analyzer);
  }

  lq_analyzer_options options_{sizeof(options_),   LQ_TOOL_AIMET_TORCH, LQ_MIN_MAX, -128, 127, 1, 0, 0, 0,
                               {shape_.data(), 2}, {block_.data(), 2}};
  std::array<double, kRows * kBlocks> min_, max_, scale_, offset_;
  lq_calibration result_{sizeof(result_), kRows* kBlocks, min_.data(), max_.data(), scale_.data(), offset_.data()};
};

TEST_F(CApiCalibrateTest, GivesTheNumbersOfCxx) {
  for (int32_t scheme : {LQ_MIN_MAX, LQ_PERCENTILE}) {
    options_.scheme = scheme;
    options_.percentile = scheme == LQ_PERCENTILE ? 90 : 0;
    AnalyzerOptions cxx;
    cxx.scheme = static_cast<CalibrationScheme>(scheme);
    if (scheme == LQ_PERCENTILE) cxx.percentile = 90;
    cxx.scale_shape = {kRows, kBlocks};
    cxx.block_size = {1, 8};
    Result<Analyzer> want = Analyzer::Create(cxx);
    ASSERT_TRUE(want.ok()) << want.status().message();
    ASSERT_TRUE(want->Update(CxxWeight()).ok());
    const Result<Calibration> numbers = want->Compute();
    ASSERT_TRUE(numbers.ok());

    const OwnedAnalyzer analyzer = Create();
    ExpectOk([&](lq_message* m) { return lq_analyzer_update(analyzer.get(), &weight_, nullptr, m); });
    ExpectOk([&](lq_message* m) { return lq_analyzer_compute(analyzer.get(), &result_, nullptr, m); });
    EXPECT_EQ(std::vector<double>(min_.begin(), min_.end()), numbers->min);
    EXPECT_EQ(std::vector<double>(max_.begin(), max_.end()), numbers->max);
    EXPECT_EQ(std::vector<double>(scale_.begin(), scale_.end()), numbers->scale);
    EXPECT_EQ(std::vector<double>(offset_.begin(), offset_.end()), numbers->offset);
  }
}

TEST_F(CApiCalibrateTest, MergesAndSkipsNullArrays) {
  const OwnedAnalyzer one = Create(), other = Create();
  ExpectOk([&](lq_message* m) { return lq_analyzer_update(one.get(), &weight_, nullptr, m); });
  ExpectOk([&](lq_message* m) { return lq_analyzer_compute(one.get(), &result_, nullptr, m); });
  const auto scale = scale_;
  for (float& value : w_) value *= 2;
  ExpectOk([&](lq_message* m) { return lq_analyzer_update(other.get(), &weight_, nullptr, m); });
  ExpectOk([&](lq_message* m) { return lq_analyzer_merge(one.get(), other.get(), m); });
  result_.min = result_.max = result_.offset = nullptr;
  ExpectOk([&](lq_message* m) { return lq_analyzer_compute(one.get(), &result_, nullptr, m); });
  for (size_t i = 0; i < scale.size(); ++i) EXPECT_EQ(scale_[i], 2 * scale[i]);
}

TEST_F(CApiCalibrateTest, RefusesBadArguments) {
  lq_analyzer* made = nullptr;
  const lq_analyzer_options good = options_;
  const auto refuses = [&](auto change, std::initializer_list<const char*> parts) {
    change();
    ExpectFails([&](lq_message* m) { return lq_analyzer_create(&options_, &made, m); }, LQ_INVALID_ARGUMENT, parts);
    options_ = good;
  };
  refuses([&] { options_.struct_size = 16; }, {"options: struct_size is 16"});
  refuses([&] { options_.tool = 4; }, {"tool 4"});
  refuses([&] { options_.scheme = 6; }, {"scheme 6"});
  refuses([&] { options_.symmetric = 5; }, {"symmetric 5"});
  refuses([&] { options_.unsigned_symmetric = 5; }, {"unsigned_symmetric 5"});
  refuses([&] { options_.scale_shape.values = nullptr; }, {"scale_shape is null"});
  refuses([&] { options_.block_size.count = 9; }, {"block_size: 9"});
  refuses([&] { options_.qmin = 127; }, {"qmin", "127"});
  refuses([&] { options_.scheme = LQ_PERCENTILE; }, {"percentile", "0"});
  const auto create = [&](const lq_analyzer_options* from, lq_analyzer** to) {
    return [=](lq_message* m) { return lq_analyzer_create(from, to, m); };
  };
  ExpectFails(create(nullptr, &made), LQ_INVALID_ARGUMENT, {"options is null"});
  ExpectFails(create(&options_, nullptr), LQ_INVALID_ARGUMENT, {"analyzer is null"});
  EXPECT_EQ(made, nullptr);
}

TEST_F(CApiCalibrateTest, RefusesBadCalls) {
  const OwnedAnalyzer analyzer = Create();
  const auto update = [&](lq_analyzer* a, const lq_tensor* batch) {
    return [=](lq_message* m) { return lq_analyzer_update(a, batch, nullptr, m); };
  };
  ExpectFails(update(nullptr, &weight_), LQ_INVALID_ARGUMENT, {"analyzer is null"});
  ExpectFails(update(analyzer.get(), nullptr), LQ_INVALID_ARGUMENT, {"batch is null"});
  const auto compute = [&](const lq_analyzer* a, const lq_calibration* to) {
    return [=](lq_message* m) { return lq_analyzer_compute(a, to, nullptr, m); };
  };
  ExpectFails(compute(analyzer.get(), &result_), LQ_INVALID_ARGUMENT, {});  // nothing came
  ExpectOk(update(analyzer.get(), &weight_));
  ExpectFails(compute(nullptr, &result_), LQ_INVALID_ARGUMENT, {"analyzer is null"});
  ExpectFails(compute(analyzer.get(), nullptr), LQ_INVALID_ARGUMENT, {"calibration is null"});
  result_.count = 29;
  ExpectFails(compute(analyzer.get(), &result_), LQ_INVALID_ARGUMENT, {"29", "30"});
  ExpectFails([&](lq_message* m) { return lq_analyzer_merge(analyzer.get(), nullptr, m); }, LQ_INVALID_ARGUMENT,
              {"other is null"});
  ExpectFails([&](lq_message* m) { return lq_analyzer_merge(nullptr, analyzer.get(), m); }, LQ_INVALID_ARGUMENT,
              {"analyzer is null"});
  lq_analyzer_free(nullptr);
}

class CApiLpbqTest : public CApiWeightTest {
 protected:
  OwnedScales Derive() {
    lq_lpbq_scales* scales = nullptr;
    ExpectOk([&](lq_message* m) {
      return lq_lpbq_derive_of_weight(&weight_, &layout_, LQ_TOOL_AIMET_TORCH, nullptr, &scales, m);
    });
    return OwnedScales(scales);
  }

  lq_lpbq_layout layout_{sizeof(layout_), 4, 8, {shape_.data(), 2}, {block_.data(), 2}, {grouping_.data(), 2}};
  const LpbqLayout cxx_layout_{4, 8, {kRows, kBlocks}, {1, 8}, {1, -1}};
  GuardedBuffer<uint8_t> packed_{kSize / 2};
  GuardedBuffer<float> y_{kSize};
  lq_tensor codes_ = Tensor(LQ_S4, {kRows, kColumns}, std::span<uint8_t>(packed_));
  lq_tensor out_ = Tensor(LQ_F32, {kRows, kColumns}, std::span<float>(y_));
};

TEST_F(CApiLpbqTest, GivesTheNumbersOfCxx) {
  const Result<LpbqScales> want = DeriveLpbqOfWeight(CxxWeight(), cxx_layout_, CalibrationTool::kAimetTorch);
  ASSERT_TRUE(want.ok()) << want.status().message();
  const OwnedScales scales = Derive();
  const lq_lpbq_view view = lq_lpbq_look(scales.get());
  ASSERT_EQ(view.block_count, want->int_scale.size());
  ASSERT_EQ(view.group_count, want->channel_scale.size());
  EXPECT_EQ(std::vector<uint32_t>(view.int_scale, view.int_scale + view.block_count), want->int_scale);
  EXPECT_EQ(std::vector<float>(view.scale, view.scale + view.block_count), want->scale);
  EXPECT_EQ(std::vector<double>(view.channel_scale, view.channel_scale + view.group_count), want->channel_scale);
  EXPECT_EQ(Shape(std::span(view.group_shape, static_cast<size_t>(view.rank))), want->group_shape);

  std::vector<std::byte> codes(kSize / 2);
  std::vector<float> real(kSize);
  const TensorView cxx_codes{DType::kS4, {kRows, kColumns}, codes};
  ASSERT_TRUE(LpbqCompress(CxxWeight(), *want, RoundingProfile::kAimetDiv, cxx_codes).ok());
  ExpectOk([&](lq_message* m) { return lq_lpbq_compress(&weight_, scales.get(), LQ_AIMET_DIV, &codes_, nullptr, m); });
  EXPECT_EQ(std::memcmp(packed_.data(), codes.data(), codes.size()), 0);
  ASSERT_TRUE(
      LpbqExpand(cxx_codes, *want, {DType::kF32, {kRows, kColumns}, std::as_writable_bytes(std::span(real))}).ok());
  ExpectOk([&](lq_message* m) { return lq_lpbq_expand(&codes_, scales.get(), &out_, nullptr, m); });
  EXPECT_EQ(std::memcmp(y_.data(), real.data(), kSize * sizeof(float)), 0);
}

TEST_F(CApiLpbqTest, ThreeWaysToTheSameScales) {
  const OwnedScales first = Derive();
  const lq_lpbq_view view = lq_lpbq_look(first.get());
  std::vector<int32_t> integers(view.int_scale, view.int_scale + view.block_count);
  std::vector<double> channels(view.channel_scale, view.channel_scale + view.group_count);
  std::vector<float> narrow(channels.begin(), channels.end());
  const lq_tensor int_scale = Tensor(LQ_S32, {kRows, kBlocks}, std::span(integers));
  for (const lq_tensor& channel_scale :
       {Tensor(LQ_F64, {kRows, 1}, std::span(channels)), Tensor(LQ_F32, {kRows, 1}, std::span(narrow))}) {
    lq_lpbq_scales* made = nullptr;
    ExpectOk([&](lq_message* m) { return lq_lpbq_make(&layout_, &int_scale, &channel_scale, &made, m); });
    const OwnedScales owned(made);
    EXPECT_EQ(std::memcmp(lq_lpbq_look(made).scale, view.scale, view.block_count * sizeof(float)), 0);
  }
  std::vector<float> raw(view.scale, view.scale + view.block_count);  // integer multiples are their own approximation
  const lq_tensor raw_scale = Tensor(LQ_F32, {kRows, kBlocks}, std::span(raw));
  lq_lpbq_scales* derived = nullptr;
  ExpectOk([&](lq_message* m) { return lq_lpbq_derive(&raw_scale, &layout_, &derived, m); });
  const OwnedScales owned(derived);
  EXPECT_EQ(std::memcmp(lq_lpbq_look(derived).int_scale, view.int_scale, view.block_count * 4), 0);
}

TEST_F(CApiLpbqTest, RefusesBadLayouts) {
  const lq_lpbq_layout good = layout_;
  lq_lpbq_scales* made = nullptr;
  int32_t tool = LQ_TOOL_AIMET_TORCH;
  const auto derive = [&](lq_message* m) {
    return lq_lpbq_derive_of_weight(&weight_, &layout_, tool, nullptr, &made, m);
  };
  const auto refuses = [&](auto change, std::initializer_list<const char*> parts) {
    change();
    ExpectFails(derive, LQ_INVALID_ARGUMENT, parts);
    layout_ = good, tool = LQ_TOOL_AIMET_TORCH;
  };
  refuses([&] { layout_.struct_size = 0; }, {"layout: struct_size is 0"});
  refuses([&] { layout_.scale_shape.count = 100; }, {"scale_shape: 100"});
  refuses([&] { layout_.block_size.values = nullptr; }, {"block_size is null"});
  refuses([&] { layout_.block_grouping.values = nullptr; }, {"block_grouping is null"});
  refuses([&] { layout_.bitwidth = 1; }, {"1"});
  refuses([&] { layout_.decompressed_bitwidth = 2147483647; }, {"2147483647"});
  refuses([&] { tool = 9; }, {"tool 9"});
  ExpectFails([&](lq_message* m) { return lq_lpbq_derive(nullptr, &layout_, &made, m); }, LQ_INVALID_ARGUMENT,
              {"raw_scale is null"});
  ExpectFails([&](lq_message* m) { return lq_lpbq_derive(&weight_, nullptr, &made, m); }, LQ_INVALID_ARGUMENT,
              {"layout is null"});
  ExpectFails([&](lq_message* m) { return lq_lpbq_derive(&weight_, &layout_, nullptr, m); }, LQ_INVALID_ARGUMENT,
              {"scales is null"});
  EXPECT_EQ(made, nullptr);
  EXPECT_EQ(lq_lpbq_look(nullptr).int_scale, nullptr);
  lq_lpbq_free(nullptr);
}

TEST_F(CApiLpbqTest, RefusesBadScales) {
  lq_lpbq_scales* made = nullptr;
  std::vector<int32_t> integers(kRows * kBlocks, 16);
  std::vector<float> channels(kRows, 0.1f);
  const lq_tensor int_scale = Tensor(LQ_S32, {kRows, kBlocks}, std::span(integers));
  const lq_tensor channel_scale = Tensor(LQ_F32, {kRows, 1}, std::span(channels));
  const auto make = [&](const lq_tensor& a, const lq_tensor& b) {
    return [&](lq_message* m) { return lq_lpbq_make(&layout_, &a, &b, &made, m); };
  };
  ExpectFails(make(channel_scale, channel_scale), LQ_INVALID_ARGUMENT, {"int_scale: type f32", "s32"});
  ExpectFails(make(int_scale, int_scale), LQ_INVALID_ARGUMENT, {"channel_scale: type s32", "f32 or f64"});
  lq_tensor cut = int_scale;
  cut.bytes -= 1;
  ExpectFails(make(cut, channel_scale), LQ_INVALID_ARGUMENT, {"int_scale", "119 bytes", "120"});
  cut = int_scale;
  cut.dims[0] = 5;
  ExpectFails(make(cut, channel_scale), LQ_INVALID_ARGUMENT, {"25", "30"});
  for (int32_t bad : {0, 17, -1}) {
    integers[7] = bad;
    ExpectFails(make(int_scale, channel_scale), LQ_INVALID_ARGUMENT, {"16"});
  }
  EXPECT_EQ(made, nullptr);
}

TEST_F(CApiLpbqTest, RefusesBadTensors) {
  const OwnedScales scales = Derive();
  const auto compress = [&](const lq_tensor* in, const lq_lpbq_scales* by, int32_t profile, const lq_tensor* out) {
    return [=](lq_message* m) { return lq_lpbq_compress(in, by, profile, out, nullptr, m); };
  };
  lq_tensor cut = codes_;
  cut.bytes -= 1;
  ExpectFails(compress(nullptr, scales.get(), 0, &codes_), LQ_INVALID_ARGUMENT, {"weight is null"});
  ExpectFails(compress(&weight_, nullptr, 0, &codes_), LQ_INVALID_ARGUMENT, {"scales is null"});
  ExpectFails(compress(&weight_, scales.get(), 9, &codes_), LQ_INVALID_ARGUMENT, {"profile 9"});
  ExpectFails(compress(&weight_, scales.get(), 0, nullptr), LQ_INVALID_ARGUMENT, {"codes is null"});
  ExpectFails(compress(&weight_, scales.get(), 0, &cut), LQ_INVALID_ARGUMENT, {"119", "120"});
  const auto expand = [&](const lq_tensor* in, const lq_lpbq_scales* by, const lq_tensor* out) {
    return [=](lq_message* m) { return lq_lpbq_expand(in, by, out, nullptr, m); };
  };
  ExpectFails(expand(nullptr, scales.get(), &out_), LQ_INVALID_ARGUMENT, {"codes is null"});
  ExpectFails(expand(&codes_, nullptr, &out_), LQ_INVALID_ARGUMENT, {"scales is null"});
  ExpectFails(expand(&codes_, scales.get(), nullptr), LQ_INVALID_ARGUMENT, {"out is null"});
  ExpectFails(expand(&cut, scales.get(), &out_), LQ_INVALID_ARGUMENT, {"119", "120"});
  for (uint8_t byte : packed_) EXPECT_EQ(byte, 0xA5);  // no output touched
  for (float value : y_) EXPECT_EQ(std::memcmp(&value, "\xA5\xA5\xA5\xA5", 4), 0);
}

}  // namespace
}  // namespace lq
