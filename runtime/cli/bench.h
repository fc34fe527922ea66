// lanequant bench: what it can be asked for.
#ifndef LANEQUANT_RUNTIME_CLI_BENCH_H_
#define LANEQUANT_RUNTIME_CLI_BENCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lanequant/executor.h"
#include "lanequant/status.h"

namespace lq::cli {

struct BenchOptions {
  std::string what = "linear";  // linear, quantize, or the path of a network
  std::vector<std::string> shapes = {"4096x4096"}, precisions = {"a8w8", "a8w4-lpbq64"};
  std::vector<size_t> rows = {1, 16, 64, 512};
  bool cold = false;
  std::string encodings;                  // of a network
  int64_t batch = 1;                      // of a network whose batch is dynamic
  std::vector<std::string> input_shapes;  // of a network, for all its inputs; replaces the batch
  bool codes = false;                     // cross into and out of a network where there are encodings
  std::string target;
  size_t threads = 1;
  bool json = false;
};

// Each prints a table, or JSON.
Status BenchLinear(const BenchOptions& options, Executor& executor);
Status BenchQuantize(const BenchOptions& options, Executor& executor);
Status BenchModel(const BenchOptions& options, Executor& executor);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_BENCH_H_
