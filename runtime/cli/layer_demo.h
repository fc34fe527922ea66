// The layer of the demo: 4096 x 4096 random weights at one row, where reading the weights is all the work.
#ifndef LANEQUANT_RUNTIME_CLI_LAYER_DEMO_H_
#define LANEQUANT_RUNTIME_CLI_LAYER_DEMO_H_

#include <cstddef>
#include <string>

#include "lanequant/status.h"

namespace lq::cli {

constexpr size_t kDemoFeatures = 4096;
constexpr int64_t kDemoBlock = 64;

struct LayerTiming {
  std::string variant;
  size_t packed_bytes = 0;
  double seconds = 0;         // of one run, the fastest
  double read_bandwidth = 0;  // bytes per second, probed over as many bytes before and after the runs

  double Bandwidth() const { return static_cast<double>(packed_bytes) / seconds; }
};

enum class DemoWeights { kLpbq, kInt8 };

// On one thread, as the probe: how many cores share the memory does not matter then.
Result<LayerTiming> TimeLayer(DemoWeights weights, const std::string& max_isa);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_LAYER_DEMO_H_
