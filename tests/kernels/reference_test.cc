// The scalar reference of the quantizers against AIMET itself (tests/golden/quantizers) and examples worked by hand.
#include "kernels/reference/reference.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>

#include "runtime/io/npz.h"
#include "tests/support/temp_folder.h"

namespace lq::reference {
namespace {

using enum RoundingProfile;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// One table of quantizers.npz.
class Golden {
 public:
  explicit Golden(const std::string& table) {
    const Result<std::vector<NamedArray>> arrays = ReadNpz(testing::GoldenPath("quantizers/quantizers.npz"));
    EXPECT_TRUE(arrays.ok()) << arrays.status().message();
    if (!arrays.ok()) return;
    for (const NamedArray& array : *arrays) {
      if (array.name.starts_with(table + ".")) columns_.emplace(array.name.substr(table.size() + 1), array);
    }
  }

  template <class T>
  std::vector<T> Column(const std::string& name) const {
    const std::vector<std::byte>& bytes = columns_.at(name).bytes;
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

 private:
  std::map<std::string, NamedArray> columns_;
};

struct Rows {
  explicit Rows(const Golden& golden)
      : x(golden.Column<float>("x")),
        scale(golden.Column<float>("scale")),
        y(golden.Column<float>("y")),
        offset(golden.Column<int32_t>("offset")),
        bitwidth(golden.Column<uint8_t>("bitwidth")),
        is_signed(golden.Column<uint8_t>("is_signed")) {}

  int64_t Code(size_t i, RoundingProfile profile) const {
    return QuantizeF32(x[i], {bitwidth[i], is_signed[i] != 0}, scale[i], offset[i], profile).code;
  }
  float Value(size_t i, RoundingProfile profile) const { return Dequantize(Code(i, profile), scale[i], offset[i]); }

  std::vector<float> x, scale, y;
  std::vector<int32_t> offset;
  std::vector<uint8_t> bitwidth, is_signed;
};

// AIMET by division keeps NaN where codes have to be numbers.
TEST(Reference, DivisionIsAimets) {
  const Golden golden("aimet_div");
  const Rows rows(golden);
  const std::vector<float> q = golden.Column<float>("q");
  ASSERT_EQ(rows.x.size(), 20104u);
  for (size_t i = 0; i < q.size(); ++i) {
    const Grid grid{rows.bitwidth[i], rows.is_signed[i] != 0};
    const int64_t code = rows.Code(i, kAimetDiv);
    if (std::isnan(q[i])) {
      EXPECT_EQ(code, grid.qmin()) << "row " << i;
      continue;
    }
    ASSERT_EQ(static_cast<float>(code), q[i]) << "row " << i;
    ASSERT_EQ(std::bit_cast<uint32_t>(rows.Value(i, kAimetDiv)), std::bit_cast<uint32_t>(rows.y[i])) << "row " << i;
  }
}

void CheckValues(const std::string& table, size_t count, RoundingProfile profile) {
  const Rows rows{Golden(table)};
  ASSERT_EQ(rows.x.size(), count);
  for (size_t i = 0; i < count; ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(rows.Value(i, profile)), std::bit_cast<uint32_t>(rows.y[i])) << "row " << i;
  }
}

TEST(Reference, FakeQuantizeIsAimets) { CheckValues("aimet_fakequant", 4498, kAimetFakequant); }

TEST(Reference, OnnxOpIsAimets) { CheckValues("aimet_onnx", 4812, kAimetOnnx); }

// AIMET's values tell the products of codes and integer scales: y = q * i * channel scale, within roundings.
TEST(Reference, LpbqExpandIsAimets) {
  const Golden golden("lpbq");
  const std::vector<int8_t> q = golden.Column<int8_t>("q");
  const std::vector<float> scale = golden.Column<float>("channel_scale"), y = golden.Column<float>("y");
  std::vector<uint8_t> packed((q.size() + 1) / 2);
  for (size_t i = 0; i < q.size(); ++i) packed[i / 2] |= static_cast<uint8_t>((q[i] & 15) << (i % 2 * 4));
  std::vector<int32_t> out(q.size());
  const size_t block = static_cast<size_t>(golden.Column<int32_t>("block")[0]);
  LpbqExpand(packed, golden.Column<uint8_t>("int_scale"), block, out);
  ASSERT_EQ(out.size(), 480u);
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i], std::lround(static_cast<double>(y[i]) / scale[i / 20])) << "element " << i;
  }
}

// Half-way values: division rounds to even before the offset, the op of aimet_onnx rounds up after it.
TEST(Reference, Ties) {
  const Grid grid{8, false};
  EXPECT_EQ(QuantizeF32(0.5f, grid, 1.0f, -3, kAimetDiv).code, 3);
  EXPECT_EQ(QuantizeF32(1.5f, grid, 1.0f, -3, kAimetDiv).code, 5);
  EXPECT_EQ(QuantizeF32(-1.5f, grid, 1.0f, -3, kAimetDiv).code, 1);
  EXPECT_EQ(QuantizeF32(0.5f, grid, 1.0f, -3, kAimetOnnx).code, 4);
  EXPECT_EQ(QuantizeF32(-1.5f, grid, 1.0f, -3, kAimetOnnx).code, 2);
  EXPECT_EQ(QuantizeReal(-1.5, grid, 1.0f, -3, kAimetDiv).code, 1);
  EXPECT_EQ(QuantizeReal(-1.5, grid, 1.0f, -3, kAimetOnnx).code, 2);
  // The float below a half: 0.49999997 + 0.5 would be 1 in float.
  EXPECT_EQ(QuantizeF32(std::nextafter(0.5f, 0.0f), grid, 1.0f, 0, kAimetOnnx).code, 0);
}

// Near half-way values the kinds of quotient part: float 0.59 / 0.02 is 29.5, rounded from 29.4999993; by the
// reciprocal it is 29.499998.
TEST(Reference, KindsOfQuotient) {
  const Grid grid{8, false};
  EXPECT_EQ(QuantizeF32(0.59f, grid, 0.02f, 0, kAimetDiv).code, 30);
  EXPECT_EQ(QuantizeF32(0.59f, grid, 0.02f, 0, kAimetFakequant).code, 29);
  EXPECT_EQ(QuantizeReal(double{0.59f}, grid, 0.02f, 0, kAimetDiv).code, 29);
  EXPECT_EQ(QuantizeF32(3.15f, grid, 0.7f, 0, kAimetDiv).code, 4);
  EXPECT_EQ(QuantizeF32(3.15f, grid, 0.7f, 0, kAimetFakequant).code, 5);
  EXPECT_EQ(QuantizeReal(double{3.15f}, grid, 0.7f, 0, kAimetDiv).code, 5);
  // A grid wider than 21 bits divides in binary64.
  EXPECT_EQ(QuantizeF32(0.59f, {21, false}, 0.02f, 0, kAimetDiv).code, 30);
  EXPECT_EQ(QuantizeF32(0.59f, {22, false}, 0.02f, 0, kAimetDiv).code, 29);
}

TEST(Reference, SpecialValuesSaturate) {
  for (const RoundingProfile profile : {kAimetDiv, kAimetFakequant, kAimetOnnx}) {
    for (const Grid grid : {Grid{8, false}, Grid{8, true}, Grid{16, false}, Grid{16, true}}) {
      EXPECT_EQ(QuantizeF32(kNaN, grid, 0.1f, 0, profile).code, grid.qmin());
      EXPECT_EQ(QuantizeF32(kInfinity, grid, 0.1f, 0, profile).code, grid.qmax());
      EXPECT_EQ(QuantizeF32(-kInfinity, grid, 0.1f, 0, profile).code, grid.qmin());
      EXPECT_EQ(QuantizeF32(3e38f, grid, 1e-30f, 0, profile).code, grid.qmax());
      EXPECT_EQ(QuantizeReal(std::numeric_limits<double>::quiet_NaN(), grid, 0.1f, 0, profile).code, grid.qmin());
      EXPECT_EQ(QuantizeReal(1e300, grid, 1e-30f, 0, profile).code, grid.qmax());
    }
  }
}

// float(59 * 0.01f) is 0.59f, the value above.
TEST(Reference, CodedGoesThroughFloat) {
  EXPECT_EQ(QuantizeCoded(59, 0.01f, {8, false}, 0.02f, 0, kAimetDiv).code, 30);
  EXPECT_EQ(QuantizeCoded(59, 0.01f, {8, false}, 0.02f, 0, kAimetFakequant).code, 29);
  EXPECT_EQ(QuantizeCoded(59, 0.01f, {8, false}, 0.02f, -5, kAimetDiv).code, 35);
}

}  // namespace
}  // namespace lq::reference
