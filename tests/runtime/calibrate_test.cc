// Analyzers: batches, merging, threads, and arguments that make no sense. Their numbers: calibrate_golden_test.
#include "lanequant/calibrate.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Batch {
  Shape shape;
  std::vector<float> values;

  ConstTensorView view() const { return {DType::kF32, shape, std::as_bytes(std::span(values))}; }
};

Batch RandomBatch(const Shape& shape, float reach, Random& random) {
  Batch batch{shape, std::vector<float>(static_cast<size_t>(shape.NumElements()))};
  for (float& value : batch.values) value = random.Float(-reach, reach);
  return batch;
}

Analyzer Make(const AnalyzerOptions& options) {
  Result<Analyzer> analyzer = Analyzer::Create(options);
  EXPECT_TRUE(analyzer.ok()) << analyzer.status().message();
  return *std::move(analyzer);
}

void Feed(Analyzer& analyzer, std::span<const Batch> batches, const BulkOptions& bulk = {}) {
  for (const Batch& batch : batches) {
    const Status status = analyzer.Update(batch.view(), bulk);
    ASSERT_TRUE(status.ok()) << status.message();
  }
}

std::vector<uint64_t> Bits(const Analyzer& analyzer, const BulkOptions& bulk = {}) {
  const Result<Calibration> encodings = analyzer.Compute(bulk);
  EXPECT_TRUE(encodings.ok()) << encodings.status().message();
  std::vector<uint64_t> bits;
  for (const auto* values : {&encodings->min, &encodings->max, &encodings->scale, &encodings->offset}) {
    for (const double value : *values) bits.push_back(std::bit_cast<uint64_t>(value));
  }
  return bits;
}

// Every tool and scheme, per tensor, per channel along the first and last axis, per block.
std::vector<AnalyzerOptions> AllOptions() {
  std::vector<AnalyzerOptions> all;
  using enum CalibrationScheme;
  using enum CalibrationTool;
  for (const CalibrationScheme scheme : {kMinMax, kPercentile, kSqnr, kTfEnhanced, kEntropy, kMse}) {
    for (const CalibrationTool tool : {kAimetTorch, kAimetOnnx, kOnnxRuntime, kQuarkTorch}) {
      AnalyzerOptions options;
      options.tool = tool;
      options.scheme = scheme;
      options.percentile = 99;
      if (!Analyzer::Create(options).ok()) continue;
      all.push_back(options);
      if ((tool == kOnnxRuntime || tool == kQuarkTorch) && scheme != kMinMax) {  // whole tensors
        options.symmetric = false;
        if (scheme != kMse) all.push_back(options);
        continue;
      }
      options.scale_shape = Shape{6, 1};
      all.push_back(options);
      options.scale_shape = Shape{48};
      all.push_back(options);
      options.scale_shape = Shape{2, 3};
      options.block_size = {3, 16};
      all.push_back(options);
      options.scale_shape = Shape{3, 1, 4};
      options.block_size = {-1, -1, 12};
      all.push_back(options);
    }
  }
  return all;
}

std::vector<Batch> ThreeBatches(const Shape& shape) {
  Random random(60);
  return {RandomBatch(shape, 2, random), RandomBatch(shape, 3, random), RandomBatch(shape, 1, random)};
}

// One batch large enough for several tasks, two small ones that come after it.
TEST(Calibrate, ThreadsDoNotMatter) {
  ASSERT_GE(AllOptions().size(), 40u);
  for (const AnalyzerOptions& options : AllOptions()) {
    std::vector<Batch> batches = ThreeBatches({3, 6, 48});
    Random random(61);
    batches.insert(batches.begin(), RandomBatch({999, 6, 48}, 2.5f, random));
    Analyzer alone = Make(options);
    Feed(alone, batches);
    const std::vector<uint64_t> expected = Bits(alone);
    for (const size_t workers : {size_t{2}, size_t{7}}) {
      ThreadExecutor threads(workers);
      ReverseExecutor reverse(workers);
      for (Executor* executor : {static_cast<Executor*>(&threads), static_cast<Executor*>(&reverse)}) {
        Analyzer shared = Make(options);
        Feed(shared, batches, {executor, ""});
        EXPECT_EQ(Bits(shared, {executor, ""}), expected)
            << workers << " workers, scheme " << static_cast<int>(options.scheme);
      }
    }
  }
}

TEST(Calibrate, TargetsDoNotMatter) {
  AnalyzerOptions options;
  options.scale_shape = Shape{6, 1};
  const std::vector<Batch> batches = ThreeBatches({3, 6, 48});
  Analyzer best = Make(options);
  Feed(best, batches, {nullptr, ""});
  for (const TargetInfo& target : CompiledTargets()) {
    Analyzer capped = Make(options);
    Feed(capped, batches, {nullptr, target.name});
    EXPECT_EQ(Bits(capped), Bits(best)) << target.name;
  }
}

// Min-max of batches is min-max of all values, in one batch or merged from two analyzers.
TEST(Calibrate, MinMaxStreamsAndMerges) {
  for (const AnalyzerOptions& options : AllOptions()) {
    if (options.scheme != CalibrationScheme::kMinMax) continue;
    const std::vector<Batch> batches = ThreeBatches({3, 6, 48});
    Analyzer stream = Make(options), one = Make(options), left = Make(options), right = Make(options);
    Feed(stream, batches);
    Batch all{Shape{9, 6, 48}, {}};
    for (const Batch& batch : batches) all.values.insert(all.values.end(), batch.values.begin(), batch.values.end());
    if (options.scale_shape.rank() < 3) {  // else the first dimension has scales
      Feed(one, {&all, 1});
      EXPECT_EQ(Bits(one), Bits(stream));
    }
    Feed(left, std::span(batches).first(1));
    Feed(right, std::span(batches).subspan(1));
    ASSERT_TRUE(left.Merge(right).ok());
    EXPECT_EQ(Bits(left), Bits(stream));
  }
}

// Equal bins add up; an empty side changes nothing.
TEST(Calibrate, HistogramsMerge) {
  for (const AnalyzerOptions& options : AllOptions()) {
    if (options.scheme == CalibrationScheme::kMinMax) continue;
    const std::vector<Batch> batches = ThreeBatches({3, 6, 48});
    Analyzer a = Make(options), b = Make(options), empty = Make(options);
    Feed(a, std::span(batches).first(1));
    Feed(b, std::span(batches).first(1));
    const std::vector<uint64_t> before = Bits(a);
    ASSERT_TRUE(a.Merge(empty).ok());
    EXPECT_EQ(Bits(a), before);
    ASSERT_TRUE(empty.Merge(a).ok());
    EXPECT_EQ(Bits(empty), before);
    ASSERT_TRUE(a.Merge(b).ok());
    if (options.scheme == CalibrationScheme::kPercentile) {  // all counts double; the others look at the bins' end, too
      EXPECT_EQ(Bits(a), before);
    }
  }
}

// Counts that move to other bins do not get lost: the whole range is the union, and percentiles stay near those of all
// values.
TEST(Calibrate, MergedHistogramCoversBoth) {
  AnalyzerOptions options;
  options.scheme = CalibrationScheme::kPercentile;
  options.symmetric = false;
  options.qmin = 0;
  options.qmax = 255;
  Random random(62);
  const Batch narrow = RandomBatch(Shape{20000}, 1, random), wide = RandomBatch(Shape{20000}, 10, random);
  for (const double percentile : {100.0, 95.0}) {
    options.percentile = percentile;
    Analyzer a = Make(options), b = Make(options), stream = Make(options);
    Feed(a, {&narrow, 1});
    Feed(b, {&wide, 1});
    Feed(stream, {&narrow, 1});
    Feed(stream, {&wide, 1});
    ASSERT_TRUE(a.Merge(b).ok());
    const Result<Calibration> merged = a.Compute(), streamed = stream.Compute();
    ASSERT_TRUE(merged.ok() && streamed.ok());
    const double bin = 20.0 / 2048;
    EXPECT_NEAR(merged->min[0], streamed->min[0], 2 * bin);
    EXPECT_NEAR(merged->max[0], streamed->max[0], 2 * bin);
    // A share of 5 % of 20000 + 20000 values lies beyond 95 % of the wide ones' upper half: at 10 * 0.8.
    EXPECT_NEAR(merged->max[0], percentile == 100 ? 10 : 8, 0.2);
  }
}

TEST(Calibrate, NonFiniteValues) {
  AnalyzerOptions options;
  Batch batch{Shape{2, 3}, {1, kNaN, 2, -kInfinity, 0.5f, 3}};
  Analyzer min_max = Make(options);
  Feed(min_max, {&batch, 1});
  EXPECT_TRUE(std::isnan(min_max.Compute()->scale[0]));
  options.scheme = CalibrationScheme::kPercentile;  // leaves NaN out; the infinity counts at the end
  Analyzer percentile = Make(options);
  Feed(percentile, {&batch, 1});
  EXPECT_NEAR(percentile.Compute()->max[0], 3, 0.01);
  options.scale_shape = Shape{2, 1};
  Analyzer rows = Make(options);
  batch.values = {1, kNaN, 2, -kInfinity, kNaN, kInfinity};
  ExpectInvalid(rows.Update(batch.view()), {"3 values", "encoding 1", "finite"});
  ExpectInvalid(rows.Compute().status(), {"no batch"});  // the error left it empty
  options.tool = CalibrationTool::kAimetOnnx;
  options.scheme = CalibrationScheme::kMinMax;
  Analyzer onnx = Make(options);
  ExpectInvalid(onnx.Update(batch.view()), {"encoding 0", "nan"});
}

TEST(Calibrate, HostileOptions) {
  const auto error = [](auto change) {
    AnalyzerOptions options;
    options.scheme = CalibrationScheme::kPercentile;
    change(options);
    return Analyzer::Create(options).status();
  };
  using O = AnalyzerOptions;
  ExpectInvalid(error([](O& o) { o.qmin = 127; }), {"qmin 127", "qmax 127"});
  ExpectInvalid(error([](O& o) { o.qmax = int64_t{1} << 40; }), {"-128", "1099511627776"});
  ExpectInvalid(error([](O& o) { o.percentile = 49.5; }), {"percentile 49.5", "50..100"});
  ExpectInvalid(error([](O& o) { o.percentile = std::nan(""); }), {"nan"});
  ExpectInvalid(error([](O& o) { o.zero_point_shift = 0.25f; }), {"zero_point_shift 0.25"});
  ExpectUnsupported(error([](O& o) { o.zero_point_shift = 0.5f; }), {"zero_point_shift", "0.5", "percentile"});
  ExpectInvalid(error([](O& o) { o.scale_shape = Shape{4, 0}; }), {"(4, 0)"});
  ExpectInvalid(error([](O& o) { o.scale_shape = Shape{int64_t{1} << 40, int64_t{1} << 40}; }), {"overflows"});
  ExpectUnsupported(error([](O& o) { o.scale_shape = Shape{1 << 19}; }), {"524288", "262144"});
  ExpectInvalid(error([](O& o) { o.block_size = {2}; }), {"block_size has 1", "0 dimensions"});
  ExpectUnsupported(error([](O& o) { o.unsigned_symmetric = true; }), {"unsigned_symmetric", "aimet_torch"});
  ExpectUnsupported(error([](O& o) {
                      o.tool = CalibrationTool::kAimetOnnx;
                      o.scheme = CalibrationScheme::kSqnr;
                    }),
                    {"sqnr", "aimet_onnx"});
  ExpectUnsupported(error([](O& o) {
                      o.tool = CalibrationTool::kAimetOnnx;
                      o.scheme = CalibrationScheme::kTfEnhanced;
                      o.qmin = -127;
                    }),
                    {"tf_enhanced", "255 codes -127..127"});
}

TEST(Calibrate, HostileBatches) {
  AnalyzerOptions options;
  options.scale_shape = Shape{6, 1};
  Analyzer analyzer = Make(options);
  Random random(63);
  const Batch good = RandomBatch({6, 4}, 1, random), wrong = RandomBatch({5, 4}, 1, random);
  ExpectInvalid(analyzer.Compute().status(), {"no batch"});
  ExpectInvalid(analyzer.Update(wrong.view()), {"(6, 1)", "(5, 4)", "6 scales", "which is 5"});
  ExpectInvalid(analyzer.Update({DType::kF32, Shape{4}, good.view().bytes}), {"2 dimensions", "batch has 1"});
  ExpectInvalid(analyzer.Update({DType::kF32, Shape{6, 5}, good.view().bytes}), {"96 bytes", "120"});
  const ConstTensorView nothing{DType::kF32, Shape{0, 6, 4}, {}};
  EXPECT_TRUE(analyzer.Update(nothing).ok());  // AIMET does not observe it
  ExpectInvalid(analyzer.Compute().status(), {"no batch"});
  options.tool = CalibrationTool::kQuarkTorch;
  ExpectInvalid(Make(options).Update(nothing), {"(0, 6, 4)", "no elements"});
  options.tool = CalibrationTool::kAimetTorch;
  ExpectError(analyzer.Update(good.view(), {nullptr, "AVX7"}), StatusCode::kNotFound, {"AVX7"});
  ExpectInvalid(analyzer.Update({DType::kU8, Shape{6, 4}, good.view().bytes}), {"u8", "f32"});
  ASSERT_TRUE(analyzer.Update(good.view()).ok());
  ExpectInvalid(analyzer.Update({DType::kF16, Shape{6, 4}, good.view().bytes}), {"f16", "f32"});
  options.block_size = {2, 4};
  options.scale_shape = Shape{3, 2};
  Analyzer blocks = Make(options);
  ExpectInvalid(blocks.Update(good.view()), {"(6, 4)", "block_size[1]", "2 scales", "blocks of 4"});
  ExpectInvalid(blocks.Merge(analyzer), {"other options", "(6, 1)", "(3, 2)"});
}

TEST(Calibrate, OnnxPercentileMergesEqualBinsOnly) {
  AnalyzerOptions options;
  options.tool = CalibrationTool::kAimetOnnx;
  options.scheme = CalibrationScheme::kPercentile;
  const std::vector<Batch> batches = ThreeBatches({4, 50});
  Analyzer a = Make(options), b = Make(options);
  Feed(a, std::span(batches).first(1));
  Feed(b, std::span(batches).subspan(1, 1));
  ExpectInvalid(a.Merge(b), {"encoding 0", "wide"});
  const Batch constant{Shape{3}, {3e30f, 3e30f, 3e30f}};
  Analyzer fresh = Make(options);
  ExpectInvalid(fresh.Update(constant.view()), {"3e+30", "512 bins"});
  EXPECT_TRUE(b.Update(constant.view()).ok());  // its bins are there already; the values lie in none
}

TEST(Calibrate, HostileRanges) {
  ExpectInvalid(RangeToEncoding(0, 1, 5, 5, false).status(), {"qmin 5", "qmax 5"});
  EXPECT_EQ(RangeToEncoding(0, 0, 0, 255, false)->scale, 0x1p-23f);
}

}  // namespace
}  // namespace lq::testing
