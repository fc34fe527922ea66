// The histogram of aimet_onnx's percentile and TF-enhanced analyzers.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_DENSITY_HISTOGRAM_H_
#define LANEQUANT_RUNTIME_QUANTIZE_DENSITY_HISTOGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/quantize/ranges.h"

namespace lq {

// 1536 bins over three times the first batch's range: bin i begins at (i + first) * width. Values beyond them are
// dropped. Batches count alike, whatever their sizes: `density` adds up their shares.
//
// AIMET's edges are float32 and so are these. Of 70 recorded calibrations some differ by a unit in the last place of an
// edge: no data pin the edges to the last bit.
struct DensityHistogram {
  static constexpr size_t kBins = 1536, kBinsOfFirstRange = 512;
  using Counts = std::array<uint64_t, kBins>;

  // For a first batch of this range.
  static DensityHistogram Make(FloatRange range);

  float Edge(size_t i) const { return (static_cast<float>(i) + first) * width; }
  // Whether such a batch has bins at all: its range neither overflows nor underflows.
  bool usable() const;
  bool HasBinsOf(const DensityHistogram& other) const { return width == other.width && first == other.first; }

  void CountInto(std::span<const float> values, Counts& counts) const;
  // A batch, of which each value counts `share`.
  void Add(const Counts& counts, double share);
  void Merge(const DensityHistogram& other);

  float width = 0, first = 0;
  std::array<double, kBins> density{};
  size_t batches = 0;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_DENSITY_HISTOGRAM_H_
