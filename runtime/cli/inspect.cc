// lanequant inspect: what a session makes of a network, step by step.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "runtime/cli/command.h"
#include "runtime/cli/inspect_quark.h"
#include "runtime/cli/json.h"
#include "runtime/cli/layer_times.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/table.h"
#include "runtime/compare/rows.h"
#include "runtime/graph.h"
#include "runtime/session_inspector.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr size_t kNameWidth = 40;

struct InspectOptions {
  ModelOptions model;
  bool json = false;
};

struct Inspection {
  const Graph& graph;
  const Session& session;
  SessionOptions options;
  int64_t batch;  // that workspace_bytes is for
  size_t workers, packed_bytes, workspace_bytes;
  std::vector<std::string> lanes;
};

void PrintTensors(const char* title, const std::vector<TensorInfo>& tensors) {
  for (const TensorInfo& tensor : tensors) fmt::print("{} {} {}\n", title, tensor.name, tensor.shape.ToString());
}

void PrintText(const Inspection& inspection) {
  PrintTensors("input", inspection.session.inputs());
  PrintTensors("output", inspection.session.outputs());
  Table steps({{"step", Align::kLeft, ""},
               {"tensor", Align::kLeft, ""},
               {"shape", Align::kLeft, ""},
               {"encoding", Align::kLeft, ""},
               {"fork", Align::kLeft, ""}});
  Table layers({{"tensor", Align::kLeft, ""},
                {"variant", Align::kLeft, ""},
                {"weights, or why not on codes", Align::kLeft, ""},
                {"bytes", Align::kRight, ""}});
  const std::vector<StepInfo>& infos = inspection.session.steps();
  for (size_t i = 0; i < infos.size(); ++i) {
    const StepInfo& step = infos[i];
    const std::string name = ShortenLeft(step.output.empty() ? step.name : step.output, kNameWidth);
    steps.AddRow({step.op, name, step.shape.ToString(), step.encoding, inspection.lanes[i]});
    if (!step.layer.variant.empty())
      layers.AddRow({name, step.layer.variant, step.layer.weights, std::to_string(step.layer.packed_bytes)});
  }
  fmt::print("\n{}{}\n{}\n", steps.ToString(), ExplainLanes(inspection.lanes), layers.ToString());
  std::string last;
  for (const StepInfo& step : infos) {
    if (step.layer.why_not_better.empty() || step.layer.why_not_better == last) continue;
    last = step.layer.why_not_better;
    fmt::print("{}: better targets: {}\n", step.layer.variant, last);
  }
  fmt::print("{}\n", Describe(inspection.options));
  fmt::print("packed weights: {} bytes; workspace: {} bytes for a batch of {} on {}\n", inspection.packed_bytes,
             inspection.workspace_bytes, inspection.batch, Threads(inspection.workers));
  for (const std::string& note : inspection.graph.notes) fmt::print("note: {}\n", note);
}

void WriteShape(const char* key, const Shape& shape, JsonWriter& json) {
  json.BeginArray(key);
  for (int64_t dim : shape.dims()) json.Number({}, dim);
  json.End();
}

void WriteTensors(const char* key, const std::vector<TensorInfo>& tensors, JsonWriter& json) {
  json.BeginArray(key);
  for (const TensorInfo& tensor : tensors) {
    json.BeginObject().String("name", tensor.name);
    WriteShape("shape", tensor.shape, json);
    json.End();
  }
  json.End();
}

void PrintJson(const Inspection& inspection) {
  JsonWriter json;
  json.BeginObject();
  WriteTensors("inputs", inspection.session.inputs(), json);
  WriteTensors("outputs", inspection.session.outputs(), json);
  json.BeginArray("steps");
  const std::vector<StepInfo>& infos = inspection.session.steps();
  for (size_t i = 0; i < infos.size(); ++i) {
    const StepInfo& step = infos[i];
    json.BeginObject().String("op", step.op).String("node", step.name).String("tensor", step.output);
    WriteShape("shape", step.shape, json);
    json.String("encoding", step.encoding).String("fork", inspection.lanes[i]).String("variant", step.layer.variant);
    json.String("why_not_better", step.layer.why_not_better).String("weights", step.layer.weights);
    json.Number("packed_bytes", step.layer.packed_bytes).End();
  }
  json.End();
  json.String("bias", NameOf(inspection.options.bias)).String("profile", NameOf(inspection.options.profile));
  json.Number("packed_bytes", inspection.packed_bytes).Number("workspace_bytes", inspection.workspace_bytes);
  json.Number("batch", inspection.batch).Number("threads", inspection.workers);
  json.BeginArray("notes");
  for (const std::string& note : inspection.graph.notes) json.String({}, note);
  fmt::print("{}", json.End().End().text());
}

Result<int> Inspect(const InspectOptions& options) {
  std::error_code error;
  if (std::filesystem::is_directory(options.model.model, error)) {
    return InspectQuark(options.model.model, options.json);
  }
  LQ_ASSIGN_OR_RETURN(const SessionOptions session_options,
                      MakeSessionOptions(options.model, RoundingProfile::kAimetDiv));
  LQ_ASSIGN_OR_RETURN(const Model model, LoadModel(options.model));
  LQ_ASSIGN_OR_RETURN(const Session session, Session::Prepare(model, session_options));
  LQ_ASSIGN_OR_RETURN(const int64_t declared, BatchOf(model.graph()));
  const size_t workers = options.model.threads > 0 ? options.model.threads : DefaultThreads();
  Inspection inspection{model.graph(), session, session_options, std::max<int64_t>(declared, 1), workers, 0, 0, {}};
  std::vector<Shape> shapes;
  for (const TensorInfo& input : session.inputs()) {
    Shape& shape = shapes.emplace_back(input.shape);
    for (size_t d = 0; d < shape.rank(); ++d) shape[d] = std::max<int64_t>(shape[d], 1);
  }
  LQ_ASSIGN_OR_RETURN(const Workspace workspace, session.NewWorkspace(shapes, workers));
  inspection.workspace_bytes = workspace.bytes();
  inspection.lanes = SessionInspector::Lanes(workspace);
  for (const StepInfo& step : session.steps()) inspection.packed_bytes += step.layer.packed_bytes;
  options.json ? PrintJson(inspection) : PrintText(inspection);
  return kSuccess;
}

}  // namespace

void AddInspect(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App& command = *app.add_subcommand(
      "inspect",
      "Shows a network's layers, encodings, memory and kernels; or the Linear layers of a folder exported by Quark");
  options->model.AddTo(command);
  command.add_flag("--json", options->json, "As JSON");
  command.callback([options, &chosen] { chosen = [options] { return Inspect(*options); }; });
}

}  // namespace lq::cli
