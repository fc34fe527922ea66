// Layers whose inputs have no codes, or whose weights have float scales along the sum: within the bound that
// float_linear.h states, of the simulator, which adds up in binary64; the same bits everywhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/reference/reference.h"
#include "lanequant/model.h"
#include "tests/support/any_machine.h"
#include "tests/support/random.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::Random;

enum class Input { kFloats, kReals, kCodes };

struct Case {
  Input input;
  size_t n, k, rows;
  int64_t block;  // k: a scale for each channel
  bool is_matmul;
  Encoding encoding;
  std::vector<float> weight, x;
  std::vector<double> reals;  // what is multiplied
};

constexpr PerTensor kInputCodes = {{8, false}, 0.03f, -128};

int32_t DrawOffset(Random& random, const Grid& grid) {
  return grid.is_signed ? 0 : -static_cast<int32_t>(random.Int(0, grid.qmax()));
}

// Scales of two sizes: none is constant along the sum.
Encoding DrawEncoding(Random& random, const Case& c) {
  const size_t blocks = c.k / static_cast<size_t>(c.block);
  if (c.input != Input::kCodes && blocks == 1) {
    const Grid grid = {static_cast<int>(random.Int(2, 8)), random.Chance(0.5)};
    PerChannel e{grid, c.is_matmul ? size_t{1} : size_t{0}, {}, {}};
    for (size_t i = 0; i < c.n; ++i) {
      e.scale.push_back(random.Float(0.01f, 0.03f));
      e.offset.push_back(DrawOffset(random, grid));
    }
    return e;
  }
  if (c.input != Input::kCodes && random.Chance(0.4)) {
    Lpbq e{4, 8, c.is_matmul ? size_t{1} : size_t{0}, c.is_matmul ? size_t{0} : size_t{1}, c.block, {}, {}};
    for (size_t i = 0; i < c.n; ++i) e.channel_scale.push_back(random.Float(0.01f, 0.03f));
    for (size_t i = 0; i < c.n * blocks; ++i) e.per_block_int_scale.push_back(static_cast<uint32_t>(random.Int(1, 16)));
    return e;
  }
  const Grid grid = {random.Chance(0.5) ? 4 : 8, random.Chance(0.5)};
  PerBlock e{grid, c.is_matmul ? size_t{1} : size_t{0}, c.is_matmul ? size_t{0} : size_t{1}, c.block, {}, {}};
  for (size_t i = 0; i < c.n * blocks; ++i) {
    e.scale.push_back(random.Float(0.01f, 0.03f) * (i % blocks == 0 ? 3.0f : 1.0f));
    e.offset.push_back(DrawOffset(random, grid));
  }
  return e;
}

Case DrawCase(Random& random) {
  Case c{};
  c.input = static_cast<Input>(random.Int(0, 2));
  c.n = random.LogSize(1, 150);
  c.rows = random.LogSize(1, 20);
  c.is_matmul = random.Chance(0.5);
  const size_t blocks = c.input == Input::kCodes ? random.Size(2, 6) : random.Size(1, 6);
  c.block = static_cast<int64_t>(random.LogSize(1, 70));
  c.k = static_cast<size_t>(c.block) * blocks;
  c.encoding = DrawEncoding(random, c);
  for (size_t i = 0; i < c.n * c.k; ++i) c.weight.push_back(random.Float(-1, 1));
  for (size_t i = 0; i < c.rows * c.k; ++i) c.x.push_back(random.Float(-3, 3));
  for (const float x : c.x) {
    const double code = std::clamp(std::nearbyint(x / kInputCodes.scale) + 128.0f, 0.0f, 255.0f);
    c.reals.push_back(c.input == Input::kFloats  ? x
                      : c.input == Input::kReals ? 1 / (1 + std::exp(-double{x}))
                                                 : (code - 128) * double{kInputCodes.scale});
  }
  return c;
}

Shape WeightShape(const Case& c) {
  const auto n = static_cast<int64_t>(c.n), k = static_cast<int64_t>(c.k);
  return c.is_matmul ? Shape{k, n} : Shape{n, k};
}

std::shared_ptr<const Graph> MakeGraph(const Case& c) {
  testing::GraphBuilder builder;
  const Shape in{static_cast<int64_t>(c.rows), static_cast<int64_t>(c.k)};
  ValueId x = builder.Input(in, c.input == Input::kCodes ? std::optional<Encoding>(kInputCodes) : std::nullopt);
  if (c.input == Input::kReals) x = builder.Node("Sigmoid", {x});
  const ValueId w = builder.Floats(WeightShape(c), c.weight, c.encoding);
  testing::GraphBuilder::Attributes transposed = {{"transB", int64_t{1}}};
  builder.Output(builder.Node(c.is_matmul ? "MatMul" : "Gemm", {x, w},
                              c.is_matmul ? testing::GraphBuilder::Attributes() : transposed));
  return builder.Share();
}

// (block + k / block + 2) roundings of float_linear.h; one more each for LPBQ's float scale, for a real input or the
// float of a code, and for the output's float. Bounds |q| + |offset| of the signed grid, not |q + offset|.
double Bound(const Case& c, size_t row, size_t channel) {
  const std::vector<double> w =
      reference::RoundToGrid(c.weight, WeightShape(c), c.encoding, RoundingProfile::kAimetDiv);
  const size_t blocks = c.k / static_cast<size_t>(c.block);
  double sum = 0;
  for (size_t i = 0; i < c.k; ++i) {
    const size_t at = c.is_matmul ? i * c.n + channel : channel * c.k + i;
    double offset = 0;
    const auto add = [&](const auto& e, size_t index) {
      const int32_t middle = e.grid.is_signed ? 0 : 1 << (e.grid.bitwidth - 1);
      offset = std::abs(e.offset[index] + middle) * double{e.scale[index]};
    };
    if (const auto* e = std::get_if<PerChannel>(&c.encoding)) add(*e, channel);
    if (const auto* e = std::get_if<PerBlock>(&c.encoding))
      add(*e, channel * blocks + i / static_cast<size_t>(c.block));
    sum += std::abs(c.reals[row * c.k + i]) * (std::abs(w[at]) + 2 * offset);
  }
  const double roundings = static_cast<double>(c.block) + static_cast<double>(blocks) + 5;
  return 1.01 * roundings * std::exp2(-24) * sum + std::exp2(-140);
}

std::vector<float> RunCase(const Case& c, const SessionOptions& options, Executor& executor) {
  const Result<Session> session = Session::Prepare(Model(MakeGraph(c)), options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  if (!session.ok()) return {};
  const auto is_layer = [](const StepInfo& step) { return step.layer.variant.substr(0, 11) == "matmul_f32s"; };
  EXPECT_TRUE(std::any_of(session->steps().begin(), session->steps().end(), is_layer));
  const Shape shape{static_cast<int64_t>(c.rows), static_cast<int64_t>(c.k)};
  const ConstTensorView in{DType::kF32, shape, std::as_bytes(std::span<const float>(c.x))};
  const testing::SessionRun run = testing::RunSession(*session, {&in, 1}, executor);
  EXPECT_TRUE(run.status.ok()) << run.status.message();
  return run.status.ok() ? run.outputs[0] : std::vector<float>();
}

TEST(FloatPath, StaysWithinItsBoundWithTheSameBitsEverywhere) {
  Random random(98);
  testing::AnyMachine machine;
  for (size_t i = 0; i < testing::Cases(150); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    const Case c = DrawCase(random);
    SessionOptions options;
    const std::vector<float> got = RunCase(c, options, SerialExecutor());
    options.max_isa = machine.Target(random);
    ASSERT_EQ(RunCase(c, options, machine.Workers(random)), got) << options.max_isa;
    const testing::InputTensor input{{static_cast<int64_t>(c.rows), static_cast<int64_t>(c.k)}, c.x};
    const testing::Simulated expected = testing::Simulate(MakeGraph(c), {input}, {});
    ASSERT_TRUE(expected.status.ok()) << expected.status.message();
    const std::vector<float>& values = expected.outputs[0].values;
    ASSERT_EQ(got.size(), values.size());
    for (size_t j = 0; j < got.size(); j += 1 + got.size() / 16) {
      ASSERT_LE(std::abs(double{got[j]} - double{values[j]}), Bound(c, j / c.n, j % c.n)) << "output " << j;
    }
  }
}

}  // namespace
}  // namespace lq
