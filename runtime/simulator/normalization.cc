// LayerNormalization, RMSNormalization, InstanceNormalization, GroupNormalization (exact_simulator.md 7).
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

__extension__ using Wide = __int128;

struct LayerNormalization {
  std::string name;
  double epsilon;
  bool root_mean_square = false;  // the mean stays
  std::vector<double> gamma, beta;
  // The groups are consecutive elements: from this axis on, or of so many channels of an image and all that follows.
  int64_t axis = -1;
  int64_t channel_groups = 0;  // 0: by axis; -1: a group for each channel
};

// The elements of one group.
struct Group {
  size_t begin, size;
};

// y of coded elements before gamma and beta, by exact sums.
void NormalizeCodes(const LayerNormalization& node, const SimTensor& x, Group group, std::vector<double>& y) {
  const double scale = x.encoding.scale, count = double(group.size);
  const auto n = static_cast<Wide>(group.size);
  Wide sum = 0, squares = 0;
  for (size_t i = group.begin; i < group.begin + group.size; ++i) {
    sum += x.w[i];
    squares += int64_t{x.w[i]} * x.w[i];
  }
  const double spread = double(n * squares - sum * sum);
  for (size_t i = group.begin; i < group.begin + group.size; ++i) {
    if (node.root_mean_square) {
      y[i] = (double(x.w[i]) * scale) / std::sqrt(double(squares) * (scale * scale) / count + node.epsilon);
    } else {
      const double numerator = double(n * x.w[i] - sum) * scale;
      y[i] = numerator / std::sqrt(spread * (scale * scale) + node.epsilon * (count * count));
    }
  }
}

void NormalizeReals(const LayerNormalization& node, const SimTensor& x, Group group, std::vector<double>& y) {
  const double count = double(group.size);
  double mean = 0, squares = 0;
  if (!node.root_mean_square) {
    for (size_t i = group.begin; i < group.begin + group.size; ++i) mean += x.Real(i);
    mean = mean / count;
  }
  for (size_t i = group.begin; i < group.begin + group.size; ++i) {
    const double d = x.Real(i) - mean;
    squares += d * d;
  }
  for (size_t i = group.begin; i < group.begin + group.size; ++i) {
    y[i] = (x.Real(i) - mean) / std::sqrt(squares / count + node.epsilon);
  }
}

// Elements of a group, and into how many each gamma reaches. Error: a shape that does not fit.
Result<size_t> GroupSize(const LayerNormalization& node, const Shape& shape, size_t& per_gamma) {
  const auto rank = static_cast<int64_t>(shape.rank());
  const int64_t axis = node.channel_groups != 0 ? 2 : node.axis < 0 ? node.axis + rank : node.axis;
  if (axis < 0 || axis > rank || (node.channel_groups == 0 && axis == rank)) {
    return InvalidArgument(fmt::format("{}: an input of shape {} has no axis {}", node.name, shape.ToString(), axis));
  }
  size_t inner = 1;
  for (int64_t d = axis; d < rank; ++d) inner *= static_cast<size_t>(shape[static_cast<size_t>(d)]);
  size_t size = inner, values = inner;
  per_gamma = 1;
  if (node.channel_groups != 0) {
    const int64_t groups = node.channel_groups < 0 ? shape[1] : node.channel_groups;
    if (groups < 1 || shape[1] % groups != 0) {
      return InvalidArgument(fmt::format("{}: {} channels in {} groups", node.name, shape[1], groups));
    }
    size = inner * static_cast<size_t>(shape[1] / groups);
    values = static_cast<size_t>(shape[1]);
    per_gamma = inner;
  }
  if (node.gamma.size() == values && (node.beta.empty() || node.beta.size() == values)) return size;
  return InvalidArgument(fmt::format("{}: {} and {} values of scale and bias, but an input of shape {}", node.name,
                                     node.gamma.size(), node.beta.size(), shape.ToString()));
}

Result<SimTensor> RunNormalization(const LayerNormalization& node, const SimTensor& x) {
  size_t per_gamma = 1;
  LQ_ASSIGN_OR_RETURN(const size_t size, GroupSize(node, x.shape, per_gamma));
  SimTensor out = MakeReal(x.shape, std::vector<double>(x.size()));
  out.of_function = true;
  for (size_t begin = 0; begin < x.size(); begin += size) {
    (x.kind == Kind::kCoded ? NormalizeCodes : NormalizeReals)(node, x, {begin, size}, out.real);
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = i / per_gamma % node.gamma.size();
    out.real[i] = out.real[i] * node.gamma[c];
    if (!node.beta.empty()) out.real[i] = out.real[i] + node.beta[c];
  }
  return out;
}

}  // namespace

Result<RunNode> PrepareNormalization(const NodeContext& context) {
  LayerNormalization node;
  const std::string& op = context.node.op;
  node.name = context.Name();
  node.epsilon = context.node.Float("epsilon", 1e-5f);
  node.root_mean_square = op == "RMSNormalization";
  node.axis = context.node.Int("axis", -1);
  if (op == "InstanceNormalization") node.channel_groups = -1;
  if (op == "GroupNormalization") node.channel_groups = context.node.Int("num_groups", 0);
  LQ_ASSIGN_OR_RETURN(node.gamma, RealConstant(context, 1));
  if (context.Has(2)) {
    LQ_ASSIGN_OR_RETURN(node.beta, RealConstant(context, 2));
  }
  return RunNode([node = std::move(node)](Inputs in) { return RunNormalization(node, *in[0]); });
}

}  // namespace lq::simulator
