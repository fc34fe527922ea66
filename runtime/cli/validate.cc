// lanequant validate: kernels against the exact simulator, and both against AIMET's activations.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/cli/arrays.h"
#include "runtime/cli/command.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/output_files.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/validation_report.h"
#include "runtime/compare/reference_layers.h"
#include "runtime/compare/validation.h"
#include "runtime/graph.h"
#include "runtime/io/layer_outputs.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr size_t kMaxNotes = 8;  // more would push the table off the screen

struct ValidateOptions {
  ModelOptions model;
  std::string input, layers, json;
};

struct Data {
  std::vector<NamedArray> inputs, layers;
  std::vector<std::string> notes;
};

bool IsFolder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

// Layers from an .npz or from a folder of AIMET's LayerOutputUtil, which has inputs of its own.
Result<Data> ReadData(const ValidateOptions& options, const Graph& graph) {
  Data data;
  if (IsFolder(options.layers)) {
    LQ_ASSIGN_OR_RETURN(LayerOutputs folder, ReadLayerOutputs(options.layers, graph));
    data.layers = std::move(folder.outputs);
    for (const std::string& name : folder.unmatched) {
      data.notes.push_back(fmt::format("'{}.raw' is not compared: the name of no tensor, or of several", name));
    }
    if (options.input.empty()) {
      LQ_ASSIGN_OR_RETURN(data.inputs, ArrangeInputs(options.layers, std::move(folder.inputs), graph));
    }
  } else {
    LQ_ASSIGN_OR_RETURN(data.layers, ReadNpz(options.layers));
  }
  if (!options.input.empty()) {
    LQ_ASSIGN_OR_RETURN(data.inputs, ReadInputs(options.input, graph));
  }
  if (!data.inputs.empty()) return data;
  return InvalidArgument(fmt::format("{}: --input is needed, since this is no folder with inputs", options.layers));
}

void PrintNotes(const std::vector<std::string>& notes) {
  for (size_t i = 0; i < notes.size() && i < kMaxNotes; ++i) fmt::print("note: {}\n", notes[i]);
  if (notes.size() > kMaxNotes) fmt::print("note: and {} more\n", notes.size() - kMaxNotes);
}

// A file of version 2.x has biases that the simulation has not: of what they move, no note would say why.
void NoteBiasCodes(const Graph& graph, const SessionOptions& session, std::vector<std::string>& notes) {
  const auto biases = std::count_if(graph.values.begin(), graph.values.end(), [](const Value& value) {
    return value.constant.has_value() && value.constant->dtype == DType::kF64;
  });
  if (biases == 0 || session.bias == BiasMode::kInt32) return;
  notes.push_back(
      fmt::format("{} biases have int32 codes in the file; AIMET simulates float ones, which encodings of "
                  "version 1.0.0 leave as they are",
                  biases));
}

Result<int> RunValidate(const ValidateOptions& options) {
  LQ_ASSIGN_OR_RETURN(const Model model, LoadModel(options.model));
  const Graph& graph = model.graph();
  const bool onnx = graph.encodings_producer == "aimet-onnx";
  LQ_ASSIGN_OR_RETURN(
      const SessionOptions session,
      MakeSessionOptions(options.model, onnx ? RoundingProfile::kAimetOnnx : RoundingProfile::kAimetDiv));
  LQ_ASSIGN_OR_RETURN(Data data, ReadData(options, graph));
  LQ_ASSIGN_OR_RETURN(const ReferenceLayers reference, ReferenceLayers::Make(graph, data.layers));
  const std::unique_ptr<Executor> executor = MakeExecutor(options.model.threads);
  const std::vector<ConstTensorView> inputs = ViewsOf(data.inputs);
  Result<Validation> validation = [&] {
    Progress progress("validate");
    return Validate({model, session, inputs, reference, *executor, [&](double share) { progress.Update(share); }});
  }();
  if (!validation.ok()) return validation.status();
  fmt::print("{}, {} rows, {} of {} layers in {}\n", Describe(session), validation->rows, reference.size(),
             validation->layers.size(), options.layers);
  if (validation->rows_left > 0) {
    data.notes.insert(data.notes.begin(),
                      fmt::format("{} of the {} rows of the layers are left: they fill no batch of the network",
                                  validation->rows_left, reference.rows()));
  }
  data.notes.insert(data.notes.begin(), graph.notes.begin(), graph.notes.end());
  NoteBiasCodes(graph, session, data.notes);
  data.notes.insert(data.notes.end(), reference.notes().begin(), reference.notes().end());
  PrintNotes(data.notes);
  fmt::print("{}", ValidationTable(*validation, session));
  OutputFiles files;
  if (!options.json.empty()) LQ_RETURN_IF_ERROR(files.AddText(options.json, ValidationJson(*validation, session)));
  LQ_RETURN_IF_ERROR(files.Commit());
  return validation->Passed() ? kSuccess : kDifferences;
}

}  // namespace

void AddValidate(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App& command = *app.add_subcommand("validate", "Compares every layer with AIMET's simulation of the network");
  options->model.AddTo(command);
  command.add_option("--input", options->input, "FILE.npz[:key]; may be left out where --layers is a folder");
  command
      .add_option("--layers", options->layers,
                  "AIMET's activations: .npz by tensor name, or a folder of LayerOutputUtil")
      ->required();
  command.add_option("--json", options->json, "Where to write the comparison as JSON");
  command.callback([options, &chosen] { chosen = [options] { return RunValidate(*options); }; });
}

}  // namespace lq::cli
