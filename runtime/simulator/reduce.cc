// ReduceMean, ReduceSum, ReduceL2, ReduceMax, ReduceMin (exact_simulator.md 6), and ReduceL1, ReduceSumSquare,
// ReduceProd: the elements are added, or multiplied, in their order.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct Reduction {
  std::string name, op;
  std::vector<int64_t> axes;  // empty: all
  bool keep_dims, identity_without_axes;
};

// For each element of the result, the elements of the input that it is made of.
using ReducedElements = std::vector<std::vector<size_t>>;

// What a sum adds of an element: an exact integer of codes, a binary64 number else.
template <class T>
T Term(const std::string& op, T x) {
  if (op == "ReduceL2" || op == "ReduceSumSquare") return x * x;
  return op == "ReduceL1" ? std::abs(x) : x;
}

SimTensor Reduce(const Reduction& node, const SimTensor& x, const Shape& shape, const ReducedElements& members) {
  const bool mean = node.op == "ReduceMean", root = node.op == "ReduceL2";
  const bool squares = root || node.op == "ReduceSumSquare", plain = !squares && node.op != "ReduceL1";
  SimTensor out = MakeReal(shape, {});
  for (const std::vector<size_t>& group : members) {
    int64_t exact = 0;
    double sum = 0, magnitude = 0;
    for (size_t i : group) {
      if (x.kind == Kind::kCoded) exact += Term(node.op, int64_t{x.w[i]});
      if (x.kind != Kind::kCoded) sum += Term(node.op, x.Real(i));
      if (!x.magnitude.empty()) magnitude += x.magnitude[i];
    }
    const double scale = double(x.encoding.scale);
    if (x.kind == Kind::kCoded) sum = double(exact) * (squares ? scale * scale : scale);
    if (root) sum = std::sqrt(sum);
    const double count = mean ? double(group.size()) : 1;
    out.real.push_back(sum / count);
    if (!x.magnitude.empty() && plain) out.magnitude.push_back(magnitude / count);
  }
  out.of_function = x.of_function || squares;
  return out;
}

SimTensor Product(const Reduction&, const SimTensor& x, const Shape& shape, const ReducedElements& members) {
  SimTensor out = MakeReal(shape, {});
  for (const std::vector<size_t>& group : members) {
    double product = 1;
    for (size_t i : group) product *= x.Real(i);
    out.real.push_back(product);
  }
  out.of_function = true;
  return out;
}

template <class T>
std::vector<T> Choose(const std::vector<T>& values, const ReducedElements& members, bool largest) {
  std::vector<T> out;
  if (values.empty()) return out;
  for (const std::vector<size_t>& group : members) {
    T best = values[group[0]];
    for (size_t i : group) best = largest ? std::max(best, values[i]) : std::min(best, values[i]);
    out.push_back(best);
  }
  return out;
}

SimTensor Extreme(const Reduction& node, const SimTensor& x, const Shape& shape, const ReducedElements& members) {
  const bool largest = node.op == "ReduceMax";
  SimTensor out = x;
  out.shape = shape;
  out.bias_scale.clear();
  out.f32 = Choose(x.f32, members, largest);
  out.w = Choose(x.w, members, largest);
  out.real = Choose(x.real, members, largest);
  out.magnitude = Choose(x.magnitude, members, true);
  out.rounding.clear();
  return out;
}

Result<std::vector<bool>> ReducedAxes(const Reduction& node, const Shape& shape) {
  const auto rank = static_cast<int64_t>(shape.rank());
  std::vector<bool> reduced(shape.rank(), node.axes.empty());
  for (int64_t axis : node.axes) {
    if (axis < -rank || axis >= rank) {
      return InvalidArgument(fmt::format("{}: axis {} does not exist in shape {}", node.name, axis, shape.ToString()));
    }
    reduced[static_cast<size_t>(axis < 0 ? axis + rank : axis)] = true;
  }
  return reduced;
}

Result<SimTensor> RunReduction(const Reduction& node, const SimTensor& x) {
  if (node.axes.empty() && node.identity_without_axes) return x;
  if (x.size() == 0) return Unsupported(fmt::format("{}: input of shape {} is empty", node.name, x.shape.ToString()));
  LQ_ASSIGN_OR_RETURN(const std::vector<bool> reduced, ReducedAxes(node, x.shape));
  std::vector<int64_t> dims;
  std::vector<size_t> stride(x.shape.rank());  // in the result; 0 along what is reduced
  size_t count = 1;
  for (size_t d = x.shape.rank(); d-- > 0;) {
    stride[d] = reduced[d] ? 0 : count;
    if (!reduced[d]) count *= static_cast<size_t>(x.shape[d]);
    if (!reduced[d] || node.keep_dims) dims.insert(dims.begin(), reduced[d] ? 1 : x.shape[d]);
  }
  ReducedElements members(count);
  for (size_t i = 0; i < x.size(); ++i) {
    size_t rest = i, to = 0;
    for (size_t d = x.shape.rank(); d-- > 0; rest /= static_cast<size_t>(x.shape[d])) {
      to += rest % static_cast<size_t>(x.shape[d]) * stride[d];
    }
    members[to].push_back(i);
  }
  if (node.op == "ReduceProd") return Product(node, x, Shape(dims), members);
  const bool sums = node.op != "ReduceMax" && node.op != "ReduceMin";
  return (sums ? Reduce : Extreme)(node, x, Shape(dims), members);
}

}  // namespace

Result<RunNode> PrepareReduction(const NodeContext& context) {
  Reduction node{context.Name(), context.node.op, context.node.Ints("axes", {}), context.node.Int("keepdims", 1) != 0,
                 context.node.Int("noop_with_empty_axes", 0) != 0};
  if (context.Has(1)) {
    LQ_ASSIGN_OR_RETURN(node.axes, IntegerConstant(context, 1));
  }
  return RunNode([node = std::move(node)](Inputs in) { return RunReduction(node, *in[0]); });
}

}  // namespace lq::simulator
