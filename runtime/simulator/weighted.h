// What Conv, Gemm and MatMul share (exact_simulator.md 4): constant weights and biases, and what follows the sums.
#ifndef LANEQUANT_RUNTIME_SIMULATOR_WEIGHTED_H_
#define LANEQUANT_RUNTIME_SIMULATOR_WEIGHTED_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "lanequant/status.h"
#include "runtime/simulator/operators.h"
#include "runtime/simulator/tensor.h"

namespace lq::simulator {

// The second operand of a weighted layer, each channel's weights one after the other. The integer form exists where no
// scale varies along the reduction.
struct Weights {
  Shape shape;             // as in the file
  size_t per_channel = 0;  // consecutive weights of one channel; behind the last channel follows the first one again
  std::vector<int32_t> w_int;
  std::vector<double> scale;  // one per channel
  std::vector<double> real;   // w^, filled only where there are no integers
  // Recording only: of each weight under an encoding, what errors of sums of floats grow with; else empty.
  std::vector<double> magnitude;

  bool is_integer() const { return !scale.empty(); }
};

// A constant under its encoding, or as the floats of the file where it has none. Still in the file's order:
// per_channel is right for channel axis 0 only.
Result<Weights> ReadWeights(const NodeContext& context, size_t input, size_t channel_axis);

struct Bias {
  std::vector<double> real;       // empty: no bias; else one per channel
  std::vector<double> magnitude;  // of each
  bool from_floats = true;        // false: it has codes of its own, which no mode rounds again
  BiasMode mode = BiasMode::kFloat;
};

// Input 2 of the node times `beta`, if present: one value per channel, or one for all.
Result<Bias> ReadBias(const NodeContext& context, size_t channels, float beta);

// The sums of one layer, by either path.
struct LayerSums {
  std::function<void(std::span<const int32_t> x, std::span<const int32_t> w, std::span<int64_t> acc)> exact;
  std::function<void(std::span<const double> x, std::span<const double> w, std::span<double> y)> real;
};

struct WeightedLayer {
  const SimTensor& x;
  const Weights& weights;
  const Bias& bias;
  Shape out;  // viewed as [outer][channels][inner]
  size_t channels, inner;
  double alpha = 1;
  bool record = false;
};

// y = alpha * (double(acc) * (s_x * s_w)) + b for coded input and integer weights; else the float path in binary64.
SimTensor RunLayer(const WeightedLayer& layer, const LayerSums& sums);

}  // namespace lq::simulator

#endif  // LANEQUANT_RUNTIME_SIMULATOR_WEIGHTED_H_
