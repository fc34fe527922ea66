// SessionInspector: runs a session step by step and shows every encoded activation that its plan keeps (all of them
// with SessionOptions::keep_encoded_tensors), or how long each step takes. For validation, dumps, profiles.
#ifndef LANEQUANT_RUNTIME_SESSION_INSPECTOR_H_
#define LANEQUANT_RUNTIME_SESSION_INSPECTOR_H_

#include <map>
#include <span>
#include <string>
#include <vector>

#include "lanequant/executor.h"
#include "lanequant/model.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/observer.h"

namespace lq {

class SessionInspector {
 public:
  // As Session::Run; `observer` sees each encoded activation in ONNX order and may replace its codes before the next
  // step.
  static Status Run(const Session& session, std::span<const ConstTensorView> inputs,
                    std::span<const TensorView> outputs, Workspace& workspace, Executor& executor,
                    const Observer& observer);
  // As Session::Run, but one step after the other; `seconds`, one for each of session.steps(), gets the time of each;
  // of steps that run in turns the sum of all turns on one worker, divided by the number of workers.
  static Status Time(const Session& session, std::span<const ConstTensorView> inputs,
                     std::span<const TensorView> outputs, Workspace& workspace, Executor& executor,
                     std::span<double> seconds);
  // For each step "fork.lane", numbers from 1: in Session::Run the lanes of a fork run at the same time, each on one
  // worker. "1/turns" for a step of turns (runtime/plan/turns.h), "" for a step by itself, on all workers.
  static std::vector<std::string> Lanes(const Workspace& workspace);
  // How far the tensors behind layers that sum floats may be off: LayerInfo::float_error of the layers since the last
  // encoded tensor, added up, for encoded tensors and for graph outputs. No entry: not at all.
  static std::map<ValueId, double> FloatErrors(const Session& session);

 private:
  // Gives what lies in turns memory for all images.
  static Status HoldWhole(Workspace& workspace);
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_SESSION_INSPECTOR_H_
