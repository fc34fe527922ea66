// MatMul of two activations in a session, and of one of rank 4 by a weight, against the simulator.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "lanequant/matmul.h"
#include "lanequant/model.h"
#include "tests/support/any_machine.h"
#include "tests/support/random.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::Random;

struct Case {
  Shape a, b;
  PerTensor a_encoding, b_encoding;
  std::optional<PerTensor> output;
};

PerTensor DrawEncoding(Random& random, double largest) {
  const Grid grid = {static_cast<int>(random.Chance(0.6) ? 8 : random.Int(2, 16)), random.Chance(0.5)};
  const double steps = std::exp2(grid.bitwidth) - 1;
  const int32_t offset = grid.is_signed ? 0 : -static_cast<int32_t>(random.Int(0, grid.qmax()));
  return {grid, static_cast<float>(2 * largest / steps), offset};
}

// Up to four batch dimensions, of which either side may lack some or repeat.
Case DrawCase(Random& random) {
  const size_t batch = random.Size(0, 4);
  std::vector<int64_t> a, b;
  for (size_t d = 0; d < batch; ++d) {
    const int64_t length = random.Int(1, 3);
    a.push_back(random.Chance(0.3) ? 1 : length);
    b.push_back(random.Chance(0.3) ? 1 : length);
  }
  // The first input's first dimension is the session's batch.
  if (random.Chance(0.3)) b.erase(b.begin(), b.begin() + static_cast<ptrdiff_t>(random.Size(0, batch)));
  const auto m = static_cast<int64_t>(random.LogSize(1, 40)), n = static_cast<int64_t>(random.LogSize(1, 80));
  const auto k = static_cast<int64_t>(random.LogSize(1, 90));
  a.insert(a.end(), {m, k});
  b.insert(b.end(), {k, n});
  Case c{Shape(a), Shape(b), DrawEncoding(random, 3), DrawEncoding(random, 2), {}};
  if (random.Chance(0.7)) c.output = DrawEncoding(random, 4 * std::sqrt(static_cast<double>(k)));
  return c;
}

testing::InputTensor DrawInput(Random& random, const Shape& shape) {
  testing::InputTensor input{shape, {}};
  for (int64_t i = 0; i < shape.NumElements(); ++i) input.values.push_back(random.Float(-3, 3));
  return input;
}

void CheckCase(const Case& c, Random& random, testing::AnyMachine& machine) {
  testing::GraphBuilder builder;
  const ValueId a = builder.Input(c.a, c.a_encoding), b = builder.Input(c.b, c.b_encoding);
  const ValueId product =
      builder.Node("MatMul", {a, b}, {}, c.output ? std::optional<Encoding>(*c.output) : std::nullopt);
  builder.Output(product);
  const std::vector<testing::InputTensor> inputs = {DrawInput(random, c.a), DrawInput(random, c.b)};
  SessionOptions options;
  options.max_isa = machine.Target(random);
  options.profile = static_cast<RoundingProfile>(random.Int(0, 2));
  const Result<Session> session = Session::Prepare(Model(builder.Share()), options);
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_EQ(session->steps()[2].layer.variant.substr(0, 7), "matmul_") << session->steps()[2].layer.variant;
  std::vector<ConstTensorView> views;
  for (const testing::InputTensor& input : inputs) {
    views.emplace_back(DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values)));
  }
  const testing::SessionRun run = testing::RunSession(*session, views, machine.Workers(random));
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  const testing::Simulated expected =
      testing::Simulate(builder.Share(), inputs, {options.profile, options.bias, false});
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  if (c.output) {
    EXPECT_EQ(run.observed.at(product).codes, expected.observed.at(product).codes);
  }
  ASSERT_EQ(run.outputs[0], expected.outputs[0].values);
}

TEST(ProductStep, EqualsSimulator) {
  testing::AnyMachine machine;
  for (size_t i = 0; i < testing::Cases(300); ++i) {
    Random random(400000 + i);
    const Case c = DrawCase(random);
    SCOPED_TRACE("case " + std::to_string(i) + ": " + c.a.ToString() + " times " + c.b.ToString() + ", seed " +
                 std::to_string(testing::Seed()));
    CheckCase(c, random, machine);
    if (HasFailure()) return;
  }
}

// Sums that the kernels refuse run on values.
TEST(ProductStep, LongSumsRunOnValues) {
  constexpr int64_t kLong = Matmul::kMaxK8 + 1;
  Random random(401000);
  testing::GraphBuilder builder;
  const PerTensor codes = {{8, false}, 1.0f / 256, 0};
  const ValueId a = builder.Input({1, kLong}, codes), b = builder.Input({kLong, 1}, codes);
  builder.Output(builder.Node("MatMul", {a, b}, {}, PerTensor{{16, false}, 1, 0}));
  const Result<Session> session = Session::Prepare(Model(builder.Share()), {});
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_EQ(session->steps()[2].layer.variant, "binary64");
}

// Rows of features of a tensor of rank 4 (a Linear behind a permuted image) by a weight, integers throughout.
TEST(ProductStep, WeightTakesRowsOfRankFour) {
  testing::Random random(7);
  for (size_t i = 0; i < testing::Cases(20); ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    const int64_t k = random.Int(1, 30), n = random.Int(1, 40);
    std::vector<float> weight(static_cast<size_t>(k * n));
    for (float& w : weight) w = random.Float(-1, 1);
    const PerTensor output = DrawEncoding(random, 4);
    testing::GraphBuilder builder;
    const Shape shape{-1, random.Int(1, 4), random.Int(1, 4), k};
    const ValueId x = builder.Input(shape, DrawEncoding(random, 3));
    const ValueId w = builder.Floats({k, n}, weight, PerTensor{{8, true}, 0.008f, 0});
    builder.Output(builder.Node("MatMul", {x, w}, {}, output));
    testing::InputTensor input = DrawInput(random, {2, shape[1], shape[2], k});
    const testing::Simulated expected = testing::Simulate(builder.Share(), {input});
    ASSERT_TRUE(expected.status.ok()) << expected.status.message();
    const Result<Session> session = Session::Prepare(Model(builder.Share()));
    ASSERT_TRUE(session.ok()) << session.status().message();
    EXPECT_FALSE(session->steps()[1].layer.sums_floats);
    const ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values))};
    const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, SerialExecutor());
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    EXPECT_EQ(run.outputs[0], expected.outputs[0].values);
  }
}

}  // namespace
}  // namespace lq
