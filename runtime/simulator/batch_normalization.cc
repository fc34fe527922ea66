// BatchNormalization that was not folded (exact_simulator.md 7): y = (x^ - mean) * (gamma / sqrt(var + eps)) + beta.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

// One value per channel. In binary64, not the float of the file: gamma and beta may stand for codes times a scale.
struct BatchNormalization {
  std::string name;
  std::vector<double> gain, beta, mean;  // gain = gamma / sqrt(var + eps)
};

Result<SimTensor> RunBatchNormalization(const BatchNormalization& bn, const SimTensor& x) {
  const size_t channels = bn.gain.size();
  if (x.shape.rank() < 2 || x.shape[1] != static_cast<int64_t>(channels)) {
    return InvalidArgument(fmt::format("{}: {} channels, but the input is {}", bn.name, channels, x.shape.ToString()));
  }
  size_t inner = 1;
  for (size_t d = 2; d < x.shape.rank(); ++d) inner *= static_cast<size_t>(x.shape[d]);
  SimTensor out = MakeReal(x.shape, Reals(x));
  out.magnitude = x.magnitude;
  for (size_t i = 0; i < out.real.size(); ++i) {
    const size_t c = i / inner % channels;
    out.real[i] = (out.real[i] - bn.mean[c]) * bn.gain[c] + bn.beta[c];
    if (!out.magnitude.empty()) out.magnitude[i] *= std::abs(bn.gain[c]);
  }
  return out;
}

}  // namespace

Result<RunNode> PrepareBatchNormalization(const NodeContext& context) {
  if (context.node.Int("training_mode", 0) != 0) {
    return Unsupported(fmt::format("{}: training_mode 1 is not supported, only 0", context.Name()));
  }
  LQ_ASSIGN_OR_RETURN(const std::vector<double> gamma, RealConstant(context, 1));
  LQ_ASSIGN_OR_RETURN(std::vector<double> beta, RealConstant(context, 2));
  LQ_ASSIGN_OR_RETURN(std::vector<double> mean, RealConstant(context, 3));
  LQ_ASSIGN_OR_RETURN(const std::vector<double> variance, RealConstant(context, 4));
  if (beta.size() != gamma.size() || mean.size() != gamma.size() || variance.size() != gamma.size()) {
    return InvalidArgument(fmt::format("{}: gamma, beta, mean and variance have {}, {}, {} and {} values",
                                       context.Name(), gamma.size(), beta.size(), mean.size(), variance.size()));
  }
  BatchNormalization bn{context.Name(), {}, std::move(beta), std::move(mean)};
  const double epsilon = context.node.Float("epsilon", 1e-5f);
  for (size_t c = 0; c < gamma.size(); ++c) bn.gain.push_back(gamma[c] / std::sqrt(variance[c] + epsilon));
  return RunNode([bn = std::move(bn)](Inputs in) { return RunBatchNormalization(bn, *in[0]); });
}

}  // namespace lq::simulator
