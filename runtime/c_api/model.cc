#include "lanequant/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "lanequant/c_model.h"
#include "runtime/c_api/arguments.h"
#include "runtime/c_api/call.h"
#include "runtime/compare/session_rows.h"
#include "runtime/status_macros.h"

using namespace lq;         // NOLINT(google-build-using-namespace): these functions are lq's, in C's only namespace
using namespace lq::c_api;  // NOLINT(google-build-using-namespace)

struct lq_model {
  Model model;
};
struct lq_session {
  Session session;
};
struct lq_workspace {
  Workspace workspace;
  std::vector<ConstTensorView> inputs;  // of the run that uses it, so that runs allocate nothing
  std::vector<TensorView> outputs;
};

namespace {

Result<SessionOptions> ReadSessionOptions(const lq_session_options* given) {
  LQ_ASSIGN_OR_RETURN(const lq_session_options read, ReadOptions("options", given));
  SessionOptions options;
  options.max_isa = ReadMaxIsa(read.max_isa);
  LQ_ASSIGN_OR_RETURN(options.profile, ReadProfile(read.rounding_profile));
  LQ_RETURN_IF_ERROR(CheckEnum("bias", read.bias, 2));
  options.bias = static_cast<BiasMode>(read.bias);
  return options;
}

struct TensorQuery {
  const char* what;  // "input", "output"
  size_t index, count;
  int64_t batch;
};

Status CheckQuery(const TensorQuery& query, const lq_tensor_info* info) {
  LQ_RETURN_IF_ERROR(CheckPointer("info", info));
  LQ_RETURN_IF_ERROR(CheckStructSize("info", info, sizeof(*info)));
  if (query.index >= query.count) {
    return InvalidArgument(fmt::format("{} {}, but the session has {}", query.what, query.index, query.count));
  }
  if (query.batch >= 1 || query.batch == -1) return OkStatus();
  return InvalidArgument(fmt::format("batch {} is neither 1 or more nor -1", query.batch));
}

void Describe(const TensorInfo& tensor, const Shape& shape, lq_tensor_info* info) {
  *info = {info->struct_size, tensor.name.c_str(), static_cast<int32_t>(shape.rank()), {}, {}};
  std::copy(shape.dims().begin(), shape.dims().end(), info->dims);
  if (tensor.encoding) info->encoding = ToC(*tensor.encoding);
}

lq_workspace* NewWorkspace(const lq_session* session, Workspace made) {
  return new lq_workspace{std::move(made), std::vector<ConstTensorView>(lq_session_input_count(session)),
                          std::vector<TensorView>(lq_session_output_count(session))};
}

// `name`: "inputs"; a tensor is then "inputs[2]".
template <class View>
Status ReadTensors(const char* name, const lq_tensor* tensors, std::span<View> views) {
  if (!views.empty()) LQ_RETURN_IF_ERROR(CheckPointer(name, tensors));
  for (size_t i = 0; i < views.size(); ++i) {
    LQ_ASSIGN_OR_RETURN(views[i], ReadTensor(fmt::format("{}[{}]", name, i).c_str(), &tensors[i]));
  }
  return OkStatus();
}

}  // namespace

lq_status lq_model_load(const char* onnx_path, const char* encodings_path, lq_model** model, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("onnx_path", onnx_path));
    LQ_RETURN_IF_ERROR(CheckPointer("model", model));
    LQ_ASSIGN_OR_RETURN(Model loaded, Model::Load(onnx_path, encodings_path != nullptr ? encodings_path : ""));
    *model = new lq_model{std::move(loaded)};
    return OkStatus();
  });
}

void lq_model_free(lq_model* model) { delete model; }

lq_status lq_session_prepare(const lq_model* model, const lq_session_options* options, lq_session** session,
                             lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("model", model));
    LQ_RETURN_IF_ERROR(CheckPointer("session", session));
    LQ_ASSIGN_OR_RETURN(const SessionOptions read, ReadSessionOptions(options));
    LQ_ASSIGN_OR_RETURN(Session prepared, Session::Prepare(model->model, read));
    *session = new lq_session{std::move(prepared)};
    return OkStatus();
  });
}

void lq_session_free(lq_session* session) { delete session; }

size_t lq_session_input_count(const lq_session* session) {
  return session != nullptr ? session->session.inputs().size() : 0;
}

size_t lq_session_output_count(const lq_session* session) {
  return session != nullptr ? session->session.outputs().size() : 0;
}

lq_status lq_session_input(const lq_session* session, size_t index, int64_t batch, lq_tensor_info* info,
                           lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("session", session));
    LQ_RETURN_IF_ERROR(CheckQuery({"input", index, lq_session_input_count(session), batch}, info));
    const TensorInfo& input = session->session.inputs()[index];
    Shape shape = input.shape;
    if (shape.rank() > 0 && shape[0] < 0) shape[0] = batch;
    Describe(input, shape, info);
    return OkStatus();
  });
}

lq_status lq_session_output(const lq_session* session, size_t index, int64_t batch, lq_tensor_info* info,
                            lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("session", session));
    LQ_RETURN_IF_ERROR(CheckQuery({"output", index, lq_session_output_count(session), batch}, info));
    Describe(session->session.outputs()[index], OutputShapeFor(session->session, index, batch), info);
    return OkStatus();
  });
}

lq_status lq_workspace_create(const lq_session* session, int64_t batch, size_t threads, lq_workspace** workspace,
                              lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("session", session));
    LQ_RETURN_IF_ERROR(CheckPointer("workspace", workspace));
    LQ_ASSIGN_OR_RETURN(Workspace made, session->session.NewWorkspace(batch, threads));
    *workspace = NewWorkspace(session, std::move(made));
    return OkStatus();
  });
}

lq_status lq_workspace_create_shaped(const lq_session* session, const lq_shape* input_shapes, size_t count,
                                     size_t threads, lq_workspace** workspace, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("session", session));
    LQ_RETURN_IF_ERROR(CheckPointer("workspace", workspace));
    if (count > 0) LQ_RETURN_IF_ERROR(CheckPointer("input_shapes", input_shapes));
    if (count != lq_session_input_count(session)) {
      return InvalidArgument(
          fmt::format("{} input shapes, but the model has {} inputs", count, lq_session_input_count(session)));
    }
    std::vector<Shape> shapes;
    for (size_t i = 0; i < count; ++i) {
      const lq_shape& shape = input_shapes[i];
      if (shape.rank < 0 || shape.rank > LQ_MAX_RANK) {
        return InvalidArgument(fmt::format("input_shapes[{}]: rank {} is not in 0 to {}", i, shape.rank, LQ_MAX_RANK));
      }
      shapes.emplace_back(std::span(shape.dims).first(static_cast<size_t>(shape.rank)));
    }
    LQ_ASSIGN_OR_RETURN(Workspace made, session->session.NewWorkspace(shapes, threads));
    *workspace = NewWorkspace(session, std::move(made));
    return OkStatus();
  });
}

lq_status lq_workspace_output_shape(const lq_workspace* workspace, size_t index, lq_shape* shape, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("workspace", workspace));
    LQ_RETURN_IF_ERROR(CheckPointer("shape", shape));
    const std::vector<Shape>& shapes = workspace->workspace.output_shapes();
    if (index >= shapes.size()) {
      return InvalidArgument(fmt::format("output {}, but the session has {}", index, shapes.size()));
    }
    *shape = {};
    shape->rank = static_cast<int32_t>(shapes[index].rank());
    std::copy(shapes[index].dims().begin(), shapes[index].dims().end(), shape->dims);
    return OkStatus();
  });
}

size_t lq_workspace_bytes(const lq_workspace* workspace) {
  return workspace != nullptr ? workspace->workspace.bytes() : 0;
}

void lq_workspace_free(lq_workspace* workspace) { delete workspace; }

lq_status lq_session_run(const lq_session* session, const lq_run* run, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("session", session));
    LQ_ASSIGN_OR_RETURN(const lq_run read, ReadStruct("run", run));
    LQ_RETURN_IF_ERROR(CheckPointer("workspace", read.workspace));
    lq_workspace& workspace = *read.workspace;
    if (read.input_count != workspace.inputs.size() || read.output_count != workspace.outputs.size()) {
      return InvalidArgument(fmt::format("{} inputs and {} outputs, but the workspace is for {} and {}",
                                         read.input_count, read.output_count, workspace.inputs.size(),
                                         workspace.outputs.size()));
    }
    LQ_RETURN_IF_ERROR(ReadTensors("inputs", read.inputs, std::span(workspace.inputs)));
    LQ_RETURN_IF_ERROR(ReadTensors("outputs", read.outputs, std::span(workspace.outputs)));
    return session->session.Run(workspace.inputs, workspace.outputs, workspace.workspace, ReadExecutor(read.executor));
  });
}
