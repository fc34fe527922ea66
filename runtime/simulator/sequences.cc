// CumSum and Trilu; Positions, Range and ConstantOfShape, which count and fill.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/simulator/rearrange.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

Result<int64_t> OneInteger(const NodeContext& context, size_t input) {
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> values, IntegerConstant(context, input));
  if (values.size() == 1) return values[0];
  return InvalidArgument(fmt::format("{}: input {} '{}' has {} numbers, not 1", context.Name(), input,
                                     context.InputName(input), values.size()));
}

struct Summing {
  std::string name;
  int64_t axis;
  bool exclusive, reverse;
};

// Codes add up exactly; anything else in binary64, one element after the other.
Result<SimTensor> RunCumSum(const Summing& node, const SimTensor& x) {
  LQ_ASSIGN_OR_RETURN(const size_t axis, CheckedAxis(node.name, node.axis, x.shape.rank()));
  const auto length = static_cast<size_t>(x.shape[axis]);
  size_t inner = 1;
  for (size_t d = axis + 1; d < x.shape.rank(); ++d) inner *= static_cast<size_t>(x.shape[d]);
  std::vector<double> y(x.size());
  for (size_t line = 0; length > 0 && line < x.size() / length; ++line) {
    const size_t first = line / inner * inner * length + line % inner;
    int64_t exact = 0;
    double sum = 0;
    for (size_t k = 0; k < length; ++k) {
      const size_t at = first + (node.reverse ? length - 1 - k : k) * inner;
      const double before = x.kind == Kind::kCoded ? double(exact) * double(x.encoding.scale) : sum;
      if (x.kind == Kind::kCoded) exact += x.w[at];
      if (x.kind != Kind::kCoded) sum += x.Real(at);
      const double after = x.kind == Kind::kCoded ? double(exact) * double(x.encoding.scale) : sum;
      y[at] = node.exclusive ? before : after;
    }
  }
  return MakeReal(x.shape, std::move(y));
}

struct Triangle {
  std::string name;
  bool upper;
  int64_t diagonal;
};

Result<SimTensor> RunTrilu(const Triangle& node, const SimTensor& x) {
  const size_t rank = x.shape.rank();
  if (rank < 2) return InvalidArgument(fmt::format("{}: input of shape {}", node.name, x.shape.ToString()));
  const auto rows = static_cast<size_t>(x.shape[rank - 2]), columns = static_cast<size_t>(x.shape[rank - 1]);
  SimTensor out = x;
  out.bias_scale.clear();
  for (size_t i = 0; i < x.size(); ++i) {
    const auto row = static_cast<int64_t>(i / columns % rows), column = static_cast<int64_t>(i % columns);
    const bool keeps = node.upper ? column - row >= node.diagonal : column - row <= node.diagonal;
    if (keeps) continue;
    if (!out.f32.empty()) out.f32[i] = 0;
    if (!out.w.empty()) out.w[i] = 0;
    if (!out.real.empty()) out.real[i] = 0;
    if (!out.magnitude.empty()) out.magnitude[i] = 0;
    if (!out.rounding.empty()) out.rounding[i] = {};
  }
  return out;
}

}  // namespace

Result<RunNode> PrepareCumSum(const NodeContext& context) {
  LQ_ASSIGN_OR_RETURN(const int64_t axis, OneInteger(context, 1));
  const Summing node{context.Name(), axis, context.node.Int("exclusive", 0) != 0, context.node.Int("reverse", 0) != 0};
  return RunNode([node](Inputs in) { return RunCumSum(node, *in[0]); });
}

Result<RunNode> PrepareTrilu(const NodeContext& context) {
  Triangle node{context.Name(), context.node.Int("upper", 1) != 0, 0};
  if (context.Has(1)) {
    LQ_ASSIGN_OR_RETURN(node.diagonal, OneInteger(context, 1));
    node.diagonal = std::clamp(node.diagonal, -Shape::kMaxDim, Shape::kMaxDim);
  }
  return RunNode([node](Inputs in) { return RunTrilu(node, *in[0]); });
}

Result<RunNode> PreparePositions(const NodeContext& context) {
  const int64_t axis = context.node.Int("axis", 0), start_axis = context.node.Int("start_axis", 0);
  return RunNode([name = context.Name(), axis, start_axis](Inputs in) -> Result<SimTensor> {
    LQ_ASSIGN_OR_RETURN(const size_t of, CheckedAxis(name, axis, in[0]->shape.rank()));
    int64_t first = 0;
    if (in.size() > 1 && in[1] != nullptr) {
      LQ_ASSIGN_OR_RETURN(const size_t from, CheckedAxis(name, start_axis, in[1]->shape.rank()));
      first = in[1]->shape[from];
    }
    std::vector<float> values;
    for (int64_t i = 0; i < in[0]->shape[of]; ++i) values.push_back(static_cast<float>(first + i));
    return MakeF32({in[0]->shape[of]}, std::move(values));
  });
}

Result<RunNode> PrepareRange(const NodeContext& context) {
  return RunNode([name = context.Name()](Inputs in) -> Result<SimTensor> {
    for (size_t i = 0; i < 3; ++i) {
      if (in[i]->size() != 1 || in[i]->kind != Kind::kF32) {
        return Unsupported(
            fmt::format("{}: input {} of shape {}; supported: one number", name, i, in[i]->shape.ToString()));
      }
    }
    const double start = in[0]->Real(0), limit = in[1]->Real(0), delta = in[2]->Real(0);
    const double count = std::max(0.0, std::ceil((limit - start) / delta));
    if (!(count <= double(Shape::kMaxDim))) {
      return Unsupported(fmt::format("{}: from {} to {} by {}", name, start, limit, delta));
    }
    const Shape shape{static_cast<int64_t>(count)};
    LQ_RETURN_IF_ERROR(CheckSize(name, shape));
    std::vector<float> values;
    for (int64_t i = 0; i < shape[0]; ++i) values.push_back(static_cast<float>(start + double(i) * delta));
    return MakeF32(shape, std::move(values));
  });
}

Result<RunNode> PrepareConstantOfShape(const NodeContext& context) {
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, IntegerConstant(context, 0));
  if (dims.size() > Shape::kMaxRank || std::any_of(dims.begin(), dims.end(), [](int64_t dim) { return dim < 0; })) {
    return Unsupported(fmt::format("{}: shape ({}) is not legal", context.Name(), fmt::join(dims, ", ")));
  }
  const Shape shape(dims);
  LQ_RETURN_IF_ERROR(CheckSize(context.Name(), shape));
  float value = 0;
  if (const auto found = context.node.attributes.find("value"); found != context.node.attributes.end()) {
    const auto* constant = std::get_if<Constant>(&found->second);
    const bool is_float = constant != nullptr && constant->f32.size() == 1;
    if (!is_float && (constant == nullptr || constant->s64.size() != 1)) {
      return InvalidArgument(fmt::format("{}: attribute 'value' is not one number", context.Name()));
    }
    value = is_float ? constant->f32[0] : static_cast<float>(constant->s64[0]);
  }
  return RunNode([shape, value](Inputs) -> Result<SimTensor> {
    return MakeF32(shape, std::vector<float>(static_cast<size_t>(shape.NumElements()), value));
  });
}

}  // namespace lq::simulator
