// Softmax and LogSoftmax (exact_simulator.md 7): the exponentials are added in the order of the axis.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct Softmax {
  std::string name;
  int64_t axis;
  bool from_axis;  // up to operator set 12: all dimensions from `axis` on are one
  bool log;
};

// x_j - max x, of codes through the integers.
std::vector<double> BelowMaximum(const SimTensor& x, const std::vector<size_t>& row) {
  std::vector<double> d(row.size());
  if (x.kind == Kind::kCoded) {
    int32_t largest = x.w[row[0]];
    for (size_t at : row) largest = std::max(largest, x.w[at]);
    for (size_t j = 0; j < row.size(); ++j) d[j] = double(x.w[row[j]] - largest) * double(x.encoding.scale);
    return d;
  }
  double largest = x.Real(row[0]);
  for (size_t at : row) largest = std::max(largest, x.Real(at));
  for (size_t j = 0; j < row.size(); ++j) d[j] = x.Real(row[j]) - largest;
  return d;
}

void NormalizeRow(const Softmax& softmax, const SimTensor& x, const std::vector<size_t>& row, std::vector<double>& y) {
  const std::vector<double> d = BelowMaximum(x, row);
  double sum = 0;
  for (double value : d) sum += std::exp(value);
  for (size_t j = 0; j < row.size(); ++j) y[row[j]] = softmax.log ? d[j] - std::log(sum) : std::exp(d[j]) / sum;
}

Result<SimTensor> RunSoftmax(const Softmax& softmax, const SimTensor& x) {
  const auto rank = static_cast<int64_t>(x.shape.rank());
  const int64_t axis = softmax.axis < 0 ? softmax.axis + rank : softmax.axis;
  if (axis < 0 || axis >= rank) {
    return InvalidArgument(
        fmt::format("{}: axis {} does not exist in shape {}", softmax.name, softmax.axis, x.shape.ToString()));
  }
  size_t length = 1, inner = 1;
  for (int64_t d = axis; d < rank; ++d) {
    (softmax.from_axis || d == axis ? length : inner) *= static_cast<size_t>(x.shape[static_cast<size_t>(d)]);
  }
  SimTensor out = MakeReal(x.shape, std::vector<double>(x.size()));
  out.of_function = true;
  std::vector<size_t> row(length);
  for (size_t i = 0; i < x.size() / std::max<size_t>(length, 1); ++i) {
    for (size_t j = 0; j < length; ++j) row[j] = (i / inner * length + j) * inner + i % inner;
    NormalizeRow(softmax, x, row, out.real);
  }
  return out;
}

}  // namespace

Result<RunNode> PrepareSoftmax(const NodeContext& context) {
  constexpr int64_t kOneAxisSince = 13;
  const bool from_axis = context.graph.opset < kOneAxisSince;
  const Softmax softmax{context.Name(), context.node.Int("axis", from_axis ? 1 : -1), from_axis,
                        context.node.op == "LogSoftmax"};
  return RunNode([softmax](Inputs in) { return RunSoftmax(softmax, *in[0]); });
}

}  // namespace lq::simulator
