#include "runtime/quantize/edge_histogram.h"

#include <fmt/format.h>

namespace lq {

Status EdgeHistogram::Add(const EdgeHistogram& other, const char* tool) {
  if (other.edges != edges || other.counts.size() != counts.size()) {
    return Unsupported(
        fmt::format("{} has no rule for adding a histogram of {} bins to one of {} others; feed one analyzer", tool,
                    other.counts.size(), counts.size()));
  }
  for (size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  return OkStatus();
}

Status CheckBins(double bins, size_t max_bins) {
  if (bins <= static_cast<double>(max_bins)) return OkStatus();
  return InvalidArgument(fmt::format(
      "batch: its values need {:.0f} bins as wide as the first batch's; at most {} are kept", bins, max_bins));
}

}  // namespace lq
