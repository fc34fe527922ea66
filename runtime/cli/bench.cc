// lanequant bench: times layers, quantizers or a network beside the limits of this machine.
#include "runtime/cli/bench.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "lanequant/target.h"
#include "runtime/cli/command.h"
#include "runtime/cli/model_options.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

Result<int> Bench(const BenchOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(MaxIsa(options.target)));
  const std::unique_ptr<Executor> executor = MakeExecutor(options.threads);
  if (options.what == "linear") {
    LQ_RETURN_IF_ERROR(BenchLinear(options, *executor));
  } else if (options.what == "quantize") {
    LQ_RETURN_IF_ERROR(BenchQuantize(options, *executor));
  } else {
    LQ_RETURN_IF_ERROR(BenchModel(options, *executor));
  }
  return kSuccess;
}

}  // namespace

void AddBench(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App& command =
      *app.add_subcommand("bench", "Times layers, quantizers or a network beside this machine's limits");
  command.add_option("what", options->what, "linear, quantize, or a network: MODEL.onnx");
  command.add_option("--shapes", options->shapes, "linear: output x input features, NxK,...")->delimiter(',');
  command.add_option("--rows", options->rows, "linear: rows of activations, M,...")
      ->delimiter(',')
      ->check(CLI::Range(1, 16777216));
  command
      .add_option("--precision", options->precisions,
                  "linear: activation and weight bits: a8w8, a16w8, a8w4-lpbqB, a16w4-lpbqB with a block size B,...")
      ->delimiter(',');
  command.add_flag("--cold", options->cold, "linear: weights from memory instead of the caches");
  command.add_option("--encodings", options->encodings, "network: its encodings");
  command.add_option("--batch", options->batch, "network: rows of an input whose batch is dynamic")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--input-shapes", options->input_shapes,
                  "network: the shapes of its inputs, 1x512x2048,...: lengths of sequences that are dynamic")
      ->delimiter(',');
  command.add_flag("--codes", options->codes,
                   "network: inputs and outputs that have encodings cross as codes, as a cache of keys and values may");
  AddTarget(command, options->target);
  AddThreads(command, options->threads);
  command.add_flag("--json", options->json, "As JSON");
  command.callback([options, &chosen] { chosen = [options] { return Bench(*options); }; });
}

}  // namespace lq::cli
