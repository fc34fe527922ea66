// What the histograms of ONNX Runtime and of Quark share: edges and counts, and how far they may grow.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_EDGE_HISTOGRAM_H_
#define LANEQUANT_RUNTIME_QUANTIZE_EDGE_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lanequant/status.h"

namespace lq {

struct EdgeHistogram {
  std::vector<float> edges;
  std::vector<uint64_t> counts;

  // Adds the counts of a histogram with the same bins. Error: others, for which `tool` has no rule.
  Status Add(const EdgeHistogram& other, const char* tool);
};

// Error: a batch makes the histogram grow beyond `max_bins`.
Status CheckBins(double bins, size_t max_bins);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_EDGE_HISTOGRAM_H_
