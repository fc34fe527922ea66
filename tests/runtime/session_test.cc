// The promises of Session: what Run refuses, that it allocates nothing, that many threads may share one session.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "tests/support/allocation_count.h"
#include "tests/support/executors.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::Bundle;

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<Bundle> bundle = testing::LoadBundle(testing::GoldenPath("digits_cnn/w4a8_lpbq"));
    ASSERT_TRUE(bundle.ok()) << bundle.status().message();
    bundle_ = std::make_unique<Bundle>(*std::move(bundle));
    Result<Session> session = Session::Prepare(bundle_->model, {});
    ASSERT_TRUE(session.ok()) << session.status().message();
    session_ = std::make_unique<Session>(*std::move(session));
    expected_.resize(kRows * 10);
    Result<Workspace> workspace = session_->NewWorkspace(kRows, 1);
    ASSERT_TRUE(workspace.ok());
    ASSERT_TRUE(Run(*workspace, SerialExecutor(), expected_).ok());
  }

  ConstTensorView Input() const {
    const NamedArray& input = bundle_->data.at("input");
    return {DType::kF32, {kRows, 1, 8, 8}, std::span(input.bytes).first(kRows * 64 * sizeof(float))};
  }

  Status Run(Workspace& workspace, Executor& executor, std::vector<float>& values) const {
    const ConstTensorView in = Input();
    const TensorView out{DType::kF32, {kRows, 10}, std::as_writable_bytes(std::span<float>(values))};
    return session_->Run({&in, 1}, {&out, 1}, workspace, executor);
  }

  static constexpr int64_t kRows = 16;
  std::unique_ptr<Bundle> bundle_;
  std::unique_ptr<Session> session_;
  std::vector<float> expected_;
};

TEST_F(SessionTest, RunAllocatesNothing) {
  Result<Workspace> workspace = session_->NewWorkspace(kRows, 1);
  ASSERT_TRUE(workspace.ok());
  std::vector<float> out(expected_.size());
  const ConstTensorView in = Input();
  const TensorView view{DType::kF32, {kRows, 10}, std::as_writable_bytes(std::span<float>(out))};
  const size_t before = testing::AllocationCount();
  const Status status = session_->Run({&in, 1}, {&view, 1}, *workspace, SerialExecutor());
  const size_t after = testing::AllocationCount();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(after - before, 0u);
  EXPECT_GT(before, 0u);  // the counter counts
  EXPECT_EQ(out, expected_);
}

TEST_F(SessionTest, ManyThreadsShareOneSession) {
  std::atomic<size_t> wrong{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      Result<Workspace> workspace = session_->NewWorkspace(kRows, 1);
      for (size_t i = 0; i < 50; ++i) {
        std::vector<float> out(expected_.size());
        if (!Run(*workspace, SerialExecutor(), out).ok() || out != expected_) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
}

TEST_F(SessionTest, SharedTbbExecutor) {
  const std::unique_ptr<Executor> executor = MakeTbbExecutor(3);
  Result<Workspace> workspace = session_->NewWorkspace(kRows, executor->workers());
  ASSERT_TRUE(workspace.ok());
  std::vector<float> out(expected_.size());
  ASSERT_TRUE(Run(*workspace, *executor, out).ok());
  EXPECT_EQ(out, expected_);
}

TEST_F(SessionTest, RefusesWhatDoesNotFit) {
  Result<Workspace> workspace = session_->NewWorkspace(kRows, 1);
  ASSERT_TRUE(workspace.ok());
  std::vector<float> out(expected_.size());
  const ConstTensorView in = Input();
  const TensorView view{DType::kF32, {kRows, 10}, std::as_writable_bytes(std::span<float>(out))};
  const auto message = [&](std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
                           Workspace& memory, Executor& executor) {
    const Status status = session_->Run(inputs, outputs, memory, executor);
    EXPECT_FALSE(status.ok());
    return status.message();
  };
  EXPECT_EQ(message({}, {&view, 1}, *workspace, SerialExecutor()), "0 inputs and 1 outputs, but the model has 1 and 1");
  const ConstTensorView short_input{DType::kF32, {15, 1, 8, 8}, in.bytes};
  EXPECT_EQ(message({&short_input, 1}, {&view, 1}, *workspace, SerialExecutor()),
            "input (input): shape (15, 1, 8, 8), but (16, 1, 8, 8) is needed");
  const ConstTensorView few_bytes{DType::kF32, {16, 1, 8, 8}, in.bytes.first(100)};
  EXPECT_EQ(message({&few_bytes, 1}, {&view, 1}, *workspace, SerialExecutor()),
            "input (input): 100 bytes, but shape (16, 1, 8, 8) of f32 needs 4096");
  const ConstTensorView codes{DType::kS16, {16, 1, 8, 8}, in.bytes};
  EXPECT_EQ(message({&codes, 1}, {&view, 1}, *workspace, SerialExecutor()),
            "input 'input' has type s16, not f32 or u8");
  testing::ThreadExecutor two(2);
  EXPECT_EQ(message({&in, 1}, {&view, 1}, *workspace, two), "the workspace is for 1 workers, but the executor has 2");
  const Result<Session> other = Session::Prepare(bundle_->model, {});
  ASSERT_TRUE(other.ok());
  Result<Workspace> foreign = other->NewWorkspace(kRows, 1);
  EXPECT_EQ(message({&in, 1}, {&view, 1}, *foreign, SerialExecutor()), "the workspace belongs to another session");
  EXPECT_FALSE(session_->NewWorkspace(0, 1).ok());
  EXPECT_FALSE(session_->NewWorkspace(int64_t{1} << 50, 1).ok());
}

TEST_F(SessionTest, UnknownTargetIsNamed) {
  SessionOptions options;
  options.max_isa = "AVX9";
  const Result<Session> session = Session::Prepare(bundle_->model, options);
  ASSERT_FALSE(session.ok());
  EXPECT_NE(session.status().message().find("target 'AVX9' is not compiled in; there are AMX"), std::string::npos);
}

// Images through branches that part and join again, every tensor encoded; the tensors that nothing reads are outputs.
class BranchingGraph {
 public:
  BranchingGraph(testing::Random& random, const Shape& shape, size_t nodes) : random_(random), shape_(shape) {
    tensors_.push_back(builder_.Input(shape_, Activation()));
    std::vector<size_t> readers(1, 0);
    for (size_t i = 0; i < nodes; ++i) {
      const std::array<size_t, 2> from = {Pick(), Pick()};
      const size_t count = Draw({tensors_[from[0]], tensors_[from[1]]});
      for (size_t j = 0; j < count; ++j) ++readers[from[j]];
      readers.push_back(0);
    }
    for (size_t i = 1; i < tensors_.size(); ++i) {
      if (readers[i] == 0) builder_.Output(tensors_[i]);
    }
  }

  std::shared_ptr<const Graph> Share() const { return builder_.Share(); }
  testing::InputTensor Input() {
    testing::InputTensor input{shape_, {}};
    for (int64_t i = 0; i < shape_.NumElements(); ++i) input.values.push_back(random_.Float(-2, 2));
    return input;
  }

 private:
  PerTensor Activation() {
    return {{8, false}, random_.Float(0.01f, 0.03f), static_cast<int32_t>(random_.Int(-200, -50))};
  }
  // One of the last tensors as often as one of all.
  size_t Pick() {
    const size_t n = tensors_.size();
    return random_.Chance(0.5) ? random_.Size(0, n - 1) : random_.Size(n < 4 ? 0 : n - 4, n - 1);
  }
  ValueId Conv(ValueId x, int64_t in_channels, int64_t kernel) {
    const Shape shape{shape_[1], in_channels, kernel, kernel};
    std::vector<float> values(static_cast<size_t>(shape.NumElements()));
    for (float& value : values) value = random_.Float(-0.2f, 0.2f);
    const ValueId w = builder_.Floats(shape, std::move(values), PerTensor{{8, true}, 0.002f, 0});
    return builder_.Node("Conv", {x, w}, {{"pads", std::vector<int64_t>(4, kernel / 2)}}, Activation());
  }
  // Appends a tensor of the input's shape; returns how many of the operands it reads.
  size_t Draw(const std::array<ValueId, 2>& x) {
    const int64_t kind = random_.Int(0, 5);
    ValueId y = kAbsent;
    if (kind <= 1) y = Conv(x[0], shape_[1], 1 + 2 * kind);
    if (kind == 2) y = builder_.Node("Sigmoid", {x[0]}, {}, Activation());
    if (kind == 3) {
      const std::vector<int64_t> kernel{3, 3}, pads(4, 1);
      y = builder_.Node("MaxPool", {x[0]}, {{"kernel_shape", kernel}, {"pads", pads}}, Activation());
    }
    if (kind == 4) y = builder_.Node("Add", {x[0], x[1]}, {}, Activation());
    if (kind == 5) {
      const ValueId joined = builder_.Node("Concat", {x[0], x[1]}, {{"axis", int64_t{1}}}, Activation());
      y = Conv(joined, 2 * shape_[1], 1);
    }
    tensors_.push_back(y);
    return kind < 4 ? 1 : 2;
  }

  testing::Random& random_;
  const Shape shape_;
  testing::GraphBuilder builder_;
  std::vector<ValueId> tensors_;
};

ConstTensorView ViewOf(const testing::InputTensor& input) {
  return {DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values))};
}

// Whether some step takes turns (SessionInspector::Lanes).
bool TakesTurns(const Workspace& workspace) {
  const std::vector<std::string> lanes = SessionInspector::Lanes(workspace);
  return std::any_of(lanes.begin(), lanes.end(),
                     [](const std::string& lane) { return lane.find('/') != std::string::npos; });
}

// Runs the session as a whole; the outputs in one list.
std::vector<float> RunWhole(const Session& session, std::span<const ConstTensorView> in, Workspace& workspace,
                            Executor& executor) {
  std::vector<float> values;
  std::vector<TensorView> out;
  size_t count = 0;
  for (const Shape& shape : workspace.output_shapes()) count += static_cast<size_t>(shape.NumElements());
  values.resize(count);
  count = 0;
  for (const Shape& shape : workspace.output_shapes()) {
    const auto n = static_cast<size_t>(shape.NumElements());
    out.push_back({DType::kF32, shape, std::as_writable_bytes(std::span(values).subspan(count, n))});
    count += n;
  }
  const size_t before = testing::AllocationCount();
  const Status status = session.Run(in, out, workspace, executor);
  if (dynamic_cast<testing::ThreadExecutor*>(&executor) == nullptr) {
    EXPECT_EQ(testing::AllocationCount(), before);
  }
  EXPECT_TRUE(status.ok()) << status.message();
  return values;
}

// Of all tensors of the session's outputs, one after the other; runs a network that was drawn on everything.
class SessionSchedule : public ::testing::Test {
 protected:
  // Counts the schedules for which `counts` holds of a step's place in them (SessionInspector::Lanes).
  template <class Counts>
  void Check(BranchingGraph& branching, const Counts& counts) {
    const std::shared_ptr<const Graph> graph = branching.Share();
    const testing::InputTensor input = branching.Input();
    const ConstTensorView view = ViewOf(input);
    const testing::Simulated simulated = testing::Simulate(graph, {input});
    ASSERT_TRUE(simulated.status.ok()) << simulated.status.message();
    std::vector<float> expected;
    for (const Simulator::Output& output : simulated.outputs) {
      expected.insert(expected.end(), output.values.begin(), output.values.end());
    }
    const Result<Session> session = Session::Prepare(Model(graph));
    ASSERT_TRUE(session.ok()) << session.status().message();
    for (const size_t workers : {1, 2, 3, 7}) {
      Result<Workspace> workspace = session->NewWorkspace(input.shape[0], workers);
      ASSERT_TRUE(workspace.ok()) << workspace.status().message();
      const std::vector<std::string> lanes = SessionInspector::Lanes(*workspace);
      counted_ += std::any_of(lanes.begin(), lanes.end(), counts);
      testing::ThreadExecutor threads(workers);
      testing::ReverseExecutor reverse(workers);
      ASSERT_EQ(RunWhole(*session, {&view, 1}, *workspace, threads), expected) << workers << " threads";
      ASSERT_EQ(RunWhole(*session, {&view, 1}, *workspace, reverse), expected) << workers << " workers in reverse";
      ASSERT_EQ(RunWhole(*session, {&view, 1}, *workspace, SerialExecutor()), expected) << "a schedule for " << workers;
    }
  }

  size_t counted_ = 0;
};

// Branches that run at the same time, one after the other, and in the wrong order.
TEST_F(SessionSchedule, BranchesEqualSimulatorOnAnyExecutor) {
  const size_t cases = testing::Cases(40);
  for (size_t i = 0; i < cases; ++i) {
    SCOPED_TRACE("graph " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    testing::Random random(710000 + i);
    const Shape shape{random.Int(1, 2), random.Int(2, 16), random.Int(3, 12), random.Int(3, 12)};
    BranchingGraph branching(random, shape, random.Size(3, 20));
    Check(branching, [](const std::string& lane) { return lane.find('.') != std::string::npos; });
  }
  EXPECT_GT(counted_, cases);  // of three schedules of each graph
}

// Some images at a time through several steps, by each worker; now and then too large for one worker's cache.
TEST_F(SessionSchedule, TurnsEqualSimulatorOnAnyExecutor) {
  const size_t cases = testing::Cases(16);
  for (size_t i = 0; i < cases; ++i) {
    SCOPED_TRACE("graph " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    testing::Random random(720000 + i);
    Shape shape{random.Int(2, 9), random.Int(4, 24), random.Int(5, 16), random.Int(5, 16)};
    if (i % 8 == 0) shape = {2, random.Int(22, 26), 110, 110};
    BranchingGraph branching(random, shape, i % 8 == 0 ? 2 : random.Size(3, 9));
    Check(branching, [](const std::string& lane) { return lane.find('/') != std::string::npos; });
  }
  EXPECT_GT(counted_, cases / 2);  // of four schedules of each graph
}

// Positions (S, D) that are added to a batch of S sequences: they are no images, though as many.
TEST(SessionTurns, OperandsOfAnotherRankAreWhole) {
  testing::GraphBuilder builder;
  const PerTensor e{{8, false}, 0.02f, -128};
  const ValueId x = builder.Input({-1, 64, 32}, e), positions = builder.Input({64, 32}, e);
  ValueId y = x;
  for (int i = 0; i < 3; ++i) y = builder.Node("Add", {builder.Node("Sigmoid", {y}, {}, e), positions}, {}, e);
  builder.Output(y);
  testing::Random random(730000);
  std::vector<testing::InputTensor> inputs = {{{64, 64, 32}, {}}, {{64, 32}, {}}};
  std::vector<ConstTensorView> views;
  for (testing::InputTensor& input : inputs) {
    for (int64_t i = 0; i < input.shape.NumElements(); ++i) input.values.push_back(random.Float(-2, 2));
    views.push_back(ViewOf(input));
  }
  const testing::Simulated expected = testing::Simulate(builder.Share(), inputs);
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  const Shape shapes[] = {inputs[0].shape, inputs[1].shape};
  for (const size_t workers : {1, 2, 3}) {
    Result<Workspace> workspace = session->NewWorkspace(shapes, workers);
    ASSERT_TRUE(workspace.ok()) << workspace.status().message();
    testing::ThreadExecutor threads(workers);
    EXPECT_EQ(RunWhole(*session, views, *workspace, threads), expected.outputs[0].values) << workers << " threads";
  }
}

// Turns of 4 and 5 images: 5 are cut into two tasks a group, which need less scratch than the one of 4.
TEST(SessionTurns, FewerImagesMayNeedMoreScratch) {
  testing::GraphBuilder builder;
  const PerTensor e{{8, false}, 0.02f, -128};
  testing::Random random(740000);
  ValueId x = builder.Input({-1, 64, 14, 14}, e);
  for (int i = 0; i < 2; ++i) {
    std::vector<float> values(64 * 32 * 9);
    for (float& value : values) value = random.Float(-0.2f, 0.2f);
    const ValueId w = builder.Floats({64, 32, 3, 3}, std::move(values), PerTensor{{8, true}, 0.002f, 0});
    x = builder.Node("Conv", {x, w}, {{"pads", std::vector<int64_t>(4, 1)}, {"group", int64_t{2}}}, e);
  }
  builder.Output(x);
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  testing::InputTensor input{{19, 64, 14, 14}, {}};
  for (int64_t i = 0; i < input.shape.NumElements(); ++i) input.values.push_back(random.Float(-2, 2));
  const ConstTensorView view = ViewOf(input);
  testing::ThreadExecutor threads(4);
  Result<Workspace> workspace = session->NewWorkspace(19, 4), one = session->NewWorkspace(19, 1);
  ASSERT_TRUE(workspace.ok() && one.ok()) << workspace.status().message();
  EXPECT_TRUE(TakesTurns(*workspace));
  EXPECT_EQ(RunWhole(*session, {&view, 1}, *workspace, threads),
            RunWhole(*session, {&view, 1}, *one, SerialExecutor()));
}

}  // namespace
}  // namespace lq
