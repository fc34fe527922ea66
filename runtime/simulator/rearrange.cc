// Transpose, Slice, Gather, Expand, Tile, DepthToSpace, SpaceToDepth.
#include "runtime/simulator/rearrange.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/simulator/broadcast.h"
#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

Position PositionOf(size_t index, const Shape& shape) {
  Position position(shape.rank());
  for (size_t d = shape.rank(); d-- > 0; index /= static_cast<size_t>(shape[d])) {
    position[d] = static_cast<int64_t>(index % static_cast<size_t>(shape[d]));
  }
  return position;
}

template <class T>
std::vector<T> Take(const std::vector<T>& values, const std::vector<size_t>& from) {
  std::vector<T> out;
  if (values.empty()) return out;
  for (size_t i : from) out.push_back(values[i]);
  return out;
}

Shape ShapeOf(const std::vector<int64_t>& dims) { return Shape(dims); }

Result<SimTensor> RunTranspose(const std::string& name, const std::vector<int64_t>& order, const SimTensor& x) {
  const size_t rank = x.shape.rank();
  std::vector<int64_t> perm = order;
  if (perm.empty()) {
    for (size_t d = rank; d-- > 0;) perm.push_back(static_cast<int64_t>(d));
  }
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool legal = perm.size() == rank;
  for (size_t d = 0; legal && d < rank; ++d) legal = sorted[d] == static_cast<int64_t>(d);
  if (!legal) {
    return InvalidArgument(
        fmt::format("{}: perm ({}) does not order shape {}", name, fmt::join(perm, ", "), x.shape.ToString()));
  }
  std::vector<int64_t> dims;
  for (int64_t d : perm) dims.push_back(x.shape[static_cast<size_t>(d)]);
  return Rearrange(name, x, ShapeOf(dims), [&](const Position& p) {
    Position from(rank);
    for (size_t d = 0; d < rank; ++d) from[static_cast<size_t>(perm[d])] = p[d];
    return from;
  });
}

struct Slicing {
  std::vector<int64_t> starts, ends, axes, steps;
};

Result<SimTensor> RunSlice(const std::string& name, const Slicing& s, const SimTensor& x) {
  Shape out = x.shape;
  Position start(out.rank(), 0), step(out.rank(), 1);
  for (size_t i = 0; i < s.starts.size(); ++i) {
    LQ_ASSIGN_OR_RETURN(const size_t axis, CheckedAxis(name, s.axes[i], out.rank()));
    const int64_t length = x.shape[axis], by = std::clamp(s.steps[i], -Shape::kMaxDim, Shape::kMaxDim);
    const auto bounded = [&](int64_t at, int64_t low, int64_t high) {
      return std::clamp(at < 0 ? std::max(at, -length - 1) + length : at, low, high);
    };
    start[axis] = bounded(s.starts[i], 0, by > 0 ? length : std::max<int64_t>(length - 1, 0));
    const int64_t end = by > 0 ? bounded(s.ends[i], 0, length) : bounded(s.ends[i], -1, length - 1);
    step[axis] = by;
    const int64_t span = by > 0 ? end - start[axis] : start[axis] - end;
    const int64_t stride = by > 0 ? by : -by;
    out[axis] = span <= 0 || length == 0 ? 0 : (span + stride - 1) / stride;
  }
  return Rearrange(name, x, out, [&](const Position& p) {
    Position from(p.size());
    for (size_t d = 0; d < p.size(); ++d) from[d] = start[d] + p[d] * step[d];
    return from;
  });
}

struct Indices {
  Shape shape;
  std::vector<int64_t> values;
};

// Towards 0; what is no number, or none of an axis, is an index that none has.
int64_t IndexOf(double value) {
  return std::abs(value) <= double(Shape::kMaxDim) ? static_cast<int64_t>(value) : 2 * Shape::kMaxDim;
}

Result<SimTensor> RunGather(const std::string& name, const Indices& indices, int64_t axis_number, const SimTensor& x) {
  LQ_ASSIGN_OR_RETURN(const size_t axis, CheckedAxis(name, axis_number, x.shape.rank()));
  for (int64_t index : indices.values) {
    if (index >= -x.shape[axis] && index < x.shape[axis]) continue;
    return InvalidArgument(
        fmt::format("{}: index {} is outside axis {} of shape {}", name, index, axis, x.shape.ToString()));
  }
  std::vector<int64_t> dims(x.shape.dims().begin(), x.shape.dims().end());
  dims.erase(dims.begin() + static_cast<ptrdiff_t>(axis));
  dims.insert(dims.begin() + static_cast<ptrdiff_t>(axis), indices.shape.dims().begin(), indices.shape.dims().end());
  if (dims.size() > Shape::kMaxRank) return Unsupported(fmt::format("{}: {} dimensions", name, dims.size()));
  const size_t many = indices.shape.rank();
  return Rearrange(name, x, ShapeOf(dims), [&](const Position& p) {
    size_t at = 0;
    for (size_t d = 0; d < many; ++d) {
      at = at * static_cast<size_t>(indices.shape[d]) + static_cast<size_t>(p[axis + d]);
    }
    Position from(p.begin(), p.begin() + static_cast<ptrdiff_t>(axis));
    from.push_back(indices.values[at] < 0 ? indices.values[at] + x.shape[axis] : indices.values[at]);
    from.insert(from.end(), p.begin() + static_cast<ptrdiff_t>(axis + many), p.end());
    return from;
  });
}

Result<SimTensor> RunTile(const std::string& name, const std::vector<int64_t>& repeats, const SimTensor& x) {
  if (repeats.size() != x.shape.rank()) {
    return InvalidArgument(fmt::format("{}: {} repeats of shape {}", name, repeats.size(), x.shape.ToString()));
  }
  Shape out = x.shape;
  for (size_t d = 0; d < out.rank(); ++d) out[d] *= repeats[d];
  return Rearrange(name, x, out, [&](const Position& p) {
    Position from(p.size());
    for (size_t d = 0; d < p.size(); ++d) from[d] = p[d] % x.shape[d];
    return from;
  });
}

Result<SimTensor> RunExpand(const std::string& name, const std::vector<int64_t>& dims, const SimTensor& x) {
  LQ_ASSIGN_OR_RETURN(const Shape out, BroadcastShape(name, x.shape, ShapeOf(dims)));
  const size_t shift = out.rank() - x.shape.rank();
  return Rearrange(name, x, out, [&](const Position& p) {
    Position from(x.shape.rank());
    for (size_t d = 0; d < from.size(); ++d) from[d] = x.shape[d] == 1 ? 0 : p[d + shift];
    return from;
  });
}

struct Blocks {
  std::string name;
  int64_t size;
  bool to_space, columns_first;  // DCR, or CRD
};

Result<SimTensor> RunBlocks(const Blocks& b, const SimTensor& x) {
  const Shape& in = x.shape;
  const int64_t area = b.size * b.size;
  const bool fits = in.rank() == 4 && (b.to_space ? in[1] % area == 0 : in[2] % b.size == 0 && in[3] % b.size == 0);
  if (!fits) return InvalidArgument(fmt::format("{}: blocks of {} in shape {}", b.name, b.size, in.ToString()));
  if (!b.to_space) {
    const Shape out{in[0], in[1] * area, in[2] / b.size, in[3] / b.size};
    return Rearrange(b.name, x, out, [&](const Position& p) {
      const int64_t cell = p[1] / in[1];
      return Position{p[0], p[1] % in[1], p[2] * b.size + cell / b.size, p[3] * b.size + cell % b.size};
    });
  }
  const int64_t channels = in[1] / area;
  const Shape out{in[0], channels, in[2] * b.size, in[3] * b.size};
  return Rearrange(b.name, x, out, [&](const Position& p) {
    const int64_t cell = p[2] % b.size * b.size + p[3] % b.size;
    const int64_t channel = b.columns_first ? cell * channels + p[1] : p[1] * area + cell;
    return Position{p[0], channel, p[2] / b.size, p[3] / b.size};
  });
}

}  // namespace

Result<SimTensor> Rearrange(const std::string& name, const SimTensor& x, const Shape& out,
                            const std::function<Position(const Position&)>& source) {
  LQ_RETURN_IF_ERROR(CheckSize(name, out));
  std::vector<size_t> from(static_cast<size_t>(out.NumElements()));
  for (size_t i = 0; i < from.size(); ++i) {
    const Position position = source(PositionOf(i, out));
    size_t at = 0;
    for (size_t d = 0; d < x.shape.rank(); ++d) {
      at = at * static_cast<size_t>(x.shape[d]) + static_cast<size_t>(position[d]);
    }
    from[i] = at;
  }
  SimTensor result = x;
  result.shape = out;
  result.bias_scale.clear();
  result.f32 = Take(x.f32, from);
  result.w = Take(x.w, from);
  result.real = Take(x.real, from);
  result.magnitude = Take(x.magnitude, from);
  result.rounding = Take(x.rounding, from);
  return result;
}

Result<size_t> CheckedAxis(const std::string& name, int64_t axis, size_t rank) {
  const auto dims = static_cast<int64_t>(rank);
  if (axis >= -dims && axis < dims) return static_cast<size_t>(axis < 0 ? axis + dims : axis);
  return InvalidArgument(fmt::format("{}: axis {} of {} dimensions", name, axis, dims));
}

Result<RunNode> PrepareTranspose(const NodeContext& context) {
  return RunNode([name = context.Name(), perm = context.node.Ints("perm", {})](Inputs in) {
    return RunTranspose(name, perm, *in[0]);
  });
}

Result<RunNode> PrepareSlice(const NodeContext& context) {
  Slicing s{context.node.Ints("starts", {}), context.node.Ints("ends", {}), context.node.Ints("axes", {}), {}};
  if (context.Has(1)) {  // since operator set 10
    LQ_ASSIGN_OR_RETURN(s.starts, IntegerConstant(context, 1));
    LQ_ASSIGN_OR_RETURN(s.ends, IntegerConstant(context, 2));
    if (context.Has(3)) {
      LQ_ASSIGN_OR_RETURN(s.axes, IntegerConstant(context, 3));
    }
    if (context.Has(4)) {
      LQ_ASSIGN_OR_RETURN(s.steps, IntegerConstant(context, 4));
    }
  }
  if (s.axes.empty()) {
    for (size_t i = 0; i < s.starts.size(); ++i) s.axes.push_back(static_cast<int64_t>(i));
  }
  if (s.steps.empty()) s.steps.assign(s.starts.size(), 1);
  const bool fits = s.ends.size() == s.starts.size() && s.axes.size() == s.starts.size() &&
                    s.steps.size() == s.starts.size() && std::count(s.steps.begin(), s.steps.end(), 0) == 0;
  if (!fits) {
    return InvalidArgument(fmt::format("{}: {} starts, {} ends, {} axes, {} steps (none may be 0)", context.Name(),
                                       s.starts.size(), s.ends.size(), s.axes.size(), s.steps.size()));
  }
  return RunNode([name = context.Name(), s](Inputs in) { return RunSlice(name, s, *in[0]); });
}

Result<RunNode> PrepareGather(const NodeContext& context) {
  const int64_t axis = context.node.Int("axis", 0);
  if (context.ConstantInput(1) == nullptr) {  // numbers that a node or the caller makes
    return RunNode([name = context.Name(), axis](Inputs in) {
      Indices indices{in[1]->shape, {}};
      for (double value : Reals(*in[1])) indices.values.push_back(IndexOf(value));
      return RunGather(name, indices, axis, *in[0]);
    });
  }
  LQ_ASSIGN_OR_RETURN(std::vector<int64_t> values, IntegerConstant(context, 1));
  const Indices indices{context.ConstantInput(1)->data->shape, std::move(values)};
  return RunNode([name = context.Name(), indices, axis](Inputs in) { return RunGather(name, indices, axis, *in[0]); });
}

Result<RunNode> PrepareGatherElements(const NodeContext& context) {
  return RunNode([name = context.Name(), number = context.node.Int("axis", 0)](Inputs in) -> Result<SimTensor> {
    const SimTensor &x = *in[0], &indices = *in[1];
    LQ_ASSIGN_OR_RETURN(const size_t axis, CheckedAxis(name, number, x.shape.rank()));
    const std::vector<double> values = Reals(indices);
    bool fits = x.shape.rank() == indices.shape.rank();
    for (size_t d = 0; fits && d < x.shape.rank(); ++d) fits = d == axis || indices.shape[d] <= x.shape[d];
    const int64_t length = x.shape[axis];
    for (double value : values) fits = fits && IndexOf(value) >= -length && IndexOf(value) < length;
    if (!fits) {
      return InvalidArgument(fmt::format("{}: indices of shape {}, along axis {} of shape {}", name,
                                         indices.shape.ToString(), axis, x.shape.ToString()));
    }
    return Rearrange(name, x, indices.shape, [&](const Position& p) {
      size_t at = 0;
      for (size_t d = 0; d < p.size(); ++d) {
        at = at * static_cast<size_t>(indices.shape[d]) + static_cast<size_t>(p[d]);
      }
      Position from = p;
      from[axis] = IndexOf(values[at]) + (IndexOf(values[at]) < 0 ? length : 0);
      return from;
    });
  });
}

Result<RunNode> PrepareTile(const NodeContext& context) {
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> repeats, IntegerConstant(context, 1));
  for (int64_t many : repeats) {
    if (many < 0 || many > Shape::kMaxDim) return InvalidArgument(fmt::format("{}: {} repeats", context.Name(), many));
  }
  return RunNode([name = context.Name(), repeats](Inputs in) { return RunTile(name, repeats, *in[0]); });
}

Result<RunNode> PrepareExpand(const NodeContext& context) {
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, IntegerConstant(context, 1));
  if (dims.size() > Shape::kMaxRank) return Unsupported(fmt::format("{}: {} dimensions", context.Name(), dims.size()));
  return RunNode([name = context.Name(), dims](Inputs in) { return RunExpand(name, dims, *in[0]); });
}

Result<RunNode> PrepareBlocks(const NodeContext& context) {
  const std::string mode = context.node.String("mode", "DCR");
  const Blocks blocks{context.Name(), context.node.Int("blocksize", 0), context.node.op == "DepthToSpace",
                      mode == "DCR"};
  if (blocks.size < 1 || blocks.size > 32767 || (mode != "DCR" && mode != "CRD")) {
    return InvalidArgument(fmt::format("{}: blocksize {}, mode '{}'", blocks.name, blocks.size, mode));
  }
  return RunNode([blocks](Inputs in) { return RunBlocks(blocks, *in[0]); });
}

}  // namespace lq::simulator
