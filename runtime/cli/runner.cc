#include "runtime/cli/runner.h"

#include <optional>
#include <span>
#include <utility>

#include "runtime/cli/arrays.h"
#include "runtime/cli/layer_times.h"
#include "runtime/cli/progress.h"
#include "runtime/compare/rows.h"
#include "runtime/compare/session_rows.h"
#include "runtime/compare/share_graph.h"
#include "runtime/measure/clock.h"
#include "runtime/session_inspector.h"
#include "runtime/simulator/simulator.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr int64_t kRows = 64;  // enough rows for kernels to reach their peak; more only costs memory

struct Prepared {
  std::vector<Rows> slices;
  RunOutcome outcome;
};

Result<Prepared> Prepare(const RunRequest& request) {
  Prepared prepared;
  LQ_ASSIGN_OR_RETURN(prepared.outcome.rows, CountRows(request.inputs));
  LQ_ASSIGN_OR_RETURN(prepared.slices, SliceRows(request.model.graph(), prepared.outcome.rows, kRows));
  for (ValueId id : request.model.graph().outputs) {
    prepared.outcome.outputs.push_back({request.model.graph().value(id).name, DType::kF32, {}, {}});
  }
  return prepared;
}

}  // namespace

Result<RunOutcome> RunOnKernels(const RunRequest& request) {
  LQ_ASSIGN_OR_RETURN(Prepared prepared, Prepare(request));
  SessionOptions options = request.options;
  options.executor = &request.executor;
  LQ_ASSIGN_OR_RETURN(const Session session, Session::Prepare(request.model, options));
  const std::vector<ConstTensorView> inputs = ViewsOf(request.inputs);
  std::optional<Workspace> workspace;
  int64_t workspace_rows = 0;  // all slices but the last have the same
  Progress progress("run");
  for (size_t i = 0; i < prepared.slices.size(); ++i) {
    const Rows rows = prepared.slices[i];
    if (rows.count != workspace_rows) {
      LQ_ASSIGN_OR_RETURN(workspace, WorkspaceFor({session, inputs, rows, request.executor}));
      workspace_rows = rows.count;
    }
    const double start = measure::Now();
    LQ_ASSIGN_OR_RETURN(const RowOutputs outputs,
                        RunRows({session, inputs, rows, request.executor}, *workspace, request.observer));
    prepared.outcome.seconds += measure::Now() - start;
    for (size_t o = 0; o < outputs.size(); ++o) {
      AppendRows(outputs[o], workspace->output_shapes()[o], prepared.outcome.outputs[o]);
    }
    if (request.profile && i == 0) {
      LQ_ASSIGN_OR_RETURN(const std::vector<double> times,
                          TimeLayers({session, inputs, rows, request.executor}, *workspace));
      prepared.outcome.layer_times = LayerTimesTable(session.steps(), SessionInspector::Lanes(*workspace), times);
    }
    progress.Update(static_cast<double>(i + 1) / static_cast<double>(prepared.slices.size()));
  }
  return std::move(prepared.outcome);
}

Result<RunOutcome> RunOnSimulator(const RunRequest& request) {
  LQ_ASSIGN_OR_RETURN(Prepared prepared, Prepare(request));
  LQ_ASSIGN_OR_RETURN(
      const Simulator simulator,
      Simulator::Prepare(ShareGraph(request.model), {request.options.profile, request.options.bias, false}));
  Progress progress("simulate");
  for (size_t i = 0; i < prepared.slices.size(); ++i) {
    std::vector<ConstTensorView> inputs;
    for (const NamedArray& input : request.inputs) inputs.push_back(RowsOf(input.view(), prepared.slices[i]));
    const double start = measure::Now();
    LQ_ASSIGN_OR_RETURN(const std::vector<Simulator::Output> outputs, simulator.Run(inputs, request.observer));
    prepared.outcome.seconds += measure::Now() - start;
    for (size_t o = 0; o < outputs.size(); ++o) {
      AppendRows(outputs[o].values, outputs[o].shape, prepared.outcome.outputs[o]);
    }
    progress.Update(static_cast<double>(i + 1) / static_cast<double>(prepared.slices.size()));
  }
  return std::move(prepared.outcome);
}

}  // namespace lq::cli
