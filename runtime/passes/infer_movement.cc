// Shapes behind data movement and reductions. See infer_shape.h.
#include <algorithm>
#include <cmath>

#include "runtime/axis.h"
#include "runtime/passes/infer_shape.h"
#include "runtime/passes/node_inputs.h"

namespace lq {
namespace {

// The integers of an input, or where it is left out of the attribute. Nothing where they are computed.
std::optional<std::vector<int64_t>> IntegersOf(const Graph& graph, const Node& node, size_t i, const char* attribute) {
  if (!HasInput(node, i)) return node.Ints(attribute, {});
  const Constant* constant = ConstantInput(graph, node, i);
  if (constant == nullptr || constant->dtype != DType::kS64) return std::nullopt;
  return constant->s64.ToVector();
}

// Which of `rank` dimensions `axes` names.
std::optional<std::vector<bool>> Marked(const std::vector<int64_t>& axes, size_t rank) {
  std::vector<bool> marked(rank, false);
  for (int64_t axis : axes) {
    const std::optional<size_t> at = FindAxis(axis, rank);
    if (!at.has_value() || marked[*at]) return std::nullopt;
    marked[*at] = true;
  }
  return marked;
}

std::optional<Dims> Permuted(const Node& node, const Dims& x) {
  const std::vector<int64_t> perm = node.Ints("perm", {});
  Dims out;
  for (size_t d = 0; d < x.size(); ++d) {
    const std::optional<size_t> from = perm.empty()      ? std::optional(x.size() - 1 - d)
                                       : d < perm.size() ? FindAxis(perm[d], x.size())
                                                         : std::nullopt;
    if (!from.has_value()) return std::nullopt;
    out.push_back(x[*from]);
  }
  return out;
}

std::optional<Dims> Squeezed(const Graph& graph, const Node& node, const Dims& x) {
  const std::optional<std::vector<int64_t>> axes = IntegersOf(graph, node, 1, "axes");
  if (!axes.has_value() || axes->empty()) return std::nullopt;
  const std::optional<std::vector<bool>> gone = Marked(*axes, x.size());
  if (!gone.has_value()) return std::nullopt;
  Dims out;
  for (size_t d = 0; d < x.size(); ++d) {
    if (!(*gone)[d]) out.push_back(x[d]);
  }
  return out;
}

std::optional<Dims> Unsqueezed(const Graph& graph, const Node& node, const Dims& x) {
  const std::optional<std::vector<int64_t>> axes = IntegersOf(graph, node, 1, "axes");
  if (!axes.has_value()) return std::nullopt;
  const std::optional<std::vector<bool>> fresh = Marked(*axes, x.size() + axes->size());
  if (!fresh.has_value()) return std::nullopt;
  Dims out;
  for (size_t d = 0, next = 0; d < fresh->size(); ++d) out.push_back((*fresh)[d] ? Dim{1} : x[next++]);
  return out;
}

std::optional<Dims> Flattened(const Node& node, const Dims& x) {
  const int64_t axis = node.Int("axis", 1);
  const bool is_end = axis == static_cast<int64_t>(x.size());
  const std::optional<size_t> at = is_end ? x.size() : FindAxis(axis, x.size());
  if (!at.has_value()) return std::nullopt;
  const std::optional<Dim> rows = Product(std::span(x).first(*at)), columns = Product(std::span(x).subspan(*at));
  if (!rows.has_value() || !columns.has_value()) return std::nullopt;
  return Dims{*rows, *columns};
}

// Of numbers; a whole dynamic dimension stays what it is.
std::optional<Dims> Sliced(const Graph& graph, const Node& node, Dims x) {
  const std::optional<std::vector<int64_t>> starts = IntegersOf(graph, node, 1, "starts"),
                                            ends = IntegersOf(graph, node, 2, "ends"),
                                            axes = IntegersOf(graph, node, 3, "axes"),
                                            steps = IntegersOf(graph, node, 4, "steps");
  if (!starts || !ends || !axes || !steps || starts->size() != ends->size()) return std::nullopt;
  for (size_t i = 0; i < starts->size(); ++i) {
    const int64_t axis = i < axes->size() ? (*axes)[i] : static_cast<int64_t>(i);
    const std::optional<size_t> at = FindAxis(axis, x.size());
    if (!at.has_value() || (i < steps->size() && (*steps)[i] != 1)) return std::nullopt;
    Dim& dim = x[*at];
    if (!dim.is_number()) {
      if ((*starts)[i] != 0 || (*ends)[i] < Shape::kMaxDim) return std::nullopt;
      continue;
    }
    const int64_t length = dim.factor;
    const auto bound = [length](int64_t value) {
      return std::clamp<int64_t>(value < 0 ? std::max(value, -length) + length : value, 0, length);
    };
    dim.factor = std::max<int64_t>(bound((*ends)[i]) - bound((*starts)[i]), 0);
  }
  return x;
}

std::optional<Dims> Reduced(const Graph& graph, const Node& node, const Dims& x) {
  const bool argument = node.op == "ArgMax" || node.op == "ArgMin";
  std::optional<std::vector<int64_t>> axes = std::vector<int64_t>{node.Int("axis", 0)};
  if (!argument) axes = IntegersOf(graph, node, 1, "axes");
  if (!axes.has_value()) return std::nullopt;
  if (axes->empty() && node.Int("noop_with_empty_axes", 0) != 0) return x;
  const std::optional<std::vector<bool>> gone = Marked(*axes, x.size());
  if (!gone.has_value()) return std::nullopt;
  Dims out;
  for (size_t d = 0; d < x.size(); ++d) {
    const bool reduced = axes->empty() || (*gone)[d];
    if (!reduced) out.push_back(x[d]);
    if (reduced && node.Int("keepdims", 1) != 0) out.push_back(Dim{1});
  }
  return out;
}

// Expand: a number of 1 keeps what is there. Tile multiplies, Pad adds.
std::optional<Dims> Grown(const Graph& graph, const Node& node, Dims x) {
  const std::optional<std::vector<int64_t>> numbers = IntegersOf(graph, node, 1, "pads");
  const auto is_far = [](int64_t number) { return number < -Shape::kMaxDim || number > Shape::kMaxDim; };
  if (!numbers.has_value() || std::any_of(numbers->begin(), numbers->end(), is_far)) return std::nullopt;
  const size_t n = numbers->size();
  if (node.op == "Expand") {
    if (n > x.size()) x.insert(x.begin(), n - x.size(), Dim{1});
    for (size_t d = 0; d < n; ++d) {
      Dim& dim = x[d + x.size() - n];
      if ((*numbers)[d] != 1) dim = Dim{(*numbers)[d]};
    }
    return x;
  }
  const bool pads = node.op == "Pad";
  if (n != (pads ? 2 : 1) * x.size() || HasInput(node, 3)) return std::nullopt;
  for (size_t d = 0; d < x.size(); ++d) {
    const int64_t number = pads ? (*numbers)[d] + (*numbers)[d + x.size()] : (*numbers)[d];
    if (number == (pads ? 0 : 1)) continue;
    if (!x[d].is_number()) return std::nullopt;
    const bool overflows = pads ? __builtin_add_overflow(x[d].factor, number, &x[d].factor)
                                : __builtin_mul_overflow(x[d].factor, number, &x[d].factor);
    if (overflows || x[d].factor < 0) return std::nullopt;
  }
  return x;
}

std::optional<Dims> Blocked(const Node& node, Dims x) {
  const int64_t size = node.Int("blocksize", 0);
  if (x.size() != 4 || size < 1 || size > (1 << 15)) return std::nullopt;
  const Dim one{size}, all{size * size};
  const bool to_depth = node.op == "SpaceToDepth";
  for (size_t d = 1; d < 4; ++d) {
    const bool grows = (d == 1) == to_depth;
    const std::optional<Dim> dim = grows ? Times(x[d], d == 1 ? all : one) : Over(x[d], d == 1 ? all : one);
    if (!dim.has_value()) return std::nullopt;
    x[d] = *dim;
  }
  return x;
}

// Scales are floats, of which only those of whole numbers are followed.
std::optional<Dims> Resized(const Graph& graph, const Node& node, Dims x) {
  if (!node.Ints("axes", {}).empty()) return std::nullopt;
  const std::optional<std::vector<int64_t>> sizes = IntegersOf(graph, node, 3, "");
  if (!sizes.has_value()) return std::nullopt;
  const bool has_scales = sizes->empty() && HasInput(node, 2);
  const Constant* scales = has_scales ? ConstantInput(graph, node, 2) : nullptr;
  if ((has_scales ? scales != nullptr ? scales->f32.size() : 0 : sizes->size()) != x.size()) return std::nullopt;
  for (size_t d = 0; d < x.size(); ++d) {
    if (!has_scales && (*sizes)[d] >= 0) x[d] = Dim{(*sizes)[d]};  // -1: as it is
    if (!has_scales) continue;
    const float scale = scales->f32[d];
    if (!(scale >= 1 && scale <= 1024) || std::trunc(scale) != scale) return std::nullopt;
    const std::optional<Dim> dim = Times(x[d], Dim{static_cast<int64_t>(scale)});
    if (!dim.has_value()) return std::nullopt;
    x[d] = *dim;
  }
  return x;
}

}  // namespace

std::optional<Dims> ReshapedDims(const Dims& x, Dims target, bool allow_zero) {
  std::optional<size_t> open;
  for (size_t d = 0; d < target.size(); ++d) {
    if (target[d] == Dim{0} && !allow_zero) {
      if (d >= x.size()) return std::nullopt;
      target[d] = x[d];
    } else if (target[d] == Dim{-1}) {
      if (open.has_value()) return std::nullopt;
      open = d;
      target[d] = Dim{1};
    } else if (target[d].factor < 0) {
      return std::nullopt;
    }
  }
  const std::optional<Dim> from = Product(x), to = Product(target);
  if (!from.has_value() || !to.has_value()) return std::nullopt;
  if (!open.has_value()) return *from == *to || !from->is_number() ? std::optional(target) : std::nullopt;
  const std::optional<Dim> rest = Over(*from, *to);
  if (!rest.has_value() || rest->factor < 1) return std::nullopt;
  target[*open] = *rest;
  return target;
}

std::optional<Dims> MovedDims(const Graph& graph, const Node& node, const Dims& x) {
  const std::string& op = node.op;
  if (op == "Transpose") return Permuted(node, x);
  if (op == "Squeeze") return Squeezed(graph, node, x);
  if (op == "Unsqueeze") return Unsqueezed(graph, node, x);
  if (op == "Flatten") return Flattened(node, x);
  if (op == "Slice") return Sliced(graph, node, x);
  if (op == "Resize") return Resized(graph, node, x);
  if (op == "DepthToSpace" || op == "SpaceToDepth") return Blocked(node, x);
  if (op == "Expand" || op == "Tile" || op == "Pad") return Grown(graph, node, x);
  if (op.rfind("Reduce", 0) == 0 || op == "ArgMax" || op == "ArgMin") return Reduced(graph, node, x);
  return std::nullopt;
}

}  // namespace lq
