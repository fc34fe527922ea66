// Random descriptors for executors, models, sessions, workspaces and runs of the C API.
//   build/fuzz/tests/fuzz/c_api_model_fuzz -max_total_time=600
#include <memory>
#include <string>

#include "lanequant/lanequant.h"
#include "tests/fuzz/arguments.h"
#include "tests/fuzz/check.h"

namespace lq::fuzz {
namespace {

struct Free {
  void operator()(lq_model* p) const { lq_model_free(p); }
  void operator()(lq_session* p) const { lq_session_free(p); }
  void operator()(lq_workspace* p) const { lq_workspace_free(p); }
  void operator()(lq_executor* p) const { lq_executor_free(p); }
};

const std::string kModel = LQ_FUZZ_CORPUS "/onnx/conv_qdq.onnx";  // (n, 2, 4, 4) -> (n, 2, 4, 4)

std::unique_ptr<lq_model, Free> Load(const char* path) {
  lq_model* model = nullptr;
  Check([&](lq_message* m) { return lq_model_load(path, "", &model, m); }, nullptr);
  return std::unique_ptr<lq_model, Free>(model);
}

std::unique_ptr<lq_session, Free> Prepare(Arguments& arguments, const lq_model* model) {
  static constexpr const char* kTargets[] = {nullptr, nullptr, "AVX2", "SSE2", "x"};
  const lq_session_options options{arguments.StructSize<lq_session_options>(), kTargets[arguments.Int(0, 4)],
                                   arguments.Enum(0, 3), arguments.Enum(0, 1)};
  lq_session* session = nullptr;
  Check([&](lq_message* m) { return lq_session_prepare(model, &options, &session, m); }, nullptr);
  return std::unique_ptr<lq_session, Free>(session);
}

void Describe(Arguments& arguments, const lq_session* session) {
  const size_t index = arguments.OneIn(4) ? lq_session_input_count(session) : 0;
  const int64_t batch = arguments.OneIn(4) ? arguments.Int(INT64_MIN, INT64_MAX) : arguments.Int(-1, 5);
  lq_tensor_info info{};
  info.struct_size = arguments.StructSize<lq_tensor_info>();
  Check([&](lq_message* m) { return lq_session_input(session, index, batch, &info, m); }, nullptr);
  Check([&](lq_message* m) { return lq_session_output(session, index, batch, &info, m); }, nullptr);
}

std::unique_ptr<lq_executor, Free> MakeExecutor(Arguments& arguments) {
  lq_executor* executor = nullptr;
  if (arguments.OneIn(4)) {
    const auto threads = static_cast<size_t>(arguments.Int(0, 3));
    Check([&](lq_message* m) { return lq_executor_create(threads, &executor, m); }, nullptr);
  }
  return std::unique_ptr<lq_executor, Free>(executor);
}

void Run(Arguments& arguments, const lq_session* session) {
  const auto executor = MakeExecutor(arguments);
  const int64_t batch = arguments.OneIn(8) ? arguments.Int(INT64_MIN, INT64_MAX) : arguments.Int(0, 5);
  const size_t threads =
      arguments.OneIn(16) ? static_cast<size_t>(arguments.Int(0, INT64_MAX)) : lq_executor_threads(executor.get());
  lq_workspace* workspace = nullptr;
  Check([&](lq_message* m) { return lq_workspace_create(session, batch, threads, &workspace, m); }, nullptr);
  const std::unique_ptr<lq_workspace, Free> owned(workspace);
  lq_workspace_bytes(workspace);
  const Dims shape = arguments.OneIn(8) ? arguments.Shape() : Dims{batch, 2, 4, 4};
  const Array in = arguments.Input(shape, {LQ_F32}), out = arguments.Output(shape, {LQ_F32}, kFill);
  const lq_run run{arguments.StructSize<lq_run>(),
                   arguments.OneIn(32) ? nullptr : &in.tensor,
                   arguments.OneIn(32) ? 0u : 1u,
                   arguments.OneIn(32) ? nullptr : &out.tensor,
                   arguments.OneIn(32) ? 0u : 1u,
                   workspace,
                   executor.get()};
  Check([&](lq_message* m) { return lq_session_run(arguments.OneIn(64) ? nullptr : session, &run, m); }, &out);
}

void Fuzz(Arguments& arguments) {
  static const std::unique_ptr<lq_model, Free> model = Load(kModel.c_str());
  if (model == nullptr) std::abort();
  if (arguments.OneIn(64)) Load(arguments.OneIn(2) ? nullptr : "");
  const auto session = Prepare(arguments, arguments.OneIn(64) ? nullptr : model.get());
  if (session == nullptr) return;
  Describe(arguments, session.get());
  for (int64_t runs = arguments.Int(1, 3); runs > 0; --runs) Run(arguments, session.get());
}

}  // namespace
}  // namespace lq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lq::fuzz::Arguments arguments(data, size);
  lq::fuzz::Fuzz(arguments);
  return 0;
}
