// The promises of Session: what Run refuses, that it allocates nothing, that many threads may share one session.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/support/allocation_count.h"
#include "tests/support/executors.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/run_session.h"
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

}  // namespace
}  // namespace lq
