// BatchNormalization on values (exact_simulator.md 7): where tables over codes do not reach.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class BatchNormOperator final : public ElementOperator {
 public:
  struct Spec {
    std::string name;
    std::vector<double> mean, gain, beta;  // by channel; gain = gamma / sqrt(variance + epsilon)
  };
  explicit BatchNormOperator(Spec spec) : ElementOperator(ValueKind::kReal, true), spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    if (in[0].rank() >= 2 && in[0][1] == static_cast<int64_t>(spec_.gain.size())) return in[0];
    return InvalidArgument(fmt::format("{}: {} channels do not fit its input of shape {}", spec_.name,
                                       spec_.gain.size(), in[0].ToString()));
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    size_t inner = 1;
    for (size_t d = 2; d < out.shape.rank(); ++d) inner *= static_cast<size_t>(out.shape[d]);
    for (size_t i = elements.begin; i < elements.end; ++i) {
      const size_t c = i / inner % spec_.gain.size();
      out.real[i] = (in[0].real[i] - spec_.mean[c]) * spec_.gain[c] + spec_.beta[c];
    }
  }

 private:
  Spec spec_;
};

}  // namespace

ValueOperatorResult MakeBatchNorm(const ValueNode& n) {
  if (n.node.op != "BatchNormalization") return std::unique_ptr<ValueOperator>();
  BatchNormOperator::Spec spec{n.Name(), {}, {}, {}};
  const auto reals = [&n](size_t input) { return n.constants.Reals(n.node.inputs[input], n.options); };
  LQ_ASSIGN_OR_RETURN(const std::vector<double> gamma, reals(1));
  LQ_ASSIGN_OR_RETURN(spec.beta, reals(2));
  LQ_ASSIGN_OR_RETURN(spec.mean, reals(3));
  LQ_ASSIGN_OR_RETURN(const std::vector<double> variance, reals(4));
  if (spec.beta.size() != gamma.size() || spec.mean.size() != gamma.size() || variance.size() != gamma.size()) {
    return InvalidArgument(fmt::format("{}: gamma, beta, mean and variance have {}, {}, {} and {} values", spec.name,
                                       gamma.size(), spec.beta.size(), spec.mean.size(), variance.size()));
  }
  const double epsilon = n.node.Float("epsilon", 1e-5f);
  for (size_t c = 0; c < gamma.size(); ++c) spec.gain.push_back(gamma[c] / std::sqrt(variance[c] + epsilon));
  return std::unique_ptr<ValueOperator>(std::make_unique<BatchNormOperator>(std::move(spec)));
}

}  // namespace lq
