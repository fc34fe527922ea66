// Analyzers against those of AIMET (tests/golden/calibration).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/reference/small_floats.h"
#include "lanequant/calibrate.h"
#include "tests/support/golden_table.h"

namespace lq::testing {
namespace {

ConstTensorView View(DType dtype, const Shape& shape, std::span<const std::byte> bytes) {
  return {dtype, shape, bytes};
}

// Zeros of either sign are equal, and so are any two NaN.
bool Same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

struct Batch {
  Shape shape;
  std::vector<float> values;
};

Status Update(Analyzer& analyzer, const Batch& batch, bool half) {
  if (!half) return analyzer.Update(View(DType::kF32, batch.shape, std::as_bytes(std::span(batch.values))));
  std::vector<uint16_t> bits;
  for (const float value : batch.values) bits.push_back(reference::F16Bits(value));
  return analyzer.Update(View(DType::kF16, batch.shape, std::as_bytes(std::span(bits))));
}

struct TorchCase {
  AnalyzerOptions options;
  bool half;
  std::vector<Batch> batches;
};

TorchCase ReadTorchCase(GoldenTable& golden, size_t i) {
  const std::vector<int64_t> row = golden.Meta(i);
  TorchCase c;
  c.options.scheme = static_cast<CalibrationScheme>(row[0]);
  c.options.qmin = row[1];
  c.options.qmax = row[2];
  c.options.symmetric = row[3] != 0;
  c.options.zero_point_shift = static_cast<float>(row[4]) / 2;
  c.options.percentile = static_cast<double>(row[5]) / 1000;
  c.half = row[6] != 0;
  size_t column = 8;
  for (int64_t batch = 0; batch < 3; ++batch) {
    const Shape shape(TakeDims(row, column));
    if (batch >= row[7]) continue;
    c.batches.push_back({shape, golden.Take<float>("x", static_cast<size_t>(shape.NumElements()))});
  }
  c.options.scale_shape = Shape(TakeDims(row, column));
  c.options.block_size = TakeDims(row, column);
  return c;
}

// Every number of the tool, to the bit. A zero range of AIMET may be -0.
TEST(CalibrateGolden, AimetTorch) {
  GoldenTable golden("calibration/calibration.npz", "torch");
  size_t of_scheme[4] = {};
  for (size_t i = 0; i < golden.rows(); ++i) {
    const TorchCase c = ReadTorchCase(golden, i);
    ++of_scheme[static_cast<size_t>(c.options.scheme)];
    Result<Analyzer> analyzer = Analyzer::Create(c.options);
    ASSERT_TRUE(analyzer.ok()) << analyzer.status().message();
    for (const Batch& batch : c.batches) {
      const Status status = Update(*analyzer, batch, c.half);
      ASSERT_TRUE(status.ok()) << "case " << i << ": " << status.message();
    }
    const Result<Calibration> got = analyzer->Compute();
    ASSERT_TRUE(got.ok()) << got.status().message();
    const size_t groups = static_cast<size_t>(c.options.scale_shape.NumElements());
    ASSERT_TRUE(got->shape == c.options.scale_shape);
    for (const auto* have : {&got->min, &got->max, &got->scale, &got->offset}) {
      const std::vector<float> want = golden.Take<float>("expected", groups);
      ASSERT_EQ(have->size(), groups);
      for (size_t group = 0; group < groups; ++group) {
        EXPECT_TRUE(Same((*have)[group], double{want[group]}))
            << "case " << i << ", scheme " << static_cast<int>(c.options.scheme) << ", encoding " << group << ": "
            << (*have)[group] << ", not " << want[group];
      }
    }
  }
  EXPECT_TRUE(golden.AllTaken());
  EXPECT_EQ(of_scheme[0], 65u);
  EXPECT_EQ(of_scheme[1], 134u);
  EXPECT_EQ(of_scheme[2], 59u);
  EXPECT_EQ(of_scheme[3], 40u);
}

TEST(CalibrateGolden, RangeToEncoding) {
  GoldenTable golden("calibration/calibration.npz", "range");
  for (size_t i = 0; i < golden.rows(); ++i) {
    const std::vector<int64_t> row = golden.Meta(i);
    for (int64_t j = 0; j < row[3]; ++j) {
      const std::vector<float> range = golden.Take<float>("x", 2), want = golden.Take<float>("expected", 4);
      const Result<RangeEncoding> got = RangeToEncoding(range[0], range[1], row[0], row[1], row[2] != 0);
      ASSERT_TRUE(got.ok());
      EXPECT_TRUE(got->scale == want[0] && got->offset == want[1] && got->min == want[2] && got->max == want[3])
          << range[0] << ".." << range[1] << " on " << row[0] << ".." << row[1] << ": " << got->scale << " "
          << got->offset << " " << got->min << " " << got->max;
    }
  }
  EXPECT_TRUE(golden.AllTaken());
}

struct OnnxCase {
  AnalyzerOptions options;
  std::vector<Batch> batches;
};

// Flags of QcQuantizeOp: a strict grid leaves the lowest code out.
OnnxCase ReadOnnxCase(GoldenTable& golden, size_t i) {
  const std::vector<int64_t> row = golden.Meta(i);
  OnnxCase c;
  c.options.tool = CalibrationTool::kAimetOnnx;
  c.options.scheme = static_cast<CalibrationScheme>(row[0]);
  c.options.symmetric = row[2] != 0;
  c.options.qmin = c.options.symmetric ? -(int64_t{1} << (row[1] - 1)) : 0;
  c.options.qmax = c.options.qmin + (int64_t{1} << row[1]) - 1;
  c.options.qmin += row[3] == 1;
  c.options.unsigned_symmetric = row[3] == 2;
  c.options.zero_point_shift = row[3] == 3 ? 0.5f : 0.0f;
  c.options.percentile = static_cast<double>(row[4]) / 1000;
  for (int64_t batch = 0; batch < row[5]; ++batch) {
    const int64_t n = row[static_cast<size_t>(6 + batch)];
    c.batches.push_back({Shape{n}, golden.Take<float>("x", static_cast<size_t>(n))});
  }
  return c;
}

// What a number may be off: min-max nothing; percentile one unit in the last place of a float32 edge; TF-enhanced,
// whose candidates are differences of up to 20 edges, 2^-19 (all of them are AIMET's candidate).
double RelativeBound(CalibrationScheme scheme) {
  return scheme == CalibrationScheme::kMinMax ? 0 : scheme == CalibrationScheme::kPercentile ? 1.2e-7 : 0x1p-19;
}

TEST(CalibrateGolden, AimetOnnx) {
  GoldenTable golden("calibration/calibration.npz", "onnx");
  size_t of_scheme[4] = {};
  for (size_t i = 0; i < golden.rows(); ++i) {
    const OnnxCase c = ReadOnnxCase(golden, i);
    Result<Analyzer> analyzer = Analyzer::Create(c.options);
    ASSERT_TRUE(analyzer.ok()) << analyzer.status().message();
    for (const Batch& batch : c.batches) ASSERT_TRUE(Update(*analyzer, batch, false).ok());
    const Result<Calibration> got = analyzer->Compute();
    ASSERT_TRUE(got.ok()) << got.status().message();
    const std::vector<double> want = golden.Take<double>("expected", 4);
    // Stored for the unsigned grid 0.., with the shift in it.
    const int64_t bits = golden.Meta(i)[1];
    const double unsigned_offset = got->offset[0] + double{c.options.zero_point_shift} +
                                   static_cast<double>(c.options.symmetric ? c.options.qmin : 0);
    const double have[] = {got->min[0], got->max[0], got->scale[0], unsigned_offset};
    for (size_t j = 0; j < 4; ++j) {
      const double bound = RelativeBound(c.options.scheme) * std::abs(want[j]);
      EXPECT_LE(std::abs(have[j] - want[j]), bound)
          << "case " << i << ", " << bits << " bits, number " << j << ": " << have[j] << ", not " << want[j];
    }
    EXPECT_TRUE(c.options.scheme == CalibrationScheme::kPercentile || have[3] == want[3]) << "case " << i;
    ++of_scheme[static_cast<size_t>(c.options.scheme)];
  }
  EXPECT_TRUE(golden.AllTaken());
  EXPECT_EQ(of_scheme[0], 71u);
  EXPECT_EQ(of_scheme[1], 35u);
  EXPECT_EQ(of_scheme[3], 35u);
}

}  // namespace
}  // namespace lq::testing
