// lanequant demo: what the library does, in a minute, on data that comes with it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "runtime/cli/accuracy.h"
#include "runtime/cli/arrays.h"
#include "runtime/cli/command.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/runner.h"
#include "runtime/cli/validation_report.h"
#include "runtime/compare/reference_layers.h"
#include "runtime/compare/validation.h"
#include "runtime/measure/linear_timing.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr double kSpeedSeconds = 0.5;
constexpr size_t kFeatures = 4096;

struct DemoOptions {
  std::string data = LQ_DEMO_DATA;
  std::string target;
  size_t threads = 0;
};

struct Network {
  std::string folder;
  Model model;
  SessionOptions options;
  std::vector<NamedArray> inputs;
  std::unique_ptr<Executor> executor;
};

Result<Network> LoadNetwork(const DemoOptions& options) {
  const std::string folder = options.data + "/digits_cnn/w4a8_lpbq";
  ModelOptions model_options{
      folder + "/model.onnx", folder + "/model.encodings", options.target, options.threads, "file", ""};
  LQ_ASSIGN_OR_RETURN(const SessionOptions session, MakeSessionOptions(model_options, RoundingProfile::kAimetDiv));
  LQ_ASSIGN_OR_RETURN(Model model, LoadModel(model_options));
  LQ_ASSIGN_OR_RETURN(std::vector<NamedArray> inputs, ReadInputs(folder + "/data.npz", model.graph()));
  return Network{folder, model, session, std::move(inputs), MakeExecutor(options.threads)};
}

Result<bool> ShowValidation(const Network& network) {
  fmt::print(
      "1. The same codes as AIMET\n\n"
      "A small network that reads handwritten digits, quantized by Qualcomm AIMET to 4-bit weights (LPBQ: blocks that\n"
      "share a 4-bit integer scale) and 8-bit activations. AIMET stored what its simulation computes in each layer.\n"
      "'kernel' compares our CPU kernels with our exact simulator: every code must be equal. 'AIMET' compares the "
      "exact\n"
      "simulator with AIMET, which sums in float32: now and then a value that lies on a tie is rounded the other way,\n"
      "and in the cumulative columns that spreads to the layers behind it.\n\n");
  LQ_ASSIGN_OR_RETURN(const std::vector<NamedArray> layers, ReadNpz(network.folder + "/layers.npz"));
  LQ_ASSIGN_OR_RETURN(const ReferenceLayers reference, ReferenceLayers::Make(network.model.graph(), layers));
  const std::vector<ConstTensorView> inputs = ViewsOf(network.inputs);
  LQ_ASSIGN_OR_RETURN(const Validation validation,
                      Validate({network.model, network.options, inputs, reference, *network.executor, nullptr}));
  fmt::print("{}\n", ValidationTable(validation, network.options));
  return validation.Passed();
}

Status ShowSpeed(const Network& network) {
  LQ_ASSIGN_OR_RETURN(const NamedArray labels, ReadArray(network.folder + "/data.npz:label"));
  const RunRequest request{network.model, network.options, network.inputs, *network.executor, nullptr};
  LQ_ASSIGN_OR_RETURN(RunOutcome outcome, RunOnKernels(request));
  LQ_ASSIGN_OR_RETURN(const Accuracy accuracy, CountRight(outcome.outputs, labels));
  double best = outcome.seconds;
  for (double total = best; total < kSpeedSeconds; total += outcome.seconds) {
    LQ_ASSIGN_OR_RETURN(outcome, RunOnKernels(request));
    best = std::min(best, outcome.seconds);
  }
  const size_t workers = network.executor->workers();
  fmt::print("2. The whole network\n\n{} test images: {}; {:.0f} images per second on {}, {}\n\n", outcome.rows,
             accuracy.ToString(), static_cast<double>(outcome.rows) / best, ChosenTarget(network.options.max_isa),
             Threads(workers));
  return OkStatus();
}

Result<measure::LinearTiming> ShowTiming(const char* name, measure::Precision precision, const std::string& max_isa) {
  PrepareOptions prepare;
  prepare.max_isa = max_isa;
  // One thread: how many cores share the memory does not matter then.
  LQ_ASSIGN_OR_RETURN(const measure::LinearTiming timing,
                      measure::TimeLinear({1, kFeatures, kFeatures, precision}, {SerialExecutor(), prepare}));
  fmt::print(
      "{}: {:.3f} ms, {:.1f} MB of weights, {:.1f} GB/s = {:.0f} % of the {:.1f} GB/s that a plain read of as many "
      "bytes reaches ({})\n",
      name, 1e3 * timing.best, 1e-6 * static_cast<double>(timing.layer.packed_bytes), 1e-9 * timing.bytes / timing.best,
      100 * timing.ShareOfRead(), 1e-9 * timing.limits.read, timing.layer.variant);
  return timing;
}

Status ShowLayer(const std::string& max_isa) {
  fmt::print(
      "3. One large layer\n\n"
      "{0} x {0} random weights, one row, one thread: as in a language model that writes one word at a time, the time "
      "is\n"
      "that of reading the weights. 4-bit LPBQ weights stay 4 bits in memory.\n\n",
      kFeatures);
  LQ_ASSIGN_OR_RETURN(const measure::LinearTiming lpbq, ShowTiming("LPBQ, block 64", {8, 64}, max_isa));
  LQ_ASSIGN_OR_RETURN(const measure::LinearTiming int8, ShowTiming("int8 weights  ", {8, 0}, max_isa));
  fmt::print("LPBQ takes {:.2f} of the time of int8\n", lpbq.best / int8.best);
  return OkStatus();
}

Result<int> Demo(const DemoOptions& options) {
  LQ_ASSIGN_OR_RETURN(const Network network, LoadNetwork(options));
  LQ_ASSIGN_OR_RETURN(const bool passed, ShowValidation(network));
  LQ_RETURN_IF_ERROR(ShowSpeed(network));
  LQ_RETURN_IF_ERROR(ShowLayer(network.options.max_isa));
  return passed ? kSuccess : kDifferences;
}

}  // namespace

void AddDemo(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App& command = *app.add_subcommand("demo", "Shows the library on a network that comes with it");
  command.add_option("--data", options->data, "Folder that holds digits_cnn/w4a8_lpbq");
  AddTarget(command, options->target);
  AddThreads(command, options->threads);
  command.callback([options, &chosen] { chosen = [options] { return Demo(*options); }; });
}

}  // namespace lq::cli
