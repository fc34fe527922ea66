#include "runtime/compare/session_rows.h"

#include <bit>
#include <cstddef>
#include <utility>

#include "runtime/session_inspector.h"
#include "runtime/status_macros.h"

namespace lq {

Shape OutputShapeFor(const Session& session, size_t index, int64_t batch) {
  // A plan ends with one step for each output. Its shape is for a batch of 1 where that is dynamic.
  const size_t first = session.steps().size() - session.outputs().size();
  Shape shape = session.steps()[first + index].shape;
  const bool dynamic = !session.inputs().empty() && session.inputs()[0].shape[0] < 0;
  if (dynamic && shape.rank() > 0) shape[0] *= batch;
  return shape;
}

Result<Workspace> WorkspaceFor(const SessionRows& run) {
  std::vector<Shape> shapes;
  for (const ConstTensorView& input : run.inputs) shapes.push_back(RowsOf(input, run.rows).shape);
  return run.session.NewWorkspace(shapes, run.executor.workers());
}

Result<RowOutputs> RunRows(const SessionRows& run, Workspace& workspace, const Observer& observer) {
  std::vector<ConstTensorView> inputs;
  for (const ConstTensorView& input : run.inputs) inputs.push_back(RowsOf(input, run.rows));
  RowOutputs outputs;
  std::vector<TensorView> views;
  for (const Shape& shape : workspace.output_shapes()) {
    outputs.emplace_back(static_cast<size_t>(shape.NumElements()));
    views.push_back({DType::kF32, shape, std::as_writable_bytes(std::span(outputs.back()))});
  }
  if (observer) {
    LQ_RETURN_IF_ERROR(SessionInspector::Run(run.session, inputs, views, workspace, run.executor, observer));
  } else {
    LQ_RETURN_IF_ERROR(run.session.Run(inputs, views, workspace, run.executor));
  }
  return outputs;
}

uint64_t DifferentBits(std::span<const float> a, std::span<const float> b) {
  uint64_t different = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i])) ++different;
  }
  return different;
}

}  // namespace lq
