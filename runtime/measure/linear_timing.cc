#include "runtime/measure/linear_timing.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "runtime/measure/clock.h"
#include "runtime/measure/probe.h"
#include "runtime/status_macros.h"

namespace lq::measure {
namespace {

// Of the layer with one quad of k.
Result<double> ShallowSeconds(LinearCase layer, const TimingOptions& options) {
  layer.k = 4;
  if (layer.precision.block != 0) layer.precision.block = 4;
  LQ_ASSIGN_OR_RETURN(LinearRing ring, LinearRing::Make(layer, 0, options.executor.workers(), options.prepare));
  return TimeRuns(options.seconds / 4, [&] { ring.Run(options.executor); }).front();
}

}  // namespace

void Limits::Probe(const AlignedBuffer& buffer, Executor& executor) {
  read = std::max(read, ReadBandwidth(buffer.data(), buffer.size(), executor));
  tile = std::max(tile, TilePeak(executor));
  dot = std::max(dot, DotPeak(executor));
  multiply_add = std::max(multiply_add, MultiplyAddPeak(executor));
}

double Limits::Peak(const std::string& variant) const {
  const std::string target = variant.substr(variant.find('/') + 1);
  if (target == "AMX") return tile;
  for (const char* with_dot : {"AVX3_DL", "AVX3_ZEN4", "AVX3_SPR", "AVX2_VNNI"}) {
    if (target == with_dot) return dot;
  }
  return multiply_add;
}

double LinearTiming::ShareOfRoofline() const { return std::max(ShareOfRead(), ShareOfPeak()); }

Result<LinearTiming> TimeLinear(const LinearCase& layer, const TimingOptions& options) {
  LQ_ASSIGN_OR_RETURN(LinearRing ring, LinearRing::Make(layer, options.cold ? kColdBytes : 0,
                                                        options.executor.workers(), options.prepare));
  LQ_ASSIGN_OR_RETURN(const AlignedBuffer probed,
                      AlignedBuffer::Make("probe", options.cold ? kColdBytes : ring.info().packed_bytes));
  LinearTiming timing{ring.info(), 0, 0, ring.BytesPerRun(), layer.Operations(), 0, {}};
  timing.limits.Probe(probed, options.executor);
  const std::vector<double> times = TimeRuns(options.seconds, [&] { ring.Run(options.executor); });
  timing.limits.Probe(probed, options.executor);
  if (!options.cold) {
    LQ_ASSIGN_OR_RETURN(timing.shallow, ShallowSeconds(layer, options));
  }
  timing.best = times.front();
  timing.median = times[times.size() / 2];
  return timing;
}

}  // namespace lq::measure
