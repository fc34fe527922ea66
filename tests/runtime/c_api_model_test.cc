// Networks through the C API: the results of the C++ API, and every way to call it wrongly.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "lanequant/lanequant.h"
#include "tests/support/allocation_count.h"
#include "tests/support/c_api.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/run_session.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::ExpectFails;
using testing::ExpectOk;
using testing::GuardedBuffer;
using testing::Owned;

std::string Golden(const char* file) { return testing::GoldenPath("digits_cnn/w4a8_lpbq/") + file; }

class CApiModelTest : public ::testing::Test {
 protected:
  static constexpr int64_t kRows = 3;
  static constexpr size_t kIn = kRows * 64, kOut = kRows * 10;

  void SetUp() override {
    const std::string onnx = Golden("model.onnx"), encodings = Golden("model.encodings");
    lq_model* loaded = nullptr;
    ExpectOk([&](lq_message* m) { return lq_model_load(onnx.c_str(), encodings.c_str(), &loaded, m); });
    const Owned<lq_model> model(loaded);  // freed before the session runs
    lq_session* prepared = nullptr;
    ExpectOk([&](lq_message* m) { return lq_session_prepare(loaded, nullptr, &prepared, m); });
    session_.reset(prepared);
    lq_workspace* made = nullptr;
    ExpectOk([&](lq_message* m) { return lq_workspace_create(prepared, kRows, 2, &made, m); });
    workspace_.reset(made);
    ASSERT_NE(made, nullptr);

    const auto bundle = testing::LoadBundle(testing::GoldenPath("digits_cnn/w4a8_lpbq"));
    ASSERT_TRUE(bundle.ok()) << bundle.status().message();
    std::memcpy(in_.data(), bundle->data.at("input").bytes.data(), kIn * sizeof(float));
    const Result<Session> session = Session::Prepare(bundle->model, {});
    ASSERT_TRUE(session.ok()) << session.status().message();
    const ConstTensorView in{DType::kF32, {kRows, 1, 8, 8}, std::as_bytes(std::span<const float>(in_))};
    expected_ = testing::RunSession(*session, {&in, 1}, SerialExecutor()).outputs.at(0);
  }

  lq_status Run(lq_message* message) { return lq_session_run(session_.get(), &run_, message); }
  void ExpectRunFails(std::initializer_list<const char*> parts) {
    ExpectFails([&](lq_message* m) { return Run(m); }, LQ_INVALID_ARGUMENT, parts);
  }

  Owned<lq_session> session_;
  Owned<lq_workspace> workspace_;
  GuardedBuffer<float> in_{kIn}, out_{kOut};
  lq_tensor input_ = testing::Tensor(LQ_F32, {kRows, 1, 8, 8}, std::span<float>(in_));
  lq_tensor output_ = testing::Tensor(LQ_F32, {kRows, 10}, std::span<float>(out_));
  lq_run run_{sizeof(lq_run), &input_, 1, &output_, 1, nullptr, nullptr};
  std::vector<float> expected_;
};

TEST_F(CApiModelTest, WorkspacesForShapesOfTheInputs) {
  lq_shape shape{4, {kRows, 1, 8, 8}};
  lq_workspace* made = nullptr;
  ExpectOk([&](lq_message* m) { return lq_workspace_create_shaped(session_.get(), &shape, 1, 2, &made, m); });
  workspace_.reset(made);
  run_.workspace = made;
  ExpectOk([&](lq_message* m) { return Run(m); });
  EXPECT_EQ(std::vector<float>(out_.data(), out_.data() + kOut), expected_);
  lq_shape out{};
  ExpectOk([&](lq_message* m) { return lq_workspace_output_shape(made, 0, &out, m); });
  EXPECT_EQ(out.rank, 2);
  EXPECT_EQ(out.dims[0], kRows);
  EXPECT_EQ(out.dims[1], 10);
  const auto refuses = [&](const lq_shape* shapes, size_t count, std::initializer_list<const char*> parts) {
    lq_workspace* none = nullptr;
    ExpectFails([&](lq_message* m) { return lq_workspace_create_shaped(session_.get(), shapes, count, 1, &none, m); },
                LQ_INVALID_ARGUMENT, parts);
    EXPECT_EQ(none, nullptr);
  };
  refuses(nullptr, 1, {"input_shapes"});
  refuses(&shape, 0, {"0 input shapes", "1 inputs"});
  shape.rank = 9;
  refuses(&shape, 1, {"input_shapes[0]", "rank 9"});
  shape = {4, {kRows, 1, 8, 9}};
  refuses(&shape, 1, {"(3, 1, 8, 9)", "input"});
  ExpectFails([&](lq_message* m) { return lq_workspace_output_shape(made, 1, &out, m); }, LQ_INVALID_ARGUMENT,
              {"output 1", "1"});
}

TEST_F(CApiModelTest, RunsAsCxxDoes) {
  lq_executor* two = nullptr;
  ExpectOk([&](lq_message* m) { return lq_executor_create(2, &two, m); });
  const Owned<lq_executor> owned(two);
  run_.workspace = workspace_.get();
  for (lq_executor* executor : {static_cast<lq_executor*>(nullptr), two}) {
    std::memset(out_.data(), 0, kOut * sizeof(float));
    run_.executor = executor;
    ExpectOk([&](lq_message* m) { return Run(m); });
    EXPECT_EQ(std::memcmp(out_.data(), expected_.data(), kOut * sizeof(float)), 0);
  }
  EXPECT_GT(lq_workspace_bytes(workspace_.get()), 1000u);
  EXPECT_EQ(lq_workspace_bytes(nullptr), 0u);
}

TEST_F(CApiModelTest, RunAllocatesNothing) {
  run_.workspace = workspace_.get();
  testing::Message message;
  const size_t before = testing::AllocationCount();
  const lq_status status = Run(message);
  EXPECT_EQ(testing::AllocationCount() - before, 0u);
  EXPECT_EQ(status, LQ_OK) << message.text();
}

TEST_F(CApiModelTest, DescribesItsTensors) {
  EXPECT_EQ(lq_session_input_count(session_.get()), 1u);
  EXPECT_EQ(lq_session_output_count(session_.get()), 1u);
  EXPECT_EQ(lq_session_input_count(nullptr), 0u);
  EXPECT_EQ(lq_session_output_count(nullptr), 0u);
  const auto bundle = testing::LoadBundle(testing::GoldenPath("digits_cnn/w4a8_lpbq"));
  const Result<Session> session = Session::Prepare(bundle->model, {});
  const PerTensor x = session->inputs()[0].encoding.value(), y = session->outputs()[0].encoding.value();
  lq_tensor_info in{}, out{}, info{};
  in.struct_size = out.struct_size = info.struct_size = sizeof(info);
  for (int64_t batch : {int64_t{-1}, int64_t{1}, int64_t{7}}) {
    ExpectOk([&](lq_message* m) { return lq_session_input(session_.get(), 0, batch, &in, m); });
    EXPECT_STREQ(in.name, "input");
    EXPECT_EQ(std::vector<int64_t>(in.dims, in.dims + in.rank), (std::vector<int64_t>{batch, 1, 8, 8}));
    ExpectOk([&](lq_message* m) { return lq_session_output(session_.get(), 0, batch, &out, m); });
    EXPECT_STREQ(out.name, "output");
    EXPECT_EQ(std::vector<int64_t>(out.dims, out.dims + out.rank), (std::vector<int64_t>{batch, 10}));
    EXPECT_EQ(in.struct_size, sizeof(in));
    EXPECT_EQ(std::tie(in.encoding.bitwidth, in.encoding.scale, in.encoding.offset),
              std::tie(x.grid.bitwidth, x.scale, x.offset));
    EXPECT_EQ(std::tie(out.encoding.bitwidth, out.encoding.scale, out.encoding.offset),
              std::tie(y.grid.bitwidth, y.scale, y.offset));
    EXPECT_EQ(in.encoding.is_signed, x.grid.is_signed ? 1 : 0);
  }
  for (const auto query : {lq_session_input, lq_session_output}) {
    const auto fails = [&](size_t index, int64_t batch, lq_tensor_info* to, const char* part) {
      ExpectFails([&](lq_message* m) { return query(session_.get(), index, batch, to, m); }, LQ_INVALID_ARGUMENT,
                  {part});
    };
    fails(1, 1, &info, "put 1, but the session has 1");
    fails(0, 0, &info, "batch 0");
    fails(0, -2, &info, "batch -2");
    fails(0, 1, nullptr, "info is null");
    info.struct_size -= 1;
    fails(0, 1, &info, "info: struct_size is");
    info.struct_size += 1;
    ExpectFails([&](lq_message* m) { return query(nullptr, 0, 1, &info, m); }, LQ_INVALID_ARGUMENT,
                {"session is null"});
  }
}

TEST_F(CApiModelTest, RunRefusesWhatDoesNotFit) {
  ExpectRunFails({"workspace is null"});
  run_.workspace = workspace_.get();
  const lq_run run = run_;
  const lq_tensor input = input_, output = output_;
  const auto refuses = [&](auto change, std::initializer_list<const char*> parts) {
    change();
    ExpectRunFails(parts);
    run_ = run, input_ = input, output_ = output;
  };
  refuses([&] { run_.struct_size -= 1; }, {"run: struct_size is 55", "56"});
  refuses([&] { run_.inputs = nullptr; }, {"inputs is null"});
  refuses([&] { run_.outputs = nullptr; }, {"outputs is null"});
  refuses([&] { run_.input_count = 0; }, {"0 inputs and 1 outputs", "1 and 1"});
  refuses([&] { run_.output_count = 2; }, {"1 inputs and 2 outputs", "1 and 1"});
  refuses([&] { input_.dtype = LQ_S16; }, {"input 'input'", "s16", "f32"});
  refuses([&] { input_.dtype = 99; }, {"inputs[0]: dtype 99"});
  refuses([&] { output_.rank = 9; }, {"outputs[0]: rank 9"});
  refuses([&] { input_.dims[0] = 2; }, {"(2, 1, 8, 8)", "(3, 1, 8, 8)"});
  refuses([&] { input_.bytes -= 1; }, {"767 bytes", "768"});
  refuses([&] { output_.bytes = 0; }, {"0 bytes", "120"});
  refuses([&] { output_.data = nullptr; }, {"outputs[0]", "null"});
  lq_executor* seven = nullptr;
  ExpectOk([&](lq_message* m) { return lq_executor_create(7, &seven, m); });
  const Owned<lq_executor> owned(seven);
  if (lq_executor_threads(seven) == 7) refuses([&] { run_.executor = seven; }, {"2 workers", "7"});
  ExpectFails([&](lq_message* m) { return lq_session_run(nullptr, &run_, m); }, LQ_INVALID_ARGUMENT,
              {"session is null"});
  ExpectFails([&](lq_message* m) { return lq_session_run(session_.get(), nullptr, m); }, LQ_INVALID_ARGUMENT,
              {"run is null"});
  for (float value : out_) EXPECT_EQ(std::memcmp(&value, "\xA5\xA5\xA5\xA5", 4), 0);  // no output touched
  ExpectOk([&](lq_message* m) { return Run(m); });
}

TEST_F(CApiModelTest, WorkspacesAreChecked) {
  lq_workspace* made = nullptr;
  const auto fails = [&](const lq_session* session, int64_t batch, lq_workspace** to, const char* part) {
    ExpectFails([&](lq_message* m) { return lq_workspace_create(session, batch, 1, to, m); }, LQ_INVALID_ARGUMENT,
                {part});
  };
  fails(session_.get(), 0, &made, "batch 0");
  fails(session_.get(), int64_t{1} << 40, &made, "1099511627776");
  fails(session_.get(), 1, nullptr, "workspace is null");
  fails(nullptr, 1, &made, "session is null");
  EXPECT_EQ(made, nullptr);
}

TEST(CApiLoadTest, NamesWhatIsWrong) {
  const std::string onnx = Golden("model.onnx"), encodings = Golden("model.encodings");
  lq_model* model = nullptr;
  const auto load = [&](const char* a, const char* b, lq_model** to) {
    return [=](lq_message* m) { return lq_model_load(a, b, to, m); };
  };
  ExpectFails(load("no-such.onnx", encodings.c_str(), &model), LQ_NOT_FOUND, {"no-such.onnx"});
  ExpectFails(load(nullptr, encodings.c_str(), &model), LQ_INVALID_ARGUMENT, {"onnx_path is null"});
  ExpectFails(load(onnx.c_str(), nullptr, &model), LQ_INVALID_ARGUMENT, {"an encodings file is needed"});
  ExpectFails(load(onnx.c_str(), encodings.c_str(), nullptr), LQ_INVALID_ARGUMENT, {"model is null"});
  EXPECT_EQ(model, nullptr);

  ExpectOk(load(onnx.c_str(), encodings.c_str(), &model));
  const Owned<lq_model> owned(model);
  lq_session* session = nullptr;
  const auto prepare = [&](lq_session_options options, lq_status code, std::initializer_list<const char*> parts) {
    ExpectFails([&](lq_message* m) { return lq_session_prepare(model, &options, &session, m); }, code, parts);
  };
  constexpr size_t kSize = sizeof(lq_session_options);
  prepare({kSize - 8, nullptr, 0, 0}, LQ_INVALID_ARGUMENT, {"options: struct_size is 16", "24"});
  prepare({kSize, "AVX9", 0, 0}, LQ_NOT_FOUND, {"AVX9"});
  prepare({kSize, nullptr, 77, 0}, LQ_INVALID_ARGUMENT, {"profile 77"});
  prepare({kSize, nullptr, 0, 2}, LQ_INVALID_ARGUMENT, {"bias 2"});
  ExpectFails([&](lq_message* m) { return lq_session_prepare(nullptr, nullptr, &session, m); }, LQ_INVALID_ARGUMENT,
              {"model is null"});
  ExpectFails([&](lq_message* m) { return lq_session_prepare(model, nullptr, nullptr, m); }, LQ_INVALID_ARGUMENT,
              {"session is null"});
  EXPECT_EQ(session, nullptr);
  const lq_session_options int32_bias{kSize, "", LQ_AIMET_DIV, LQ_BIAS_INT32};
  ExpectOk([&](lq_message* m) { return lq_session_prepare(model, &int32_bias, &session, m); });
  lq_session_free(session);
  lq_session_free(nullptr);
  lq_model_free(nullptr);
  lq_workspace_free(nullptr);
}

}  // namespace
}  // namespace lq
