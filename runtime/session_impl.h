// What Session and Workspace hold, and the run loop that Session and SessionInspector share.
#ifndef LANEQUANT_RUNTIME_SESSION_IMPL_H_
#define LANEQUANT_RUNTIME_SESSION_IMPL_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lanequant/model.h"
#include "runtime/aligned_buffer.h"
#include "runtime/plan/planner.h"
#include "runtime/plan/schedule.h"
#include "runtime/shared_lengths.h"

namespace lq {

struct Workspace::Impl {
  uint64_t session = 0;  // the id of the session that it belongs to
  size_t workers = 1;
  AlignedBuffer memory;
  // Of the plan; graph inputs and outputs without memory, with their ONNX shapes; what lies in turns without memory.
  std::vector<TensorView> tensors;
  std::vector<size_t> turn_places;  // of PlanTurns
  AlignedBuffer whole;              // those tensors, where an inspector has asked for them
  std::span<std::byte> scratch;
  std::vector<Stage> stages;
  std::vector<Status> lanes;  // how the lanes of a fork, or the workers' turns, ended
  std::vector<Shape> input_shapes, output_shapes;
};

struct Session::Impl {
  uint64_t id = 0;  // no other session of this process has it: addresses are used again
  Plan plan;
  std::vector<TensorInfo> inputs, outputs;
  std::vector<SharedLength> shared_lengths;  // of the inputs
  std::vector<StepInfo> steps;

  // The inputs' shapes for a batch.
  Result<std::vector<Shape>> InputShapes(int64_t batch) const;
  // Shapes of all tensors for these shapes of the inputs.
  Result<std::vector<Shape>> ShapesFor(std::span<const Shape> input_shapes) const;
  Status CheckRun(std::span<const ConstTensorView> in, std::span<const TensorView> out,
                  const Workspace::Impl& workspace, const Executor& executor) const;
  // What a run works on; checked.
  struct Arrays {
    std::span<const ConstTensorView> in;
    std::span<const TensorView> out;
    Workspace::Impl& workspace;
  };
  // One step by itself, on all workers.
  Status RunStep(size_t index, const Arrays& arrays, Executor& executor) const {
    return RunStep(index, arrays, arrays.workspace.scratch, executor);
  }
  Status RunStage(const Stage& stage, const Arrays& arrays, Executor& executor) const;
  // Images [begin, end) of turns; memory: turns.bytes of its worker.
  struct Turn {
    const Turns& turns;
    size_t begin, end;
    std::span<std::byte> memory;
  };
  Status RunInTurn(size_t index, const Turn& turn, const Arrays& arrays) const;

 private:
  ConstTensorView Input(size_t tensor, const Arrays& arrays) const;
  TensorView Output(size_t tensor, const Arrays& arrays) const;
  Status RunTurns(const Turns& turns, const Arrays& arrays, Executor& executor) const;
  Status RunStep(size_t index, const Arrays& arrays, std::span<std::byte> scratch, Executor& executor) const;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_SESSION_IMPL_H_
