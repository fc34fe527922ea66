// ArgMax, ArgMin, TopK: which elements along an axis are the largest. Indices are of kind f32, exact up to 2^24; what
// TopK chose keeps its kind.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/simulator/rearrange.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

constexpr int64_t kMostIndices = int64_t{1} << 24;

// The tensor as [outer][along the axis][inner].
struct Lines {
  size_t outer = 1, length = 1, inner = 1;
};

Result<Lines> LinesOf(const std::string& name, const Shape& shape, int64_t axis_number) {
  LQ_ASSIGN_OR_RETURN(const size_t axis, CheckedAxis(name, axis_number, shape.rank()));
  if (shape.NumElements() < 1 || shape[axis] > kMostIndices) {
    return Unsupported(fmt::format("{}: axis {} of shape {}; supported: 1 to {} elements", name, axis_number,
                                   shape.ToString(), kMostIndices));
  }
  Lines lines;
  lines.length = static_cast<size_t>(shape[axis]);
  for (size_t d = 0; d < axis; ++d) lines.outer *= static_cast<size_t>(shape[d]);
  for (size_t d = axis + 1; d < shape.rank(); ++d) lines.inner *= static_cast<size_t>(shape[d]);
  return lines;
}

struct Extreme {
  std::string name;
  int64_t axis;
  bool largest, keep_dims, last;
};

Result<SimTensor> RunExtreme(const Extreme& node, const SimTensor& x) {
  LQ_ASSIGN_OR_RETURN(const Lines lines, LinesOf(node.name, x.shape, node.axis));
  LQ_ASSIGN_OR_RETURN(const size_t axis, CheckedAxis(node.name, node.axis, x.shape.rank()));
  std::vector<int64_t> dims(x.shape.dims().begin(), x.shape.dims().end());
  dims[axis] = 1;
  if (!node.keep_dims) dims.erase(dims.begin() + static_cast<ptrdiff_t>(axis));
  std::vector<float> indices;
  for (size_t o = 0; o < lines.outer; ++o) {
    for (size_t i = 0; i < lines.inner; ++i) {
      const auto value = [&](size_t k) { return x.Real((o * lines.length + k) * lines.inner + i); };
      size_t best = 0;
      for (size_t k = 1; k < lines.length; ++k) {
        const double a = value(k), b = value(best);
        if ((node.largest ? a > b : a < b) || (node.last && a == b)) best = k;
      }
      indices.push_back(static_cast<float>(best));
    }
  }
  return MakeF32(Shape(dims), std::move(indices));
}

struct TopK {
  std::string name;
  int64_t axis, count;
  bool largest, indices;
};

Result<SimTensor> RunTopK(const TopK& node, const SimTensor& x) {
  LQ_ASSIGN_OR_RETURN(const Lines lines, LinesOf(node.name, x.shape, node.axis));
  LQ_ASSIGN_OR_RETURN(const size_t axis, CheckedAxis(node.name, node.axis, x.shape.rank()));
  if (node.count < 0 || node.count > x.shape[axis]) {
    return InvalidArgument(fmt::format("{}: k = {} of {} elements", node.name, node.count, x.shape[axis]));
  }
  Shape out = x.shape;
  out[axis] = node.count;
  std::vector<float> chosen(static_cast<size_t>(out.NumElements()));  // indices along the axis
  std::vector<size_t> order(lines.length);
  for (size_t o = 0; o < lines.outer; ++o) {
    for (size_t i = 0; i < lines.inner; ++i) {
      const auto value = [&](size_t k) { return x.Real((o * lines.length + k) * lines.inner + i); };
      std::iota(order.begin(), order.end(), size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {  // NaN last
        if (std::isnan(value(a)) || std::isnan(value(b))) return !std::isnan(value(a)) && std::isnan(value(b));
        return node.largest ? value(a) > value(b) : value(a) < value(b);
      });
      for (size_t k = 0; k < static_cast<size_t>(node.count); ++k) {
        chosen[(o * static_cast<size_t>(node.count) + k) * lines.inner + i] = static_cast<float>(order[k]);
      }
    }
  }
  if (node.indices) return MakeF32(out, std::move(chosen));
  return Rearrange(node.name, x, out, [&](const Position& p) {
    Position from = p;
    size_t at = 0;
    for (size_t d = 0; d < p.size(); ++d) at = at * static_cast<size_t>(out[d]) + static_cast<size_t>(p[d]);
    from[axis] = static_cast<int64_t>(chosen[at]);
    return from;
  });
}

}  // namespace

Result<RunNode> PrepareArgument(const NodeContext& context) {
  const Node& node = context.node;
  const Extreme extreme{context.Name(), node.Int("axis", 0), node.op == "ArgMax", node.Int("keepdims", 1) != 0,
                        node.Int("select_last_index", 0) != 0};
  return RunNode([extreme](Inputs in) { return RunExtreme(extreme, *in[0]); });
}

Result<RunNode> PrepareTopK(const NodeContext& context) {
  const Node& node = context.node;
  int64_t count = node.Int("k", 0);  // an attribute up to operator set 9
  if (context.Has(1)) {
    LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> k, IntegerConstant(context, 1));
    if (k.size() != 1) return InvalidArgument(fmt::format("{}: {} numbers as k, not 1", context.Name(), k.size()));
    count = k[0];
  }
  const TopK top{context.Name(), node.Int("axis", -1), count, node.Int("largest", 1) != 0, node.op == "TopKIndices"};
  return RunNode([top](Inputs in) { return RunTopK(top, *in[0]); });
}

}  // namespace lq::simulator
