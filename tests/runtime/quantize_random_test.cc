// The public affine quantizers against the scalar reference, over random tensors of every combination of types and
// profiles.
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "tests/support/executors.h"
#include "tests/support/random_affine.h"
#include "tests/support/tensor_codec.h"

namespace lq::testing {
namespace {

using enum DType;
using enum RoundingProfile;

constexpr std::array kReals = {kF32, kF16, kBF16};
constexpr std::array kCodeTypes = {kU2, kS2, kU4, kS4, kU8, kS8, kU16, kS16, kS32};
constexpr std::array kProfiles = {kAimetDiv, kAimetFakequant, kAimetOnnx, kOnnx};

template <class T>
void ExpectSame(const char* what, const AffineProblem& problem, const std::vector<T>& want, const std::vector<T>& have,
                const std::string& target) {
  const int64_t i = FirstDifference(std::span<const T>(want), std::span<const T>(have));
  if (i < 0) return;
  ASSERT_EQ(want.size(), have.size());
  const size_t at = static_cast<size_t>(i), k = problem.ScaleOf(at);
  FAIL() << what << " on " << target << ": element " << i << " is " << have[at] << ", not " << want[at] << "; scale "
         << problem.scale[k] << ", offset " << (problem.offset.empty() ? 0 : problem.offset[k]) << ", "
         << problem.ToString();
}

// By each of the runs.
void CheckProblem(const AffineProblem& problem, std::span<const AffineRun> runs, Random& random) {
  const std::vector<float> x = RandomReals(problem, random);
  const std::vector<int64_t> q = RandomCodes(problem, random);
  const std::vector<int64_t> codes = ExpectedCodes(problem, x);
  const std::vector<float> reals = ExpectedReals(problem, q), both = ExpectedQuantizeDequantize(problem, x);
  for (const AffineRun& run : runs) {
    const std::string& target = run.options.max_isa;
    ExpectSame("Quantize", problem, codes, RunQuantize(problem, x, run), target);
    ExpectSame("Dequantize", problem, reals, RunDequantize(problem, q, run), target);
    ExpectSame("QuantizeDequantize", problem, both, RunQuantizeDequantize(problem, x, run), target);
  }
}

// 108 combinations, each with 22 layouts, grids and shifts: about a million elements.
TEST(QuantizeRandom, EveryCombination) {
  const std::vector<std::string> targets = RunnableTargets();
  Random random(40);
  const size_t layouts = Cases(22);
  size_t elements = 0;
  for (size_t layout = 0; layout < layouts; ++layout) {
    for (const DType real : kReals) {
      for (const DType codes : kCodeTypes) {
        for (const RoundingProfile profile : kProfiles) {
          const AffineProblem problem = RandomAffineProblem(real, codes, profile, random.LogSize(1, 9000), random);
          const AffineRun run = {{nullptr, targets[random.Size(0, targets.size() - 1)]}, random.Size(0, 63)};
          elements += problem.elements();
          CheckProblem(problem, {&run, 1}, random);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
  RecordProperty("elements", std::to_string(elements));
}

// Several tasks: the bits are the reference's for any executor. Runs and stretches of odd lengths put packed codes of
// two kernel calls into one byte.
TEST(QuantizeRandom, ThreadsAndTasks) {
  struct Layout {
    Shape shape, scale_shape;
    std::vector<int64_t> block_size;
  };
  const Layout layouts[] = {{{200001}, {}, {}},
                            {{3, 66667}, {3, 1}, {}},
                            {{1111, 181}, {181}, {}},
                            {{512, 43, 9}, {512, 1, 1}, {}},
                            {{6, 33, 1001}, {6, 11, 1001}, {1, 3, 1}},
                            {{500, 416}, {500, 13}, {1, 32}},
                            {{105, 45, 45}, {35, 15, 9}, {3, 3, 5}}};
  ThreadExecutor two(2), seven(7);
  ReverseExecutor reverse(3);
  Random random(41);
  std::vector<AffineRun> runs;
  for (Executor* executor : std::initializer_list<Executor*>{nullptr, &two, &seven, &reverse}) {
    runs.push_back({{executor, DefaultMaxIsa()}, 0});
  }
  for (const Layout& layout : layouts) {
    AffineProblem problem;
    problem.real = kReals[random.Size(0, 2)];
    problem.codes = random.Chance(0.6) ? kS4 : kCodeTypes[random.Size(0, kCodeTypes.size() - 2)];
    problem.profile = kProfiles[random.Size(0, 3)];
    problem.shape = layout.shape, problem.scale_shape = layout.scale_shape, problem.block_size = layout.block_size;
    problem.qmin = LowestCode(problem.codes), problem.qmax = HighestCode(problem.codes);
    DrawScales(problem, random);
    CheckProblem(problem, runs, random);
    if (HasFatalFailure()) return;
  }
}

TEST(QuantizeRandom, EmptyTensors) {
  Random random(42);
  for (const Shape& shape : {Shape{0}, Shape{3, 0, 2}, Shape{0, 4}}) {
    AffineProblem problem;
    problem.shape = shape;
    problem.scale = {1.0f};
    CheckProblem(problem, std::array{AffineRun()}, random);
    problem.scale_shape = shape;
    problem.scale.clear();
    CheckProblem(problem, std::array{AffineRun()}, random);
    problem.block_size.assign(shape.rank(), -1);
    CheckProblem(problem, std::array{AffineRun()}, random);
  }
}

TEST(QuantizeRandom, InPlace) {
  Random random(43);
  const AffineProblem problem = RandomAffineProblem(kF32, kS8, kAimetDiv, 5000, random);
  const std::vector<float> x = RandomReals(problem, random);
  std::vector<float> values = x;
  const TensorView view = {kF32, problem.shape, std::as_writable_bytes(std::span(values))};
  std::vector<int32_t> zeros(problem.scale.size());
  AffineProblem without = problem;
  without.offset.clear(), without.shift = 0, without.scale_type = kF32;
  const AffineQuantizer quantizer = {.scale = {kF32, problem.scale_shape, std::as_bytes(std::span(problem.scale))},
                                     .offset = {kS32, problem.scale_shape, std::as_bytes(std::span(zeros))},
                                     .block_size = problem.block_size,
                                     .qmin = problem.qmin,
                                     .qmax = problem.qmax};
  const Status status = QuantizeDequantize(view, quantizer, view);
  ASSERT_TRUE(status.ok()) << status.message();
  ExpectSame("in place", without, ExpectedQuantizeDequantize(without, x), values, "the best target");
}

}  // namespace
}  // namespace lq::testing
