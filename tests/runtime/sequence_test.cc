// Sequences of any length on one session: attention with a cache of keys and values that the caller keeps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "lanequant/model.h"
#include "runtime/passes/passes.h"
#include "runtime/views.h"
#include "tests/support/allocation_count.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::GraphBuilder;

constexpr int64_t kHidden = 64, kHeads = 2, kSize = kHidden / kHeads;

PerTensor Symmetric(int bits, double limit) {
  const int32_t middle = 1 << (bits - 1);
  return {{bits, false}, static_cast<float>(limit / middle), -middle};
}

constexpr PerTensor kSigned{{8, true}, 4.0f / 128, 0};  // of values, whose scale is a power of two: codes are exact

// x (1, length, hidden), past keys and values (1, heads, past, size) -> y like x, keys and values (1, heads, past +
// length, size). Weights are LPBQ.
class Attention {
 public:
  explicit Attention(int bits) : bits_(bits) {
    x_ = builder_.Input({1, -1, kHidden}, Activation(4));
    const ValueId past_key = builder_.Input({1, kHeads, -1, kSize}, Symmetric(8, 4)),
                  past_value = builder_.Input({1, kHeads, -1, kSize}, kSigned);
    const ValueId query = Heads(Linear(x_)), key = Join(past_key, Heads(Linear(x_)), Symmetric(8, 4)),
                  value = Join(past_value, Heads(Linear(x_)), kSigned);
    const ValueId turned =
        builder_.Node("Transpose", {key}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}}, Symmetric(8, 4));
    const ValueId scores = builder_.Node("MatMul", {query, turned}, {}, Activation(16));
    const ValueId weights =
        builder_.Node("Softmax", {scores}, {{"axis", int64_t{-1}}}, PerTensor{{8, false}, 1.0f / 255, 0});
    const ValueId mixed = builder_.Node("MatMul", {weights, value}, {}, Activation(4));
    const ValueId rows = Transposed(mixed, Activation(4));
    const ValueId flat = builder_.Node("Reshape", {rows, builder_.Ints({0, 0, kHidden})}, {}, Activation(4));
    const ValueId y = builder_.Node("Add", {x_, Linear(flat)}, {}, Activation(8));
    for (const ValueId output : {y, key, value}) builder_.Output(output);
  }

  std::shared_ptr<const Graph> Share() const { return builder_.Share(); }

 private:
  PerTensor Activation(double limit) const { return Symmetric(bits_, limit); }

  ValueId Linear(ValueId x) {
    constexpr int64_t kBlock = 16;
    Lpbq e{4, 8, 1, 0, kBlock, {}, {}};
    for (int64_t n = 0; n < kHidden; ++n) e.channel_scale.push_back(random_.Float(0.002f, 0.004f));
    for (int64_t i = 0; i < kHidden * kHidden / kBlock; ++i) {
      e.per_block_int_scale.push_back(static_cast<uint32_t>(random_.Int(1, 16)));
    }
    std::vector<float> weight;
    for (int64_t i = 0; i < kHidden * kHidden; ++i) weight.push_back(random_.Float(-0.3f, 0.3f));
    return builder_.Node("MatMul", {x, builder_.Floats({kHidden, kHidden}, weight, e)}, {}, Symmetric(8, 4));
  }

  ValueId Transposed(ValueId x, const PerTensor& e) {
    return builder_.Node("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}, e);
  }

  ValueId Heads(ValueId x) {
    const ValueId split = builder_.Node("Reshape", {x, builder_.Ints({0, 0, kHeads, kSize})}, {}, Symmetric(8, 4));
    return Transposed(split, Symmetric(8, 4));
  }

  ValueId Join(ValueId past, ValueId now, const PerTensor& e) {
    return builder_.Node("Concat", {past, now}, {{"axis", int64_t{2}}}, e);
  }

  int bits_;
  testing::Random random_{1};
  GraphBuilder builder_;
  ValueId x_ = kAbsent;
};

std::vector<Shape> ShapesOf(int64_t length, int64_t past) {
  return {{1, length, kHidden}, {1, kHeads, past, kSize}, {1, kHeads, past, kSize}};
}

std::vector<testing::InputTensor> Inputs(int64_t length, int64_t past) {
  testing::Random random(static_cast<uint64_t>(length * 1000 + past));
  std::vector<testing::InputTensor> inputs;
  for (const Shape& shape : ShapesOf(length, past)) {
    inputs.push_back({shape, {}});
    for (int64_t i = 0; i < shape.NumElements(); ++i) inputs.back().values.push_back(random.Float(-4, 4));
  }
  return inputs;
}

// An array of floats, or of the codes that its encoding makes of them, exact as its scale is a power of two.
struct Crossing {
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<std::byte> bytes;

  Crossing(const TensorInfo& info, const Shape& s, bool as_codes) : shape(s) {
    if (as_codes) dtype = CodeDType(info.encoding->grid);
    bytes.resize(static_cast<size_t>(s.NumElements()) * SizeOf(dtype));
  }
  static int64_t CodeOf(float value, const PerTensor& e) {
    return std::clamp(static_cast<int64_t>(std::nearbyint(value / e.scale)) - e.offset, e.grid.qmin(), e.grid.qmax());
  }
  void Put(size_t i, float value, const TensorInfo& info) {
    const int64_t code = dtype == DType::kF32 ? 0 : CodeOf(value, *info.encoding);
    if (dtype == DType::kF32) std::memcpy(&bytes[4 * i], &value, 4);
    if (dtype != DType::kF32) std::memcpy(&bytes[SizeOf(dtype) * i], &code, SizeOf(dtype));
  }
};

struct Length {
  int64_t rows, past;
  bool as_codes = false;
};

void ExpectSimulatorsOutputs(const std::shared_ptr<const Graph>& graph, const Session& session, const Length& size,
                             Executor& executor) {
  const auto [length, past, as_codes] = size;
  SCOPED_TRACE(std::to_string(length) + " rows behind " + std::to_string(past));
  const std::vector<testing::InputTensor> inputs = Inputs(length, past);
  const testing::Simulated expected = testing::Simulate(graph, inputs);
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  Result<Workspace> workspace = session.NewWorkspace(ShapesOf(length, past), executor.workers());
  ASSERT_TRUE(workspace.ok()) << workspace.status().message();
  EXPECT_EQ(workspace->output_shapes()[0], (Shape{1, length, kHidden}));
  EXPECT_EQ(workspace->output_shapes()[2], (Shape{1, kHeads, past + length, kSize}));
  std::vector<Crossing> given, got, wanted;
  std::vector<ConstTensorView> in;
  std::vector<TensorView> out;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Crossing& crossing = given.emplace_back(session.inputs()[i], inputs[i].shape, as_codes);
    for (size_t j = 0; j < inputs[i].values.size(); ++j) crossing.Put(j, inputs[i].values[j], session.inputs()[i]);
  }
  for (size_t i = 0; i < expected.outputs.size(); ++i) {
    const TensorInfo& info = session.outputs()[i];
    got.emplace_back(info, workspace->output_shapes()[i], as_codes);
    Crossing& crossing = wanted.emplace_back(got.back());
    for (size_t j = 0; j < expected.outputs[i].values.size(); ++j) crossing.Put(j, expected.outputs[i].values[j], info);
  }
  for (const Crossing& crossing : given) in.emplace_back(crossing.dtype, crossing.shape, crossing.bytes);
  for (Crossing& crossing : got) out.push_back({crossing.dtype, crossing.shape, crossing.bytes});
  const size_t before = testing::AllocationCount();
  const Status status = session.Run(in, out, *workspace, executor);
  const size_t allocations = testing::AllocationCount() - before;
  ASSERT_TRUE(status.ok()) << status.message();
  if (executor.workers() == 1) {  // threads have allocations of their own
    EXPECT_EQ(allocations, 0u);
  }
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i].bytes, wanted[i].bytes) << i;
}

class SequenceTest : public ::testing::TestWithParam<int> {};

TEST_P(SequenceTest, OneSessionRunsAllLengths) {
  const std::shared_ptr<const Graph> graph = Attention(GetParam()).Share();
  const Result<Session> session = Session::Prepare(Model(graph));
  ASSERT_TRUE(session.ok()) << session.status().message();
  for (const StepInfo& step : session->steps()) {
    if (step.op == "MatMul" && step.layer.packed_bytes > 0) {
      EXPECT_EQ(step.layer.weights, "4-bit LPBQ, block 16");
    }
  }
  testing::ThreadExecutor threads(2);
  for (const bool as_codes : {false, true}) {
    for (const auto& [length, past] : {std::pair{1, 1}, {1, 17}, {7, 3}, {64, 1}, {1, 200}, {1, 0}, {9, 0}}) {
      ExpectSimulatorsOutputs(graph, *session, {length, past, as_codes}, SerialExecutor());
      ExpectSimulatorsOutputs(graph, *session, {length, past, as_codes}, threads);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(ActivationBits, SequenceTest, ::testing::Values(8, 16));

// x + table[past ..], as positions of a transformer are looked up.
TEST(SequenceTest, PositionsFollowTheLengths) {
  GraphBuilder builder;
  const ValueId x = builder.Input({1, -1, 2}), past = builder.Input({1, -1, 2});
  const auto length_of = [&](ValueId id) {
    const ValueId shape = builder.Node("Shape", {id});
    return builder.Node("Gather", {shape, builder.Ints({1})}, {{"axis", int64_t{0}}});
  };
  const ValueId start = length_of(past), end = builder.Node("Add", {start, length_of(x)});
  const ValueId range = builder.Node("Range", {start, end, builder.Ints({1})});
  std::vector<float> table;
  for (int i = 0; i < 32; ++i) table.push_back(static_cast<float>(i * i));
  const ValueId rows = builder.Node("Gather", {builder.Floats({16, 2}, table), range}, {{"axis", int64_t{0}}});
  builder.Output(builder.Node("Add", {x, rows}));
  const Status folded = FoldShapes(builder.graph());
  ASSERT_TRUE(folded.ok()) << folded.message();
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  for (const auto& [length, before] : {std::pair<int64_t, int64_t>{3, 2}, {1, 0}, {5, 11}}) {
    const Shape shapes[] = {{1, length, 2}, {1, before, 2}};
    const std::vector<testing::InputTensor> inputs{
        {shapes[0], std::vector<float>(static_cast<size_t>(2 * length), 0.5f)},
        {shapes[1], std::vector<float>(static_cast<size_t>(2 * before))}};
    std::vector<float> wanted;
    for (int64_t i = 0; i < 2 * length; ++i) wanted.push_back(0.5f + table[static_cast<size_t>(2 * before + i)]);
    EXPECT_EQ(testing::Simulate(builder.Share(), inputs).outputs[0].values, wanted);
    std::vector<ConstTensorView> views;
    for (const testing::InputTensor& input : inputs) {
      views.emplace_back(DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values)));
    }
    const testing::SessionRun run = testing::RunSession(*session, views, SerialExecutor());
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    EXPECT_EQ(run.outputs[0], wanted);
  }
}

TEST(SequenceTest, RefusesShapesThatDoNotFit) {
  const Result<Session> session = Session::Prepare(Model(Attention(8).Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  const auto refusal = [&](std::vector<Shape> shapes) { return session->NewWorkspace(shapes, 1).status(); };
  ExpectInvalid(session->NewWorkspace(1, 1).status(), {"shape (1, -1, 64)", "input 'input0'"});
  ExpectInvalid(refusal({{1, 2, kHidden}}), {"1 input shapes", "3 inputs"});
  std::vector<Shape> shapes = ShapesOf(1, 1);
  shapes[0] = {1, 1, 65};
  ExpectInvalid(refusal(shapes), {"shape (1, 1, 65)", "input 'input0' of shape (1, -1, 64)"});
  shapes = ShapesOf(1, 0);
  shapes[1][1] = 0;
  ExpectInvalid(refusal(shapes), {"shape (1, 0, 0, 32)", "input 'input1'"});
  shapes = ShapesOf(1, 5);
  shapes[2][2] = 6;  // keys and values of different lengths
  EXPECT_FALSE(refusal(shapes).ok());
  EXPECT_FALSE(refusal(ShapesOf(int64_t{1} << 39, 1)).ok());
}

}  // namespace
}  // namespace lq
