// Runs a session and keeps the codes that it shows and the outputs that it gives.
#ifndef LANEQUANT_TESTS_SUPPORT_RUN_SESSION_H_
#define LANEQUANT_TESTS_SUPPORT_RUN_SESSION_H_

#include <map>
#include <span>
#include <vector>

#include "lanequant/model.h"
#include "runtime/observer.h"
#include "runtime/session_inspector.h"

namespace lq::testing {

struct SessionRun {
  Status status;
  std::map<ValueId, ObservedTensor> observed;
  std::vector<std::vector<float>> outputs;
};

// `inputs` are f32. Codes of each kept activation, in ONNX order.
inline SessionRun RunSession(const Session& session, std::span<const ConstTensorView> inputs, Executor& executor) {
  SessionRun run;
  std::vector<Shape> shapes;
  for (const ConstTensorView& input : inputs) shapes.push_back(input.shape);
  Result<Workspace> workspace = session.NewWorkspace(shapes, executor.workers());
  if (!workspace.ok()) return {workspace.status(), {}, {}};
  std::vector<TensorView> views;
  for (const Shape& shape : workspace->output_shapes()) {
    run.outputs.emplace_back(static_cast<size_t>(shape.NumElements()));
    views.push_back({DType::kF32, shape, {}});
  }
  for (size_t i = 0; i < views.size(); ++i) views[i].bytes = std::as_writable_bytes(std::span<float>(run.outputs[i]));
  run.status = SessionInspector::Run(session, inputs, views, *workspace, executor,
                                     [&](ObservedTensor& tensor) { run.observed.emplace(tensor.id, tensor); });
  return run;
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_RUN_SESSION_H_
