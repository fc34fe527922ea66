// Validation: kernels against the exact simulator, and the exact simulator against the activations of AIMET's.
#ifndef LANEQUANT_RUNTIME_COMPARE_VALIDATION_H_
#define LANEQUANT_RUNTIME_COMPARE_VALIDATION_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lanequant/executor.h"
#include "lanequant/model.h"
#include "lanequant/status.h"
#include "runtime/compare/code_difference.h"
#include "runtime/compare/reference_layers.h"
#include "runtime/graph.h"

namespace lq {

struct ValidationRequest {
  const Model& model;
  SessionOptions options;                   // keep_encoded_tensors is set by Validate
  std::span<const ConstTensorView> inputs;  // f32, in the order of graph.inputs; at least reference.rows() rows
  const ReferenceLayers& reference;
  Executor& executor;
  std::function<void(double share)> progress;  // may be empty
};

// Isolated: every tensor is computed from AIMET's own codes (the simulator's where AIMET's are not there), so that one
// difference counts once. Cumulative: as the network runs; differences spread.
struct LayerValidation {
  std::string name, op;
  CodeDifference kernel_isolated, aimet_isolated, kernel_cumulative, aimet_cumulative;
  TieDistance tie;
  bool sums_floats = false;       // kernels may be off within their bound (SessionInspector::FloatErrors)
  uint64_t kernel_beyond = 0;     // of kernel_isolated, those that are not; without a bound all
  bool reference_unused = false;  // AIMET's codes are there, but no run was of all their rows
};

// The exact simulator with another choice of one of the two against AIMET.
struct OtherChoice {
  BiasMode bias = BiasMode::kFloat;
  RoundingProfile profile = RoundingProfile::kAimetDiv;
  CodeDifference isolated, cumulative;
  uint64_t unexplained = 0;
};

struct Validation {
  int64_t rows = 0;
  int64_t rows_left = 0;                                    // of the reference: less than a fixed batch, not compared
  std::vector<LayerValidation> layers;                      // encoded activations in execution order
  CodeDifference kernel, aimet_isolated, aimet_cumulative;  // sums over the layers
  uint64_t unexplained = 0;
  uint64_t output_elements = 0, outputs_different = 0;  // f32 network outputs, kernels against simulator, bitwise
  bool sums_floats = false;                             // some layer does
  uint64_t kernel_beyond = 0;                           // sum over the layers, and isolated outputs beyond the bound
  std::vector<std::string> missing;                     // before layers with unexplained differences: MissingBefore
  bool float_bias_explains = false;  // biases in codes: each difference is one that floats rounded to them may make
  std::optional<OtherChoice> other_bias;     // where codes drift
  std::optional<OtherChoice> other_profile;  // where differences stay unexplained

  // Encoded activations that kernels and simulator did not both show in both passes, or that the reference has and the
  // network never computes: nothing is known about them.
  std::vector<std::string> NotCompared() const;
  // Bit by bit; where layers sum floats, each tensor computed from the simulator's own inputs within the bound.
  bool KernelsAgree() const {
    return sums_floats ? kernel_beyond == 0 : kernel.different == 0 && outputs_different == 0;
  }
  bool Passed() const { return KernelsAgree() && unexplained == 0 && NotCompared().empty(); }
  // The other bias mode leaves differences at ties only, layer by layer, and this one others or ten times as many.
  bool BiasExplains() const;
  // The same of the rounding profile: AIMET multiplies by 1 / scale where it computes no gradients, else it divides.
  bool ProfileExplains() const;
};

// A network of fixed batch runs the whole batches of the reference's rows, from the first one on.
// Errors: what Session and Simulator refuse, less than one batch, fewer input rows than the layers have, layers of
// another size.
Result<Validation> Validate(const ValidationRequest& request);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_COMPARE_VALIDATION_H_
