// LPBQ scales and codes of AIMET (tests/golden/calibration), and fields of its files.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "lanequant/lpbq.h"
#include "runtime/graph.h"
#include "runtime/io/encodings_reader.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/golden_table.h"
#include "tests/support/lpbq_case.h"

namespace lq::testing {
namespace {

LpbqCase ReadCase(GoldenTable& golden, size_t i) {
  const std::vector<int64_t> row = golden.Meta(i);
  LpbqCase c;
  c.layout.bitwidth = static_cast<int>(row[0]);
  c.layout.decompressed_bitwidth = static_cast<int>(row[1]);
  size_t column = 2;
  c.shape = Shape(TakeDims(row, column));
  c.layout.scale_shape = Shape(TakeDims(row, column));
  c.layout.block_size = TakeDims(row, column);
  c.layout.block_grouping = TakeDims(row, column);
  c.elements = static_cast<size_t>(c.shape.NumElements());
  c.blocks = static_cast<size_t>(c.layout.scale_shape.NumElements());
  c.groups = 1;
  for (size_t d = 0; d < c.layout.scale_shape.rank(); ++d) {
    const int64_t grouping = c.layout.block_grouping[d];
    c.groups *= static_cast<size_t>(grouping == -1 ? 1 : c.layout.scale_shape[d] / grouping);
  }
  c.weight = golden.Take<float>("w", c.elements);
  return c;
}

// The smallest type of codes and the next one.
std::vector<DType> CodeTypes(int bitwidth) {
  if (bitwidth == 2) return {DType::kS2, DType::kS4, DType::kS8};
  if (bitwidth <= 4) return {DType::kS4, DType::kS8};
  return bitwidth <= 8 ? std::vector{DType::kS8, DType::kS16} : std::vector{DType::kS16};
}

// The block that each element is in, by AIMET's rule, one dimension after the other.
std::vector<size_t> BlockOfElements(const LpbqCase& c) {
  std::vector<size_t> block(c.elements);
  const Shape& scales = c.layout.scale_shape;
  for (size_t i = 0; i < c.elements; ++i) {
    size_t rest = i, step = 1;
    for (size_t d = c.shape.rank(); d-- > 0;) {
      const size_t dim = static_cast<size_t>(c.shape[d]), count = static_cast<size_t>(scales[d]);
      block[i] += rest % dim / (dim / count) * step;
      rest /= dim;
      step *= count;
    }
  }
  return block;
}

template <class T>
void ExpectEqual(const std::vector<T>& have, const std::vector<T>& want, const char* what, size_t i) {
  EXPECT_EQ(have, want) << "case " << i << ": " << what;
}

TEST(LpbqGolden, ScalesAndCodesAreAimetTorchs) {
  GoldenTable golden("calibration/calibration.npz", "lpbq_torch");
  for (size_t i = 0; i < golden.rows(); ++i) {
    const LpbqCase c = ReadCase(golden, i);
    const std::vector<float> raw = golden.Take<float>("raw", c.blocks), scale = golden.Take<float>("scale", c.blocks);
    const std::vector<float> channel = golden.Take<float>("channel_scale", c.groups),
                             y = golden.Take<float>("y", c.elements);
    const std::vector<uint32_t> integer = golden.Take<uint32_t>("int_scale", c.blocks);
    const std::vector<int16_t> q = golden.Take<int16_t>("q", c.elements);

    const Result<LpbqScales> of_raw =
        DeriveLpbq({DType::kF32, c.layout.scale_shape, std::as_bytes(std::span(raw))}, c.layout);
    const Result<LpbqScales> of_weight = DeriveLpbqOfWeight(c.view(), c.layout, CalibrationTool::kAimetTorch);
    const Result<LpbqScales> of_file = MakeLpbqScales(c.layout, integer, {channel.begin(), channel.end()});
    for (const Result<LpbqScales>* scales : {&of_raw, &of_weight, &of_file}) {
      ASSERT_TRUE(scales->ok()) << scales->status().message();
      ExpectEqual((*scales)->int_scale, integer, "int_scale", i);
      ExpectEqual((*scales)->channel_scale, std::vector<double>(channel.begin(), channel.end()), "channel_scale", i);
      ExpectEqual((*scales)->scale, scale, "scale", i);
    }
    const std::vector<size_t> block = BlockOfElements(c);
    for (const DType dtype : CodeTypes(c.layout.bitwidth)) {
      const std::vector<std::byte> codes = Compressed(c, *of_raw, RoundingProfile::kAimetDiv, dtype);
      for (size_t j = 0; j < c.elements; ++j) ASSERT_EQ(CodeAt(codes, dtype, j), q[j]) << "case " << i << ": " << j;
      ExpectEqual(Expanded(c, *of_raw, dtype, codes), y, "dequantized", i);
      if (c.layout.decompressed_bitwidth > 8 || dtype == DType::kS16) continue;
      const std::vector<int8_t> s8 = ExpandedToS8(c, *of_raw, dtype, codes);
      for (size_t j = 0; j < c.elements; ++j) {
        ASSERT_EQ(s8[j], q[j] * static_cast<int>(integer[block[j]]))
            << "case " << i << ", " << NameOf(dtype) << ": " << j;
      }
    }
  }
  EXPECT_TRUE(golden.AllTaken());
}

TEST(LpbqGolden, ScalesAndCodesAreAimetOnnxs) {
  GoldenTable golden("calibration/calibration.npz", "lpbq_onnx");
  for (size_t i = 0; i < golden.rows(); ++i) {
    const LpbqCase c = ReadCase(golden, i);
    const std::vector<double> raw = golden.Take<double>("raw", c.blocks),
                              scale = golden.Take<double>("scale", c.blocks);
    const std::vector<double> channel = golden.Take<double>("channel_scale", c.groups);
    const std::vector<uint32_t> integer = golden.Take<uint32_t>("int_scale", c.blocks);
    const Result<LpbqScales> of_raw =
        DeriveLpbq({DType::kF64, c.layout.scale_shape, std::as_bytes(std::span(raw))}, c.layout);
    const Result<LpbqScales> of_weight = DeriveLpbqOfWeight(c.view(), c.layout, CalibrationTool::kAimetOnnx);
    const Result<LpbqScales> of_file = MakeLpbqScales(c.layout, integer, channel);
    for (const Result<LpbqScales>* scales : {&of_raw, &of_weight, &of_file}) {
      ASSERT_TRUE(scales->ok()) << scales->status().message();
      ExpectEqual((*scales)->int_scale, integer, "int_scale", i);
      ExpectEqual((*scales)->channel_scale, channel, "channel_scale", i);
      ExpectEqual((*scales)->scale, std::vector<float>(scale.begin(), scale.end()), "scale", i);
    }
    const DType dtype = CodeTypes(c.layout.bitwidth).front();
    const std::vector<std::byte> codes = Compressed(c, *of_raw, RoundingProfile::kAimetOnnx, dtype);
    ExpectEqual(Expanded(c, *of_raw, dtype, codes), golden.Take<float>("y", c.elements), "y_onnx", i);
  }
  EXPECT_TRUE(golden.AllTaken());
}

// The scales again from the effective ones: what an exporter makes of a quantizer.
void ExpectSameFields(const LpbqScales& scales, const std::string& what) {
  const Result<LpbqScales> again =
      DeriveLpbq({DType::kF32, scales.layout.scale_shape, std::as_bytes(std::span(scales.scale))}, scales.layout);
  ASSERT_TRUE(again.ok()) << what << ": " << again.status().message();
  EXPECT_EQ(again->int_scale, scales.int_scale) << what;
  EXPECT_EQ(again->channel_scale, scales.channel_scale) << what;
  EXPECT_EQ(again->scale, scales.scale) << what;
}

LpbqLayout LayoutOf(const Shape& scale_shape, const std::vector<int64_t>& block_size) {
  LpbqLayout layout;
  layout.scale_shape = scale_shape;
  layout.block_size = block_size;
  layout.block_grouping.assign(scale_shape.rank(), 1);
  layout.block_grouping[1] = -1;
  return layout;
}

// Encodings files of version 1.0.0 beside the scales of the quantizers that they were exported from.
TEST(LpbqGolden, FieldsOfExportedFiles) {
  for (const std::string tool : {"torch", "onnx"}) {
    const Result<EncodingsFile> file = ReadEncodings(GoldenPath("calibration/lpbq_" + tool + "_1.0.0.json"));
    ASSERT_TRUE(file.ok()) << file.status().message();
    GoldenTable golden("calibration/calibration.npz", "lpbq_file_" + tool);
    std::vector<EncodingEntry> params = file->entries;
    std::erase_if(params, [](const EncodingEntry& entry) { return entry.per_block_int_scale.empty(); });
    ASSERT_EQ(params.size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      const EncodingEntry& entry = params[i];
      size_t column = 0;
      const Shape shape(TakeDims(golden.Meta(i), column));
      const LpbqLayout layout = LayoutOf(shape, std::vector<int64_t>(shape.rank(), entry.block_size));
      const Result<LpbqScales> scales =
          MakeLpbqScales(layout, entry.per_block_int_scale, {entry.scale.begin(), entry.scale.end()});
      ASSERT_TRUE(scales.ok()) << scales.status().message();
      const auto channel = golden.Take<double>("channel_scale", scales->channel_scale.size());
      const auto scale = golden.Take<double>("scale", scales->scale.size());
      EXPECT_EQ(scales->int_scale, golden.Take<uint32_t>("int_scale", scales->int_scale.size()));
      for (size_t j = 0; j < channel.size(); ++j) EXPECT_EQ(entry.scale[j], static_cast<float>(channel[j]));
      if (tool == "onnx") continue;  // float64 scales, which the file's reader rounds first
      for (size_t j = 0; j < scale.size(); ++j) EXPECT_EQ(scales->scale[j], static_cast<float>(scale[j]));
      ExpectSameFields(*scales, entry.name);
    }
    EXPECT_TRUE(golden.AllTaken());
  }
}

// digits_cnn: the weights in an exported model lie on their grids. Codes taken with the file's fields give the same
// floats back, and expanded ones the 8-bit code of the channel's scale.
TEST(LpbqGolden, WeightsOfAnExportedModel) {
  const Result<Bundle> bundle = LoadBundle(GoldenPath("digits_cnn/w4a8_lpbq"));
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  size_t weights = 0;
  for (const Value& value : bundle->model.graph().values) {
    const Lpbq* encoding = value.encoding ? std::get_if<Lpbq>(&*value.encoding) : nullptr;
    if (encoding == nullptr || !value.constant) continue;
    ASSERT_TRUE(encoding->channel_axis == 0 && encoding->block_axis == 1) << value.name;
    ++weights;
    LpbqCase c;
    c.shape = value.constant->shape;
    c.elements = value.constant->f32.size();
    c.weight = value.constant->f32;
    Shape scale_shape = c.shape;
    for (size_t d = 1; d < scale_shape.rank(); ++d) scale_shape[d] = d == 1 ? c.shape[1] / encoding->block_size : 1;
    c.layout = LayoutOf(scale_shape, std::vector<int64_t>(scale_shape.rank(), -1));
    const Result<LpbqScales> scales = MakeLpbqScales(c.layout, encoding->per_block_int_scale,
                                                     {encoding->channel_scale.begin(), encoding->channel_scale.end()});
    ASSERT_TRUE(scales.ok()) << scales.status().message();
    ExpectSameFields(*scales, value.name);
    const std::vector<std::byte> codes = Compressed(c, *scales, RoundingProfile::kAimetDiv, DType::kS4);
    EXPECT_EQ(Expanded(c, *scales, DType::kS4, codes), c.weight) << value.name;
    const std::vector<int8_t> s8 = ExpandedToS8(c, *scales, DType::kS4, codes);
    const size_t channel_elements = c.elements / static_cast<size_t>(c.shape[0]);
    for (size_t i = 0; i < c.elements; ++i) {
      const double real = s8[i] * scales->channel_scale[i / channel_elements];
      ASSERT_NEAR(real, double{c.weight[i]}, 1e-6 * std::abs(real)) << value.name << " " << i;
    }
  }
  EXPECT_GE(weights, 3u);
}

// AIMET's tests (spec aimet.md G9): groups across rows, scales that are not sorted.
TEST(LpbqGolden, ExamplesOfAimetsTests) {
  const auto derive = [](std::vector<double> raw, Shape shape, std::vector<int64_t> grouping, int k) {
    LpbqLayout layout;
    layout.decompressed_bitwidth = layout.bitwidth + k;
    layout.scale_shape = shape;
    layout.block_size = {1, 1};
    layout.block_grouping = std::move(grouping);
    return *DeriveLpbq({DType::kF64, shape, std::as_bytes(std::span(raw))}, layout);
  };
  const LpbqScales columns = derive({16, 1.6, .16, .12, 1.111, .033}, {2, 3}, {2, 1}, 4);
  EXPECT_EQ(columns.int_scale, (std::vector<uint32_t>{16, 16, 16, 1, 11, 3}));
  EXPECT_EQ(columns.channel_scale, (std::vector<double>{1, .1, .01}));
  const LpbqScales rows = derive({1.6, 1.1222, 1e-5, 16, 2.56, 4.9}, {2, 3}, {1, -1}, 4);
  EXPECT_EQ(rows.int_scale, (std::vector<uint32_t>{16, 11, 1, 16, 3, 5}));
  EXPECT_EQ(rows.channel_scale, (std::vector<double>{.1, 1}));
  EXPECT_TRUE(rows.group_shape == (Shape{2, 1}));
  const LpbqScales wide = derive({25.6, 11.111, 256, 25.555}, {2, 2}, {1, -1}, 8);
  EXPECT_EQ(wide.scale, (std::vector<float>{25.6f, 11.1f, 256, 26}));
}

}  // namespace
}  // namespace lq::testing
