// LinearTiming: how long a layer takes, beside the limits of the machine that are probed around its runs.
#ifndef LANEQUANT_RUNTIME_MEASURE_LINEAR_TIMING_H_
#define LANEQUANT_RUNTIME_MEASURE_LINEAR_TIMING_H_

#include <cstddef>

#include "lanequant/executor.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/measure/linear_case.h"

namespace lq::measure {

// What the best code could do with these threads: the best that was probed.
struct Limits {
  double read = 0;          // bytes per second, from a buffer of as many bytes as the weights
  double tile = 0;          // operations per second of 8-bit matrix tiles; 0 where the CPU has none
  double dot = 0;           // operations per second of 8-bit dot products; 0 where the CPU has none
  double multiply_add = 0;  // of 16-bit multiply-adds

  void Probe(const AlignedBuffer& buffer, Executor& executor);
  // Of the unit that a variant computes with: "matmul_u8s8/AVX2" uses no 8-bit dot product even where the CPU has one.
  double Peak(const std::string& variant) const;
};

struct LinearTiming {
  LayerInfo layer;
  double best = 0, median = 0;  // seconds of one run
  double bytes = 0, operations = 0;
  double shallow = 0;  // seconds of the layer at k = 4: all that it does but products
  Limits limits;

  double ShareOfRead() const { return bytes / best / limits.read; }
  double ShareOfPeak() const { return operations / best / limits.Peak(layer.variant); }
  // Of the time, at most what turning sums into outputs takes; 0 where the weights are cold.
  double ShareOfEpilogue() const { return shallow / best; }
  // Of the time, what either limit alone would take: the nearer one.
  double ShareOfRoofline() const;
};

struct TimingOptions {
  Executor& executor;
  PrepareOptions prepare;
  bool cold = false;     // weights from memory: layers of kColdBytes one after the other
  double seconds = 0.3;  // of runs, at least 11 of them
};

constexpr size_t kColdBytes = size_t{512} << 20;  // beyond every last-level cache of today's servers

// Errors: those of LinearRing::Make.
Result<LinearTiming> TimeLinear(const LinearCase& layer, const TimingOptions& options);

}  // namespace lq::measure

#endif  // LANEQUANT_RUNTIME_MEASURE_LINEAR_TIMING_H_
