// Session: a prepared network and its workspaces.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/python/call.h"
#include "runtime/python/encoding.h"
#include "runtime/python/module.h"
#include "runtime/python/tensor.h"

namespace nb = nanobind;

namespace lq::python {
namespace {

struct Free {
  void operator()(lq_model* p) const { lq_model_free(p); }
  void operator()(lq_session* p) const { lq_session_free(p); }
  void operator()(lq_workspace* p) const { lq_workspace_free(p); }
};
using Workspace = std::unique_ptr<lq_workspace, Free>;

using NamedShape = std::pair<std::string, std::vector<int64_t>>;
using NamedEncoding = std::pair<std::string, PyEncoding>;

class Session {
 public:
  Session(const std::string& onnx, const std::string& encodings, const std::string* max_isa, int32_t profile,
          int32_t bias, size_t threads)
      : executor_(ExecutorFor(threads)) {
    const lq_session_options options{sizeof(options), max_isa != nullptr ? max_isa->c_str() : nullptr, profile, bias};
    lq_model* model = nullptr;
    Call([&](lq_message* message) { return lq_model_load(onnx.c_str(), encodings.c_str(), &model, message); });
    const std::unique_ptr<lq_model, Free> owned(model);
    lq_session* session = nullptr;
    Call([&](lq_message* message) { return lq_session_prepare(model, &options, &session, message); });
    session_.reset(session);
  }

  std::vector<NamedShape> Inputs(int64_t batch) const {
    return Describe(lq_session_input, lq_session_input_count(session_.get()), batch);
  }
  std::vector<NamedShape> Outputs(int64_t batch) const {
    return Describe(lq_session_output, lq_session_output_count(session_.get()), batch);
  }

  // Of the inputs and outputs that have one.
  std::vector<NamedEncoding> Encodings() const {
    std::vector<NamedEncoding> encodings;
    const auto add = [&](const lq_tensor_info& info) {
      if (info.encoding.bitwidth > 0) encodings.emplace_back(info.name, Encoded(info.encoding));
    };
    for (size_t i = 0; i < lq_session_input_count(session_.get()); ++i) add(Info(lq_session_input, i, -1));
    for (size_t i = 0; i < lq_session_output_count(session_.get()); ++i) add(Info(lq_session_output, i, -1));
    return encodings;
  }

  Workspace NewWorkspace(int64_t batch) const {
    lq_workspace* workspace = nullptr;
    Call([&](lq_message* message) {
      return lq_workspace_create(session_.get(), batch, lq_executor_threads(executor_), &workspace, message);
    });
    return Workspace(workspace);
  }

  Workspace NewWorkspaceFor(const std::vector<std::vector<int64_t>>& input_shapes) const {
    std::vector<lq_shape> shapes;
    for (const std::vector<int64_t>& dims : input_shapes) {
      if (dims.size() > LQ_MAX_RANK)
        throw Error("an input has more than " + std::to_string(LQ_MAX_RANK) + " dimensions");
      lq_shape& shape = shapes.emplace_back(lq_shape{static_cast<int32_t>(dims.size()), {}});
      std::copy(dims.begin(), dims.end(), shape.dims);
    }
    lq_workspace* workspace = nullptr;
    Call([&](lq_message* message) {
      return lq_workspace_create_shaped(session_.get(), shapes.data(), shapes.size(), lq_executor_threads(executor_),
                                        &workspace, message);
    });
    return Workspace(workspace);
  }

  // Of the outputs, for a workspace.
  std::vector<std::vector<int64_t>> OutputShapes(const lq_workspace* workspace) const {
    std::vector<std::vector<int64_t>> shapes;
    for (size_t i = 0; i < lq_session_output_count(session_.get()); ++i) {
      lq_shape shape;
      Call([&](lq_message* message) { return lq_workspace_output_shape(workspace, i, &shape, message); });
      shapes.emplace_back(shape.dims, shape.dims + shape.rank);
    }
    return shapes;
  }

  void Run(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs, lq_workspace* workspace) const {
    std::vector<lq_tensor> in, out;
    for (const Tensor& tensor : inputs) in.push_back(tensor.c());
    for (const Tensor& tensor : outputs) out.push_back(tensor.c());
    const lq_run run{sizeof(run), in.data(), in.size(), out.data(), out.size(), workspace, executor_};
    Call([&](lq_message* message) { return lq_session_run(session_.get(), &run, message); });
  }

 private:
  template <class F>
  lq_tensor_info Info(const F& query, size_t index, int64_t batch) const {
    lq_tensor_info info{};
    info.struct_size = sizeof(info);
    Call([&](lq_message* message) { return query(session_.get(), index, batch, &info, message); });
    return info;
  }

  template <class F>
  std::vector<NamedShape> Describe(const F& query, size_t count, int64_t batch) const {
    std::vector<NamedShape> infos;
    for (size_t i = 0; i < count; ++i) {
      const lq_tensor_info info = Info(query, i, batch);
      infos.emplace_back(info.name, std::vector<int64_t>(info.dims, info.dims + info.rank));
    }
    return infos;
  }

  lq_executor* executor_;
  std::unique_ptr<lq_session, Free> session_;
};

struct PyWorkspace {
  Workspace workspace;
};

}  // namespace

void BindModel(nb::module_& module) {
  nb::class_<PyWorkspace>(module, "Workspace");
  nb::class_<Session>(module, "Session")
      .def(
          "__init__",
          [](Session* self, const std::string& onnx, const std::string& encodings, nb::object max_isa, int32_t profile,
             int32_t bias, size_t threads) {
            const std::string isa = max_isa.is_none() ? "" : nb::cast<std::string>(max_isa);
            new (self) Session(onnx, encodings, max_isa.is_none() ? nullptr : &isa, profile, bias, threads);
          },
          nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg())
      .def("inputs", &Session::Inputs)
      .def("outputs", &Session::Outputs)
      .def("encodings", &Session::Encodings)
      .def("workspace", [](const Session& self, int64_t batch) { return PyWorkspace{self.NewWorkspace(batch)}; })
      .def("workspace_for",
           [](const Session& self, const std::vector<std::vector<int64_t>>& shapes) {
             return PyWorkspace{self.NewWorkspaceFor(shapes)};
           })
      .def("output_shapes", [](const Session& self,
                               const PyWorkspace& workspace) { return self.OutputShapes(workspace.workspace.get()); })
      .def("run", [](const Session& self, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                     PyWorkspace& workspace) { self.Run(inputs, outputs, workspace.workspace.get()); });
}

}  // namespace lq::python
