// reference::QuantizeWeights against AIMET's own codes (tests/golden/weights) and the worked examples of its documents.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <string>

#include "kernels/reference/reference.h"
#include "runtime/io/npz.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using reference::IntWeights;

template <class T>
std::vector<T> Values(const NamedArray& array) {
  std::vector<T> values(array.bytes.size() / sizeof(T));
  std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

// One call of AIMET.
struct Case {
  std::map<std::string, NamedArray> arrays;

  bool Has(const std::string& name) const { return arrays.count(name) > 0; }
  std::vector<float> F32(const std::string& name) const { return Values<float>(arrays.at(name)); }
  std::vector<int32_t> S32(const std::string& name) const { return Values<int32_t>(arrays.at(name)); }
  const Shape& shape() const { return arrays.at("w").shape; }
  std::vector<int64_t> meta() const { return Values<int64_t>(arrays.at("meta")); }
};

std::map<std::string, Case> LoadCases(const std::string& kind) {
  std::map<std::string, Case> cases;
  const Result<std::vector<NamedArray>> arrays = ReadNpz(testing::GoldenPath("weights/weights.npz"));
  EXPECT_TRUE(arrays.ok()) << arrays.status().message();
  if (!arrays.ok()) return cases;
  for (const NamedArray& array : *arrays) {
    const size_t first = array.name.find('.'), last = array.name.rfind('.');
    if (array.name.substr(0, first) != kind) continue;
    cases[array.name.substr(first + 1, last - first - 1)].arrays.emplace(array.name.substr(last + 1), array);
  }
  return cases;
}

size_t Axis(int64_t axis) { return static_cast<size_t>(axis); }

Grid GridOf(const std::vector<int64_t>& meta) { return {static_cast<int>(meta[0]), meta[1] != 0}; }

Lpbq LpbqOf(const Case& c) {
  const std::vector<int64_t> meta = c.meta();
  Lpbq e{
      static_cast<int>(meta[0]), static_cast<int>(meta[1]), Axis(meta[2]), Axis(meta[3]), meta[4], c.F32("scale"), {}};
  for (int32_t i : c.S32("int_scale")) e.per_block_int_scale.push_back(static_cast<uint32_t>(i));
  return e;
}

PerBlock PerBlockOf(const Case& c) {
  const std::vector<int64_t> meta = c.meta();
  return {GridOf(meta), Axis(meta[2]), Axis(meta[3]), meta[4], c.F32("scale"), c.S32("offset")};
}

TEST(QuantizeWeights, GivesAimetsLpbqCodes) {
  const std::map<std::string, Case> cases = LoadCases("lpbq");
  ASSERT_EQ(cases.size(), 30u);
  for (const auto& [name, c] : cases) {
    SCOPED_TRACE(name);
    const Lpbq encoding = LpbqOf(c);
    ASSERT_TRUE(ValidateEncoding(name, encoding, c.shape()).ok());
    const std::vector<float> w = c.F32("w"), y = c.F32("y");
    for (RoundingProfile profile : {RoundingProfile::kAimetDiv, RoundingProfile::kAimetFakequant}) {
      const IntWeights got = reference::QuantizeWeights(w, c.shape(), encoding.channel_axis, encoding, profile);
      EXPECT_EQ(got.q, c.S32("q"));
      ASSERT_EQ(got.scale.size(), encoding.channel_scale.size());
      const size_t inner = w.size() / got.scale.size() / (encoding.channel_axis == 0 ? 1 : Axis(c.shape()[0]));
      for (size_t i = 0; i < w.size(); ++i) {
        const double scale = got.scale[i / inner % got.scale.size()];
        EXPECT_EQ(scale, encoding.channel_scale[i / inner % got.scale.size()]);
        // AIMET rounds i * c and then q * (i * c) to float32: at most two half units in the last place away.
        EXPECT_LE(std::abs(got.w_int[i] * scale - y[i]), std::ldexp(std::abs(y[i]), -23)) << i;
      }
    }
  }
}

TEST(RoundToGrid, GivesAimetsBlockValues) {
  const std::map<std::string, Case> cases = LoadCases("block");
  ASSERT_EQ(cases.size(), 12u);
  for (const auto& [name, c] : cases) {
    SCOPED_TRACE(name);
    const PerBlock encoding = PerBlockOf(c);
    ASSERT_TRUE(ValidateEncoding(name, encoding, c.shape()).ok());
    const std::vector<double> got = reference::RoundToGrid(c.F32("w"), c.shape(), encoding, RoundingProfile::kAimetDiv);
    const std::vector<float> y = c.F32("y");
    ASSERT_EQ(got.size(), y.size());
    for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(static_cast<float>(got[i]), y[i]) << i;
    EXPECT_FALSE(reference::IsConstantPerChannel(encoding, c.shape()));
  }
}

TEST(QuantizeWeights, GivesAimetsChannelCodes) {
  const std::map<std::string, Case> cases = LoadCases("channel");
  ASSERT_EQ(cases.size(), 11u);
  size_t fakequant_differs = 0;
  for (const auto& [name, c] : cases) {
    SCOPED_TRACE(name);
    const std::vector<int64_t> meta = c.meta();
    const PerChannel encoding{GridOf(meta), Axis(meta[2]), c.F32("scale"), c.S32("offset")};
    const IntWeights got =
        reference::QuantizeWeights(c.F32("w"), c.shape(), encoding.axis, encoding, RoundingProfile::kAimetDiv);
    EXPECT_EQ(got.q, c.S32("q"));
    const std::vector<float> y = c.F32("y");
    const size_t channels = encoding.scale.size();
    const size_t inner = y.size() / channels / (encoding.axis == 0 ? 1 : Axis(c.shape()[0]));
    for (size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(static_cast<float>(got.w_int[i] * got.scale[i / inner % channels]), y[i]) << i;
    }
    if (!c.Has("q_fakequant")) continue;
    const IntWeights fake =
        reference::QuantizeWeights(c.F32("w"), c.shape(), encoding.axis, encoding, RoundingProfile::kAimetFakequant);
    EXPECT_EQ(fake.q, c.S32("q_fakequant"));
    fakequant_differs += fake.q != got.q;
  }
  EXPECT_GE(fakequant_differs, 5u);  // the data tell the profiles apart
}

TEST(QuantizeWeights, PerTensorGivesEveryChannelItsScale) {
  const PerTensor encoding{{4, false}, 0.5f, -3};
  const std::vector<float> w{-2, -1.5f, -1, 0, 0.25f, 0.75f, 5, 99};
  const IntWeights got = reference::QuantizeWeights(w, {4, 2}, 0, encoding, RoundingProfile::kAimetDiv);
  EXPECT_EQ(got.q, (std::vector<int32_t>{0, 0, 1, 3, 3, 5, 13, 15}));
  EXPECT_EQ(got.w_int, (std::vector<int32_t>{-3, -3, -2, 0, 0, 2, 10, 12}));
  EXPECT_EQ(got.scale, (std::vector<double>(4, 0.5)));
}

TEST(QuantizeWeights, LpbqTakesEachBlocksIntegerScale) {
  // One row of three blocks of four: 1, -2, 3, 7 | .5, -.5, .25, .875 | zeros, channel scale 1/16.
  const Lpbq encoding{4, 8, 0, 1, 4, {0.0625f}, {16, 2, 1}};
  const std::vector<float> w{1, -2, 3, 7, 0.5f, -0.5f, 0.25f, 0.875f, 0, 0, 0, 0};
  const IntWeights got = reference::QuantizeWeights(w, {1, 12}, 0, encoding, RoundingProfile::kAimetDiv);
  EXPECT_EQ(got.q, (std::vector<int32_t>{1, -2, 3, 7, 4, -4, 2, 7, 0, 0, 0, 0}));
  EXPECT_EQ(got.w_int, (std::vector<int32_t>{16, -32, 48, 112, 8, -8, 4, 14, 0, 0, 0, 0}));
  EXPECT_EQ(got.scale, std::vector<double>{0.0625});
}

TEST(QuantizeWeights, BlocksDivideEvenWhereTheProfileMultiplies) {
  // 0.1 / fl32(1/15) is 1.5, to even 2; times fl32(1 / s) it is just below: fake_quantize gives 1, but knows no blocks.
  const float fifteenth = 1.0f / 15.0f;
  const std::vector<float> w{0.1f};
  const auto code = [&](const Encoding& encoding) {
    return reference::QuantizeWeights(w, {1, 1}, 0, encoding, RoundingProfile::kAimetFakequant).q[0];
  };
  EXPECT_EQ(code(PerChannel{{4, true}, 0, {fifteenth}, {0}}), 1);
  EXPECT_EQ(code(PerBlock{{4, true}, 0, 1, 1, {fifteenth}, {0}}), 2);
  EXPECT_EQ(code(Lpbq{4, 8, 0, 1, 1, {fifteenth}, {1}}), 2);
}

TEST(QuantizeWeights, BlocksFollowTheirAxisInTransposedWeights) {
  // (k, n) = (4, 2): channel axis 1, blocks of two along axis 0, arrays [channel][block].
  const Lpbq encoding{4, 8, 1, 0, 2, {1.0f, 0.5f}, {1, 2, 4, 8}};
  const std::vector<float> w{3, 2, 3, 4, 6, 8, 6, 12};
  const IntWeights got = reference::QuantizeWeights(w, {4, 2}, 1, encoding, RoundingProfile::kAimetDiv);
  EXPECT_EQ(got.q, (std::vector<int32_t>{3, 1, 3, 2, 3, 2, 3, 3}));
  EXPECT_EQ(got.w_int, (std::vector<int32_t>{3, 4, 3, 8, 6, 16, 6, 24}));
  EXPECT_EQ(got.scale, (std::vector<double>{1.0, 0.5}));
}

TEST(IsConstantPerChannel, DependsOnWhereAChannelEnds) {
  const PerBlock two_by_two{{8, true}, 0, 1, 4, {1, 1, 2, 2}, {0, 0, 0, 0}};
  EXPECT_TRUE(reference::IsConstantPerChannel(two_by_two, {2, 8}));
  EXPECT_FALSE(reference::IsConstantPerChannel(two_by_two, {1, 16}));
  EXPECT_TRUE(reference::IsConstantPerChannel(two_by_two, {4, 4}));
  PerBlock offsets_differ = two_by_two;
  offsets_differ.offset = {0, 1, 0, 0};
  EXPECT_FALSE(reference::IsConstantPerChannel(offsets_differ, {2, 8}));
}

TEST(QuantizeWeights, TakesBlocksThatAreConstantPerChannel) {
  const PerBlock encoding{{8, true}, 0, 1, 2, {1, 1, 2, 2}, {0, 0, 1, 1}};
  const std::vector<float> w{1, 2, 3, 4, 2, 4, 6, 8};
  const IntWeights got = reference::QuantizeWeights(w, {2, 4}, 0, encoding, RoundingProfile::kAimetDiv);
  EXPECT_EQ(got.q, (std::vector<int32_t>{1, 2, 3, 4, 0, 1, 2, 3}));
  EXPECT_EQ(got.w_int, (std::vector<int32_t>{1, 2, 3, 4, 1, 2, 3, 4}));
  EXPECT_EQ(got.scale, (std::vector<double>{1, 2}));
}

}  // namespace
}  // namespace lq
