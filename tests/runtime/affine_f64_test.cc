// The public affine quantizers on float64 tensors: AIMET's own results (tests/golden/quantizers/float64.npz), then
// random tensors against formulas written out, on every executor, and what such tensors are refused for.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "lanequant/quantize.h"
#include "runtime/io/npz.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensor_codec.h"

namespace lq::testing {
namespace {

using enum DType;
using enum RoundingProfile;

// The first element whose bits differ (NaN equals NaN), or -1.
int64_t Difference(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) return 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const bool same = std::bit_cast<uint64_t>(a[i]) == std::bit_cast<uint64_t>(b[i]);
    if (!same && !(std::isnan(a[i]) && std::isnan(b[i]))) return static_cast<int64_t>(i);
  }
  return -1;
}

TensorView ViewOf(const Shape& shape, std::span<double> values) {
  return {kF64, shape, std::as_writable_bytes(values)};
}

std::vector<int64_t> QuantizedTo(DType type, const TensorView& x, const AffineQuantizer& quantizer,
                                 const BulkOptions& options = {}) {
  GuardedBuffer<std::byte> codes(BytesOf(type, x.shape.NumElements()));
  const Status status = Quantize(x, quantizer, {type, x.shape, {codes.data(), codes.size()}}, options);
  EXPECT_TRUE(status.ok()) << status.message();
  return DecodeCodes(type, {codes.data(), codes.size()}, static_cast<size_t>(x.shape.NumElements()));
}

class Golden : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    Result<std::vector<NamedArray>> read = ReadNpz(GoldenPath("quantizers/float64.npz"));
    ASSERT_TRUE(read.ok()) << read.status().message();
    for (NamedArray& array : *read) {
      const std::string name = array.name;
      arrays_.emplace(name, std::move(array));
    }
  }

  template <class T>
  static std::vector<T> Values(const std::string& array) {
    const NamedArray& found = arrays_.at(array);
    std::vector<T> values(found.bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), found.bytes.data(), found.bytes.size());
    return values;
  }

  // How many results of a case were compared.
  static size_t Check(const std::string& name) {
    const std::vector<int64_t> spec = Values<int64_t>(name + ".spec");
    const std::vector<int64_t> blocks =
        arrays_.contains(name + ".block") ? Values<int64_t>(name + ".block") : std::vector<int64_t>();
    AffineQuantizer quantizer = {.scale = arrays_.at(name + ".scale").view(),
                                 .offset = arrays_.at(name + ".offset").view(),
                                 .block_size = blocks,
                                 .qmin = spec[1],
                                 .qmax = spec[2],
                                 .zero_point_shift = static_cast<float>(spec[3]) / 2};
    std::vector<double> x = Values<double>(name + ".x"), real(x.size());
    const Shape shape = arrays_.at(name + ".x").shape;
    const TensorView in = ViewOf(shape, x), out = ViewOf(shape, real);
    size_t checks = 0;
    const auto compare = [&](const char* array, const Status& status) {
      EXPECT_TRUE(status.ok()) << name << " " << array << ": " << status.message();
      const int64_t i = Difference(Values<double>(name + "." + array), real);
      EXPECT_EQ(i, -1) << name << " " << array << ": " << real[static_cast<size_t>(std::max<int64_t>(i, 0))];
      ++checks;
    };
    compare("y_div", QuantizeDequantize(in, quantizer, out));
    if (arrays_.contains(name + ".q")) {
      const NamedArray& codes = arrays_.at(name + ".q");
      const std::vector<int32_t> want = Values<int32_t>(name + ".q");
      EXPECT_EQ(QuantizedTo(kS32, in, quantizer), std::vector<int64_t>(want.begin(), want.end())) << name;
      compare("dq", Dequantize(codes.view(), quantizer, out));
      ++checks;
    }
    quantizer.profile = kAimetFakequant;
    if (arrays_.contains(name + ".y_fakequant")) compare("y_fakequant", QuantizeDequantize(in, quantizer, out));
    return checks;
  }

  static std::map<std::string, NamedArray> arrays_;
};
std::map<std::string, NamedArray> Golden::arrays_;

TEST_F(Golden, EveryCase) {
  size_t cases = 0, checks = 0;
  for (const auto& [key, array] : arrays_) {
    const size_t dot = key.find(".spec");
    if (dot == std::string::npos) continue;
    ++cases;
    checks += Check(key.substr(0, dot));
  }
  EXPECT_EQ(cases, size_t{67});
  EXPECT_EQ(checks, size_t{238});
}

// Rows of `run` elements with a scale each; `rows` 1: torch.fake_quantize multiplies in float.
struct Problem {
  Problem(size_t row_count, size_t row_length, RoundingProfile which, Random& random)
      : rows(row_count), run(row_length), profile(which), x(rows * run), scale(rows), offset(rows) {
    const size_t bits = random.Size(2, 32);
    qmin = random.Chance(0.5) ? -(int64_t{1} << (bits - 1)) : 0;
    qmax = std::min(qmin + (int64_t{1} << bits) - 1, int64_t{INT32_MAX});
    shift = profile == kAimetDiv && random.Chance(0.3) ? 0.5 : 0.0;
    for (size_t r = 0; r < rows; ++r) {
      scale[r] = profile == kAimetDiv ? std::exp(random.Real(-8, 3)) : std::exp(random.Float(-8, 3));
      if (profile == kAimetFakequant) scale[r] = static_cast<float>(scale[r]);
      offset[r] = random.Chance(0.5) ? 0 : static_cast<double>(-random.Int(qmin, qmax));
    }
    for (size_t i = 0; i < x.size(); ++i) {
      const double tie = static_cast<double>(random.Int(2 * qmin - 7, 2 * qmax + 7)) / 2;
      const double unit = random.Chance(0.5) ? tie : tie + random.Real(-1, 1);
      x[i] = random.Chance(0.03) ? std::nan("") : (unit + offset[i / run] + shift) * scale[i / run];
    }
  }

  int64_t Code(size_t i) const {
    const double s = scale[i / run];
    const double units = profile == kAimetDiv ? x[i] / s - shift : x[i] * double{1.0f / static_cast<float>(s)};
    const double code = std::nearbyint(units) - offset[i / run];
    if (std::isnan(code) || code < static_cast<double>(qmin)) return qmin;
    return code > static_cast<double>(qmax) ? qmax : static_cast<int64_t>(code);
  }
  double Real(size_t i) const {
    const double units = static_cast<double>(Code(i)) + (offset[i / run] + shift);
    if (profile == kAimetDiv) return std::isnan(x[i]) ? x[i] : units * scale[i / run];
    if (rows > 1) return units * scale[i / run];
    return double{static_cast<float>(units) * static_cast<float>(scale[0])};
  }
  AffineQuantizer Quantizer() const {
    const Shape shape = {static_cast<int64_t>(rows), 1};
    return {.scale = {kF64, shape, std::as_bytes(std::span(scale))},
            .offset = {kF64, shape, std::as_bytes(std::span(offset))},
            .block_size = {},
            .qmin = qmin,
            .qmax = qmax,
            .zero_point_shift = static_cast<float>(shift),
            .profile = profile};
  }

  size_t rows, run;
  RoundingProfile profile;
  int64_t qmin, qmax;
  double shift;
  std::vector<double> x, scale, offset;
};

void CheckProblem(Problem problem, const BulkOptions& options) {
  const Shape shape = {static_cast<int64_t>(problem.rows), static_cast<int64_t>(problem.run)};
  const TensorView in = ViewOf(shape, problem.x);
  std::vector<int64_t> want(problem.x.size());
  std::vector<double> want_real(problem.x.size());
  for (size_t i = 0; i < want.size(); ++i) want[i] = problem.Code(i), want_real[i] = problem.Real(i);
  const std::string what = std::to_string(problem.rows) + " x " + std::to_string(problem.run) + ", grid " +
                           std::to_string(problem.qmin) + ".." + std::to_string(problem.qmax);
  for (const DType type : {kU2, kS2, kU4, kS4, kU8, kS8, kU16, kS16, kS32}) {
    if (problem.qmin < LowestCode(type) || problem.qmax > HighestCode(type)) continue;
    EXPECT_EQ(QuantizedTo(type, in, problem.Quantizer(), options), want) << NameOf(type) << ", " << what;
    const std::vector<std::byte> codes = EncodeCodes(type, want);
    GuardedBuffer<double> real(want.size());
    const Status status =
        Dequantize({type, shape, codes}, problem.Quantizer(), ViewOf(shape, {real.data(), real.size()}), options);
    EXPECT_TRUE(status.ok()) << status.message();
    for (size_t i = 0; i < want.size(); ++i) real[i] = std::isnan(want_real[i]) ? want_real[i] : real[i];
    EXPECT_EQ(Difference(want_real, {real.data(), real.size()}), -1) << NameOf(type) << ", " << what;
  }
  const Status status = QuantizeDequantize(in, problem.Quantizer(), in, options);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(Difference(want_real, problem.x), -1) << "in place, " << what;
}

TEST(AffineF64, RandomTensors) {
  Random random(46);
  ThreadExecutor two(2);
  ReverseExecutor reverse(3);
  const std::array<Executor*, 3> executors = {nullptr, &two, &reverse};
  for (size_t i = 0; i < Cases(60); ++i) {
    const size_t rows = random.Chance(0.3) ? 1 : random.LogSize(2, 40);
    const size_t run = random.LogSize(1, i % 10 == 0 ? 140000 / rows : 1500);
    CheckProblem(Problem(rows, run, random.Chance(0.5) ? kAimetDiv : kAimetFakequant, random),
                 {executors[i % 3], DefaultMaxIsa()});
  }
}

TEST(AffineF64, Errors) {
  std::array<double, 6> x = {}, out = {7, 7, 7, 7, 7, 7}, scale = {1, 2, 1e-60}, offset = {};
  std::array<float, 6> narrow = {};
  const TensorView in = ViewOf({2, 3}, x), result = ViewOf({2, 3}, out);
  AffineQuantizer quantizer = {.scale = {kF64, {3}, std::as_bytes(std::span(scale)).first(24)},
                               .offset = {kF64, {3}, std::as_bytes(std::span(offset)).first(24)},
                               .block_size = {}};
  EXPECT_TRUE(QuantizeDequantize(in, quantizer, in).ok());
  quantizer.profile = kAimetFakequant;
  ExpectInvalid(QuantizeDequantize(in, quantizer, result), {"scale", "element 2 is 1e-60", "becomes 0 in f32"});
  quantizer.profile = kOnnx;
  ExpectUnsupported(QuantizeDequantize(in, quantizer, result), {"in", "f64", "profile onnx", "f32"});
  quantizer.profile = kAimetOnnx;
  ExpectUnsupported(QuantizeDequantize(in, quantizer, result), {"in", "f64", "profile aimet_onnx"});
  quantizer.profile = kAimetDiv;
  const TensorView floats = {kF32, {2, 3}, std::as_writable_bytes(std::span(narrow))};
  ExpectInvalid(QuantizeDequantize(floats, quantizer, floats), {"scale", "f64"});
  quantizer.scale = {kF32, {3}, std::as_bytes(std::span(narrow)).first(12)};
  ExpectInvalid(QuantizeDequantize(in, quantizer, result), {"scale", "element 0 is 0", "above 0"});
  narrow.fill(1);
  ExpectInvalid(QuantizeDequantize(floats, quantizer, floats), {"offset", "f64"});
  for (const double bad : {0.5, 2147483648.0, -2147483649.0, std::nan("")}) {
    offset[1] = bad;
    ExpectInvalid(QuantizeDequantize(in, quantizer, result), {"offset", "element 1", "-2147483648..2147483647"});
  }
  EXPECT_EQ(std::ranges::count(out, 7.0), 6);
}

}  // namespace
}  // namespace lq::testing
