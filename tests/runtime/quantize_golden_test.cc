// Every affine case of tests/golden/quantizers (AIMET's and Quark's own results, ONNX node tests): by the reference,
// and by the public functions on every target of this CPU. Tensors of float64 have affine_f64_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "runtime/io/npz.h"
#include "tests/support/affine_oracle.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensor_codec.h"

namespace lq::testing {
namespace {

using enum RoundingProfile;

std::vector<float> Floats(const NamedArray& array, DType type) {
  return DecodeFloats(type, array.bytes, static_cast<size_t>(array.shape.NumElements()));
}

template <class T>
std::vector<int64_t> Integers(const NamedArray& array) {
  std::vector<int64_t> values(array.bytes.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) values[i] = array.view().data<T>()[i];
  return values;
}

// The smallest type that holds a grid: packed ones come up too. None above 32 bits.
DType CodesFor(int64_t qmin, int64_t qmax) {
  using enum DType;
  for (const DType type : {kU2, kS2, kU4, kS4, kU8, kS8, kU16, kS16}) {
    if (LowestCode(type) <= qmin && qmax <= HighestCode(type)) return type;
  }
  return kS32;
}

class Case {
 public:
  Case(std::string name, const std::map<std::string, NamedArray>& arrays) : name_(std::move(name)), arrays_(arrays) {
    const std::vector<int64_t> spec = Integers<int64_t>(Array("spec"));  // type, qmin, qmax, 2 * shift
    constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16};
    problem_.real = kTypes[spec[0]];
    problem_.qmin = spec[1], problem_.qmax = spec[2];
    problem_.shift = static_cast<float>(spec[3]) / 2;
    problem_.codes = CodesFor(problem_.qmin, problem_.qmax);
    problem_.shape = Array(Has("x") ? "x" : "q").shape;
    problem_.scale_shape = Array("scale").shape;
    problem_.scale = Floats(Array("scale"), DType::kF32);
    const NamedArray& offset = Array("offset");
    problem_.float_offsets = offset.dtype == DType::kF32;
    if (problem_.float_offsets) {
      for (const float value : Floats(offset, DType::kF32)) problem_.offset.push_back(static_cast<int32_t>(value));
    } else {
      for (const int64_t value : Integers<int32_t>(offset)) problem_.offset.push_back(static_cast<int32_t>(value));
    }
    if (Has("block")) problem_.block_size = Integers<int64_t>(Array("block"));
    if (Has("x")) x_ = Floats(Array("x"), problem_.real);
  }

  // How many of its results were compared.
  size_t Check() const {
    size_t checks = Codes("q", kAimetDiv, DType::kF32) + Codes("q_linear", kOnnx, DType::kF32);
    // AIMET's are codes of y_fakequant, which from 24 bits on need not be those that y_fakequant was made of.
    if (problem_.qmax - problem_.qmin < 1 << 23) checks += Codes("q_fakequant", kAimetFakequant, DType::kF32);
    checks += Both("y_div", kAimetDiv) + Both("y_fakequant", kAimetFakequant) + Both("y_onnx", kAimetOnnx);
    checks += Reals("dq", "q", kAimetDiv, DType::kF32) + Reals("dq_linear", "q", kOnnx, DType::kF32);
    // An encoding object of AIMET rounds its scale and offset to the tensor's type.
    checks += Codes("q_encoding", kAimetDiv, problem_.real);
    checks += Reals("y_encoding", "q_encoding", kAimetDiv, problem_.real);
    return checks;
  }

 private:
  bool Has(const char* array) const { return arrays_.contains(name_ + "." + array); }
  const NamedArray& Array(const char* array) const { return arrays_.at(name_ + "." + array); }

  AffineProblem With(RoundingProfile profile, DType scale_type) const {
    AffineProblem problem = problem_;
    problem.profile = profile;
    problem.scale_type = scale_type;
    return problem;
  }

  size_t Codes(const char* expected, RoundingProfile profile, DType scale_type) const {
    if (!Has(expected) || x_.empty()) return 0;
    const AffineProblem problem = With(profile, scale_type);
    const std::vector<int64_t> want = Integers<int32_t>(Array(expected));
    Compare(expected, want, ExpectedCodes(problem, x_), "reference");
    for (const AffineRun& run : Runs()) {
      Compare(expected, want, RunQuantize(problem, x_, run), run.options.max_isa);
    }
    return 1;
  }

  size_t Reals(const char* expected, const char* codes, RoundingProfile profile, DType scale_type) const {
    if (!Has(expected)) return 0;
    const AffineProblem problem = With(profile, scale_type);
    const std::vector<int64_t> q = Integers<int32_t>(Array(codes));
    std::vector<float> want = Floats(Array(expected), problem.real);
    const std::vector<float> reference = ExpectedReals(problem, q);
    if (Has("nan")) {  // AIMET's codes are floats, and these are NaN; ours are qmin
      for (size_t i = 0; i < want.size(); ++i) want[i] = std::isnan(want[i]) ? reference[i] : want[i];
    }
    Compare(expected, want, reference, "reference");
    for (const AffineRun& run : Runs()) {
      Compare(expected, want, RunDequantize(problem, q, run), run.options.max_isa);
    }
    return 1;
  }

  size_t Both(const char* expected, RoundingProfile profile) const {
    if (!Has(expected)) return 0;
    const AffineProblem problem = With(profile, DType::kF32);
    std::vector<float> want = Floats(Array(expected), problem.real);
    const std::vector<float> reference = ExpectedQuantizeDequantize(problem, x_);
    for (size_t i = 0; i < want.size(); ++i) {
      if (problem.DependsOnTheCpu(i, x_[i])) want[i] = reference[i];
    }
    Compare(expected, want, reference, "reference");
    for (const AffineRun& run : Runs()) {
      Compare(expected, want, RunQuantizeDequantize(problem, x_, run), run.options.max_isa);
    }
    return 1;
  }

  static std::vector<AffineRun> Runs() {
    std::vector<AffineRun> runs;
    for (const std::string& target : RunnableTargets()) runs.push_back({{nullptr, target}, 0});
    return runs;
  }

  template <class T>
  void Compare(const char* what, const std::vector<T>& want, const std::vector<T>& have, const std::string& by) const {
    const int64_t i = FirstDifference(std::span<const T>(want), std::span<const T>(have));
    if (i < 0) return;
    ASSERT_EQ(want.size(), have.size()) << name_ << " " << what << " by " << by;
    const size_t at = static_cast<size_t>(i);
    ADD_FAILURE() << name_ << " " << what << " by " << by << ": element " << i << " is " << have[at] << ", not "
                  << want[at] << "; input " << (x_.empty() ? 0.0f : x_[at]) << ", " << problem_.ToString();
  }

  std::string name_;
  const std::map<std::string, NamedArray>& arrays_;
  AffineProblem problem_;
  std::vector<float> x_;
};

class QuantizeGolden : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (const char* file : {"quantizers/affine.npz", "quantizers/quark_ops.npz"}) {
      Result<std::vector<NamedArray>> read = ReadNpz(GoldenPath(file));
      ASSERT_TRUE(read.ok()) << read.status().message();
      for (NamedArray& array : *read) {
        const std::string name = array.name;
        arrays_.emplace(name, std::move(array));
      }
    }
  }

  static std::map<std::string, NamedArray> arrays_;
};
std::map<std::string, NamedArray> QuantizeGolden::arrays_;

TEST_F(QuantizeGolden, EveryCase) {
  size_t cases = 0, checks = 0;
  for (const auto& [key, array] : arrays_) {
    const size_t dot = key.find(".spec");
    if (dot == std::string::npos) continue;
    ++cases;
    checks += Case(key.substr(0, dot), arrays_).Check();
  }
  EXPECT_EQ(cases, size_t{308});
  EXPECT_EQ(checks, size_t{776});
}

// Which shapes of scales and blocks AIMET accepts.
TEST_F(QuantizeGolden, Shapes) {
  const std::vector<int64_t> table = Integers<int64_t>(arrays_.at("shapes"));
  constexpr size_t kColumns = 28;  // accepted, then rank and 8 dimensions of the tensor, the scale and the blocks
  ASSERT_EQ(table.size() % kColumns, size_t{0});
  for (size_t row = 0; row < table.size(); row += kColumns) {
    const auto dims = [&](size_t column) {
      return std::span<const int64_t>(&table[row + column + 1], static_cast<size_t>(table[row + column]));
    };
    const Shape shape(dims(1)), scale_shape(dims(10));
    std::vector<float> x(static_cast<size_t>(shape.NumElements()), 1.0f);
    const std::vector<float> scale(static_cast<size_t>(scale_shape.NumElements()), 0.5f);
    const AffineQuantizer quantizer = {
        .scale = {DType::kF32, scale_shape, std::as_bytes(std::span(scale))}, .offset = {}, .block_size = dims(19)};
    const TensorView view = {DType::kF32, shape, std::as_writable_bytes(std::span(x))};
    const Status status = QuantizeDequantize(view, quantizer, view);
    EXPECT_EQ(status.ok(), table[row] == 1)
        << shape.ToString() << " " << scale_shape.ToString() << " " << status.message();
  }
}

}  // namespace
}  // namespace lq::testing
