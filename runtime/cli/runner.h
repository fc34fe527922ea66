// Runs all rows of an input, slice by slice, on the kernels or on the exact simulator.
#ifndef LANEQUANT_RUNTIME_CLI_RUNNER_H_
#define LANEQUANT_RUNTIME_CLI_RUNNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "lanequant/executor.h"
#include "lanequant/model.h"
#include "lanequant/status.h"
#include "runtime/io/npz.h"
#include "runtime/observer.h"

namespace lq::cli {

struct RunRequest {
  const Model& model;
  SessionOptions options;
  const std::vector<NamedArray>& inputs;  // of ReadInputs
  Executor& executor;
  Observer observer;  // may be empty; sees each slice's activations
  bool profile = false;
};

struct RunOutcome {
  std::vector<NamedArray> outputs;  // f32, all rows
  int64_t rows = 0;
  double seconds = 0;       // in the kernels alone: no reading, no preparation
  std::string layer_times;  // with RunRequest::profile: a table for the first slice
};

Result<RunOutcome> RunOnKernels(const RunRequest& request);
Result<RunOutcome> RunOnSimulator(const RunRequest& request);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_RUNNER_H_
