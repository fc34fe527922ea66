// lanequant run: a network on an input, on the kernels or on the exact simulator.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "runtime/cli/accuracy.h"
#include "runtime/cli/arrays.h"
#include "runtime/cli/command.h"
#include "runtime/cli/layer_dump.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/output_files.h"
#include "runtime/cli/runner.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  std::string input, output, layers, labels;
  bool reference = false, profile = false;
};

void Print(const RunOptions& options, const SessionOptions& session, const RunOutcome& outcome, size_t workers) {
  if (options.reference) {
    fmt::print("{} rows on the exact simulator, {}\n", outcome.rows, Describe(session));
  } else {
    fmt::print("{} rows on {}, {}, {}\n", outcome.rows, ChosenTarget(session.max_isa), Threads(workers),
               Describe(session));
  }
  // A dump costs more time than the kernels: it has no rate of interest.
  if (options.layers.empty()) {
    fmt::print("{:.3f} ms, {:.1f} rows per second\n", 1e3 * outcome.seconds,
               static_cast<double>(outcome.rows) / outcome.seconds);
  }
  if (!outcome.layer_times.empty()) fmt::print("\n{}\n", outcome.layer_times);
  for (const NamedArray& output : outcome.outputs) fmt::print("{} {}\n", output.name, output.shape.ToString());
}

Result<int> RunNetwork(const RunOptions& options) {
  LQ_ASSIGN_OR_RETURN(SessionOptions session, MakeSessionOptions(options.model, RoundingProfile::kAimetDiv));
  LQ_ASSIGN_OR_RETURN(const Model model, LoadModel(options.model));
  LQ_ASSIGN_OR_RETURN(const std::vector<NamedArray> inputs, ReadInputs(options.input, model.graph()));
  std::optional<NamedArray> labels;
  if (!options.labels.empty()) {
    LQ_ASSIGN_OR_RETURN(labels, ReadArray(options.labels));
  }
  const bool dumps = !options.layers.empty();
  if (dumps && std::filesystem::path(options.layers).lexically_normal() ==
                   std::filesystem::path(options.output).lexically_normal()) {
    return InvalidArgument(fmt::format("--output and --dump-layers are both '{}'", options.output));
  }
  session.keep_encoded_tensors = dumps;
  LayerDump dump(model.graph());
  Observer observer;
  if (dumps) observer = [&](ObservedTensor& tensor) { dump.Add(tensor); };
  const std::unique_ptr<Executor> executor = MakeExecutor(options.model.threads);
  const RunRequest request{model, session, inputs, *executor, observer, options.profile};
  LQ_ASSIGN_OR_RETURN(const RunOutcome outcome, options.reference ? RunOnSimulator(request) : RunOnKernels(request));
  Print(options, session, outcome, executor->workers());
  if (labels.has_value()) {
    LQ_ASSIGN_OR_RETURN(const Accuracy accuracy, CountRight(outcome.outputs, *labels));
    fmt::print("accuracy: {}\n", accuracy.ToString());
  }
  OutputFiles files;
  if (!options.output.empty()) LQ_RETURN_IF_ERROR(files.AddNpz(options.output, outcome.outputs));
  if (dumps) {
    const std::vector<NamedArray> layers = dump.TakeArrays();
    if (layers.empty()) {
      return InvalidArgument(
          fmt::format("{}: --dump-layers finds no activation with an encoding", options.model.model));
    }
    LQ_RETURN_IF_ERROR(files.AddNpz(options.layers, layers));
  }
  LQ_RETURN_IF_ERROR(files.Commit());
  return kSuccess;
}

}  // namespace

void AddRun(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& command = *app.add_subcommand("run", "Runs a network on an input");
  options->model.AddTo(command);
  command.add_option("--input", options->input, "FILE.npz[:key], one array per network input")->required();
  command.add_option("--output", options->output, "Where to write the network's outputs (.npz)");
  command.add_option("--dump-layers", options->layers,
                     "Where to write every encoded activation (.npz): codes:<name> and values:<name>");
  command.add_option("--labels", options->labels, "FILE.npz[:key], integers: prints the accuracy");
  command.add_flag("--reference", options->reference, "Runs the exact simulator instead of the kernels")
      ->excludes("--target");
  command
      .add_flag("--profile-layers", options->profile, "Prints the time of each layer, on up to 64 rows of the input")
      ->excludes("--reference");
  command.callback([options, &chosen] { chosen = [options] { return RunNetwork(*options); }; });
}

}  // namespace lq::cli
