#include "lanequant/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "kernels/reference/reference.h"
#include "runtime/views.h"
#include "tests/support/any_machine.h"
#include "tests/support/executors.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/layer_cases.h"
#include "tests/support/matmul_outputs.h"

namespace lq {
namespace {

using testing::GuardedBuffer;
using testing::LayerCase;

LinearSpec MakeSpec(const LayerCase& c) {
  return {.name = "fc",
          .in_features = static_cast<size_t>(c.weight_shape[1]),
          .out_features = static_cast<size_t>(c.weight_shape[0]),
          .weight = c.weight,
          .weight_encoding = c.weight_encoding,
          .input = c.input,
          .output = c.Stage()};
}

// [n][k] -> [k][n]
std::vector<float> Transposed(const LayerCase& c) {
  const auto n = static_cast<size_t>(c.weight_shape[0]), k = static_cast<size_t>(c.weight_shape[1]);
  std::vector<float> out(n * k);
  for (size_t i = 0; i < out.size(); ++i) out[i] = c.weight[i % n * k + i / n];
  return out;
}

template <class T>
std::span<std::byte> Bytes(GuardedBuffer<T>& buffer) {
  return std::as_writable_bytes(std::span<T>(buffer));
}

std::vector<int64_t> Sums(const LayerCase& c, std::span<const int32_t> codes, size_t rows) {
  std::vector<int32_t> x;
  for (int32_t code : codes) x.push_back(code + c.input.offset);
  const auto n = static_cast<size_t>(c.weight_shape[0]), k = static_cast<size_t>(c.weight_shape[1]);
  std::vector<int64_t> acc(rows * n);
  reference::MatmulAcc(x, testing::ExpectedWeights(c), rows, n, k, acc);
  return acc;
}

// Whether no input could take a sum out of 32 bits.
bool SumsFit(const LayerCase& c) {
  const auto k = static_cast<size_t>(c.weight_shape[1]);
  const std::vector<int32_t> w = testing::ExpectedWeights(c);
  int64_t largest = 0;
  for (size_t i = 0; i < w.size(); i += k) {
    int64_t sum = 0;
    for (size_t j = 0; j < k; ++j) sum += std::abs(int64_t{w[i + j]});
    largest = std::max(largest, sum);
  }
  const int64_t low = c.input.grid.qmin() + c.input.offset, high = c.input.grid.qmax() + c.input.offset;
  return largest * std::max(std::abs(low), std::abs(high)) < int64_t{1} << 31;
}

// Runs the layer and compares every output, bit for bit.
void Check(const LayerCase& c, const Linear& linear, std::span<const int32_t> codes, size_t rows, Executor& executor) {
  const auto n = static_cast<size_t>(c.weight_shape[0]);
  const Shape in_shape{static_cast<int64_t>(rows), c.weight_shape[1]},
      out_shape{static_cast<int64_t>(rows), c.weight_shape[0]};
  GuardedBuffer<std::byte> in(codes.size() * CodeBytes(c.input.grid));
  testing::StoreCodes(codes, in);
  const DType in_type = CodeDType(c.input.grid);
  const std::vector<int64_t> acc = Sums(c, codes, rows);
  const testing::Expected expected = testing::ExpectedOutputs(c, acc, 1);
  GuardedBuffer<std::byte> workspace(linear.WorkspaceBytes(rows, executor.workers()));
  if (c.output) {
    GuardedBuffer<std::byte> out(rows * n * CodeBytes(c.output->grid));
    const DType type = CodeDType(c.output->grid);
    const Status status =
        linear.Run({in_type, in_shape, Bytes(in)}, {type, out_shape, Bytes(out)}, workspace, executor);
    ASSERT_TRUE(status.ok()) << status.message();
    const std::vector<int32_t> got = testing::LoadCodes(std::as_bytes(std::span<std::byte>(out)), c.output->grid);
    for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], expected.codes[i]) << "output " << i;
  } else {
    for (const auto& [dtype, type] : testing::kRealTypes) {
      GuardedBuffer<std::byte> out(rows * n * SizeOf(dtype));
      ASSERT_TRUE(linear.Run({in_type, in_shape, Bytes(in)}, {dtype, out_shape, Bytes(out)}, workspace, executor).ok());
      ASSERT_TRUE(testing::SameReals(type, expected.reals, out.data()));
    }
    GuardedBuffer<int32_t> sums(rows * n);
    const Status status =
        linear.Run({in_type, in_shape, Bytes(in)}, {DType::kS32, out_shape, Bytes(sums)}, workspace, executor);
    ASSERT_EQ(status.ok(), SumsFit(c)) << status.message();
    if (!status.ok()) return;
    for (size_t i = 0; i < sums.size(); ++i) ASSERT_EQ(sums[i], acc[i]) << "sum " << i;
  }
}

TEST(Linear, MatchesReferenceOnEveryTargetAndExecutor) {
  testing::Random random(81);
  testing::AnyMachine machine;
  for (size_t i = 0; i < testing::Cases(400); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    const Shape shape{static_cast<int64_t>(random.LogSize(1, 200)), static_cast<int64_t>(random.LogSize(1, 260))};
    LayerCase c = testing::DrawLayer(random, shape);
    c.options.max_isa = machine.Target(random);
    c.options.executor = &machine.Workers(random);
    LinearSpec spec = MakeSpec(c);
    const std::vector<float> transposed = Transposed(c);
    spec.transposed = random.Chance(0.3);
    if (spec.transposed) spec.weight = transposed;
    const Result<Linear> linear = Linear::Prepare(spec, c.options);
    ASSERT_TRUE(linear.ok()) << linear.status().message();
    const size_t rows = random.LogSize(1, 40);
    const std::vector<int32_t> codes = testing::DrawCodes(random, c.input, rows * static_cast<size_t>(shape[1]));
    SCOPED_TRACE(linear->info().variant + ", " + linear->info().weights);
    Check(c, *linear, codes, rows, machine.Workers(random));
    if (HasFatalFailure()) return;
  }
}

// Large enough to be cut into tasks.
TEST(Linear, ThreadsDoNotChangeBits) {
  testing::Random random(82);
  for (const Shape& shape : {Shape{300, 512}, Shape{70, 2048}, Shape{17, 4096}, Shape{300, 640}}) {
    LayerCase c = testing::DrawLayer(random, shape);
    if (shape[1] == 640) c.input = {{16, false}, 1e-4f, -30000};
    const Result<Linear> linear = Linear::Prepare(MakeSpec(c), c.options);
    ASSERT_TRUE(linear.ok()) << linear.status().message();
    const std::vector<int32_t> codes = testing::DrawCodes(random, c.input, 65 * static_cast<size_t>(shape[1]));
    testing::ThreadExecutor two(2), seven(7);
    testing::ReverseExecutor reversed(5);
    for (Executor* executor : {&SerialExecutor(), static_cast<Executor*>(&two), static_cast<Executor*>(&seven),
                               static_cast<Executor*>(&reversed)}) {
      Check(c, *linear, codes, 65, *executor);
      if (HasFatalFailure()) return;
    }
  }
}

// Whole groups of channels: such weights are packed as their rows are read, the last ones in two bands.
TEST(Linear, TransposedWeights) {
  testing::Random random(84);
  testing::AnyMachine machine;
  for (const Shape& shape : {Shape{16, 8}, Shape{64, 36}, Shape{80, 320}, Shape{272, 1024}}) {
    for (size_t i = 0; i < testing::Cases(10); ++i) {
      LayerCase c = testing::DrawLayer(random, shape);
      c.options.max_isa = machine.Target(random);
      c.options.executor = &machine.Workers(random);
      const std::vector<float> transposed = Transposed(c);
      LinearSpec spec = MakeSpec(c);
      spec.transposed = true;
      spec.weight = transposed;
      const Result<Linear> linear = Linear::Prepare(spec, c.options);
      ASSERT_TRUE(linear.ok()) << linear.status().message();
      const std::vector<int32_t> codes = testing::DrawCodes(random, c.input, 3 * static_cast<size_t>(shape[1]));
      SCOPED_TRACE(linear->info().variant + ", " + linear->info().weights);
      Check(c, *linear, codes, 3, machine.Workers(random));
      if (HasFatalFailure()) return;
    }
  }
}

struct Refusal {
  const char* why;
  const char* words;
  void (*spoil)(LinearSpec&);
};

class LinearRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(LinearRefusal, NamesTheNumbers) {
  testing::Random random(83);
  LayerCase c = testing::DrawLayer(random, {6, 8});
  c.weight_encoding = PerTensor{{8, true}, 0.01f, 0};
  c.output = PerTensor{{8, false}, 0.1f, -3};
  c.bias.assign(6, 0.5f);
  LinearSpec spec = MakeSpec(c);
  GetParam().spoil(spec);
  const Result<Linear> linear = Linear::Prepare(spec);
  ASSERT_FALSE(linear.ok());
  EXPECT_NE(linear.status().message().find(GetParam().words), std::string::npos) << linear.status().message();
}

INSTANTIATE_TEST_SUITE_P(
    Spec, LinearRefusal,
    ::testing::Values(
        Refusal{"weights", "48 weights, but 6 output channels x 9 inputs", [](LinearSpec& s) { s.in_features = 9; }},
        Refusal{"bias", "6 bias values, but 5 output channels",
                [](LinearSpec& s) {
                  s.out_features = 5;
                  s.weight = s.weight.first(40);
                }},
        Refusal{"zeroScale", "scale 0 is 0", [](LinearSpec& s) { s.input.scale = 0; }},
        Refusal{"nanScale", "scale 0 is nan", [](LinearSpec& s) { s.output.encoding->scale = __builtin_nanf(""); }},
        Refusal{"manyBits", "bitwidth 17 is outside 2..16", [](LinearSpec& s) { s.input.grid.bitwidth = 17; }},
        Refusal{"block", "block size 3 does not divide dimension 1",
                [](LinearSpec& s) {
                  s.weight_encoding = Lpbq{4, 8, 0, 1, 3, std::vector<float>(6, 0.1f), std::vector<uint32_t>(12, 1)};
                }},
        Refusal{"intScale", "integer scale 3 is 17, outside 1..16",
                [](LinearSpec& s) {
                  Lpbq e{4, 8, 0, 1, 8, std::vector<float>(6, 0.1f), std::vector<uint32_t>(6, 1)};
                  e.per_block_int_scale[3] = 17;
                  s.weight_encoding = e;
                }},
        Refusal{"floatBlocks", "float scales vary inside channel 0",
                [](LinearSpec& s) {
                  PerBlock e{{4, true}, 0, 1, 4, std::vector<float>(12, 0.1f), std::vector<int32_t>(12, 0)};
                  e.scale[1] = 0.2f;
                  s.weight_encoding = e;
                }}),
    [](const auto& p) { return std::string(p.param.why); });

TEST(Linear, RunRefusesWrongViews) {
  testing::Random random(84);
  LayerCase c = testing::DrawLayer(random, {6, 8});
  c.input = {{8, false}, 0.1f, 0};
  c.output = PerTensor{{8, false}, 0.1f, 0};
  const Result<Linear> linear = Linear::Prepare(MakeSpec(c), c.options);
  ASSERT_TRUE(linear.ok()) << linear.status().message();
  std::vector<std::byte> in(24), out(18), workspace(linear->WorkspaceBytes(3, 1));
  const ConstTensorView x{DType::kU8, {3, 8}, in};
  const TensorView y{DType::kU8, {3, 6}, out};
  EXPECT_TRUE(linear->Run(x, y, workspace, SerialExecutor()).ok());
  EXPECT_FALSE(linear->Run({DType::kS8, {3, 8}, in}, y, workspace, SerialExecutor()).ok());
  EXPECT_FALSE(linear->Run({DType::kU8, {3, 7}, in}, y, workspace, SerialExecutor()).ok());
  EXPECT_FALSE(linear->Run({DType::kU8, {4, 8}, in}, {DType::kU8, {4, 6}, out}, workspace, SerialExecutor()).ok());
  EXPECT_FALSE(linear->Run(x, {DType::kF32, {3, 6}, out}, workspace, SerialExecutor()).ok());
  EXPECT_FALSE(linear->Run(x, y, std::span(workspace).first(1), SerialExecutor()).ok());
}

}  // namespace
}  // namespace lq
