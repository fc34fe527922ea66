// Squeeze, Unsqueeze, Concat, Pad, Resize to the nearest (exact_simulator.md 1, 6).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/simulator/rearrange.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

Result<SimTensor> RunSqueeze(const std::string& name, const std::vector<int64_t>& axes, const SimTensor& x) {
  std::vector<bool> drop(x.shape.rank());
  for (size_t d = 0; d < drop.size(); ++d) drop[d] = axes.empty() && x.shape[d] == 1;
  for (int64_t axis : axes) {
    LQ_ASSIGN_OR_RETURN(const size_t at, CheckedAxis(name, axis, x.shape.rank()));
    if (x.shape[at] != 1) {
      return InvalidArgument(fmt::format("{}: axis {} of shape {} is not 1", name, axis, x.shape.ToString()));
    }
    drop[at] = true;
  }
  std::vector<int64_t> dims;
  for (size_t d = 0; d < drop.size(); ++d) {
    if (!drop[d]) dims.push_back(x.shape[d]);
  }
  SimTensor out = x;
  out.shape = Shape(dims);
  out.bias_scale.clear();
  return out;
}

Result<SimTensor> RunUnsqueeze(const std::string& name, const std::vector<int64_t>& axes, const SimTensor& x) {
  const size_t rank = x.shape.rank() + axes.size();
  if (rank > Shape::kMaxRank) return Unsupported(fmt::format("{}: {} dimensions", name, rank));
  std::vector<bool> fresh(rank);
  for (int64_t axis : axes) {
    LQ_ASSIGN_OR_RETURN(const size_t at, CheckedAxis(name, axis, rank));
    if (fresh[at]) return InvalidArgument(fmt::format("{}: axis {} twice", name, axis));
    fresh[at] = true;
  }
  std::vector<int64_t> dims;
  size_t next = 0;
  for (size_t d = 0; d < rank; ++d) dims.push_back(fresh[d] ? 1 : x.shape[next++]);
  SimTensor out = x;
  out.shape = Shape(dims);
  out.bias_scale.clear();
  return out;
}

Result<Shape> ConcatShape(const std::string& name, Inputs in, size_t axis) {
  Shape out = in[0]->shape;
  out[axis] = 0;
  for (const SimTensor* x : in) {
    bool fits = x->shape.rank() == out.rank();
    for (size_t d = 0; fits && d < out.rank(); ++d) fits = d == axis || x->shape[d] == out[d];
    if (!fits) {
      return InvalidArgument(fmt::format("{}: shapes {} and {} do not join along axis {}", name,
                                         in[0]->shape.ToString(), x->shape.ToString(), axis));
    }
    out[axis] += x->shape[axis];
  }
  LQ_RETURN_IF_ERROR(CheckSize(name, out));
  return out;
}

// Calls append(x, first, count) for the pieces in the order of the result.
template <class Append>
void ForEachPiece(Inputs in, size_t axis, Append append) {
  size_t outer = 1;
  for (size_t d = 0; d < axis; ++d) outer *= static_cast<size_t>(in[0]->shape[d]);
  for (size_t o = 0; o < outer; ++o) {
    for (const SimTensor* x : in) append(*x, o * (x->size() / outer), x->size() / outer);
  }
}

Result<SimTensor> RunConcat(const std::string& name, int64_t axis_number, Inputs in) {
  LQ_ASSIGN_OR_RETURN(const size_t axis, CheckedAxis(name, axis_number, in[0]->shape.rank()));
  LQ_ASSIGN_OR_RETURN(const Shape shape, ConcatShape(name, in, axis));
  SimTensor out;
  out.shape = shape;
  out.encoding = in[0]->encoding;
  bool same = true, real = false, recorded = false;
  for (const SimTensor* x : in) {
    recorded = recorded || !x->rounding.empty();
    same = same && x->kind == Kind::kCoded && x->encoding == out.encoding;
    real = real || x->kind == Kind::kReal;
    out.of_function = out.of_function || x->of_function;
  }
  out.kind = same ? Kind::kCoded : real ? Kind::kReal : Kind::kF32;
  if (shape.NumElements() == 0) return out;
  ForEachPiece(in, axis, [&](const SimTensor& x, size_t first, size_t count) {
    for (size_t i = first; i < first + count; ++i) {
      if (out.kind == Kind::kCoded) out.w.push_back(x.w[i]);
      if (out.kind == Kind::kCoded && recorded) {
        out.rounding.push_back(x.rounding.empty() ? Rounding{static_cast<double>(x.w[i]), 0} : x.rounding[i]);
      }
      if (out.kind == Kind::kF32) out.f32.push_back(x.F32(i));
      if (out.kind == Kind::kReal) out.real.push_back(x.Real(i));
    }
  });
  return out;
}

// FoldShapes leaves constants that an Expand repeats for each row of a dynamic batch as they are.
Result<SimTensor> RunRepeatingConcat(const std::string& name, int64_t axis_number, Inputs in) {
  LQ_ASSIGN_OR_RETURN(const size_t axis, CheckedAxis(name, axis_number, in[0]->shape.rank()));
  std::vector<SimTensor> all;
  for (const SimTensor* x : in) {
    Shape shape = x->shape;
    for (const SimTensor* other : in) {
      for (size_t d = 0; d < shape.rank() && d < other->shape.rank(); ++d) {
        if (d != axis && shape[d] == 1) shape[d] = other->shape[d];
      }
    }
    LQ_ASSIGN_OR_RETURN(SimTensor repeated, Rearrange(name, *x, shape, [&](const Position& p) {
                          Position from = p;
                          for (size_t d = 0; d < from.size(); ++d) from[d] = std::min(from[d], x->shape[d] - 1);
                          return from;
                        }));
    all.push_back(std::move(repeated));
  }
  std::vector<const SimTensor*> parts;
  for (const SimTensor& x : all) parts.push_back(&x);
  return RunConcat(name, axis_number, parts);
}

struct Padding {
  std::string name, mode;
  std::vector<int64_t> pads;
  std::vector<int64_t> axes;  // empty: all
  float value;
};

// Where position `at` of the padded axis lies in the input, -1: nowhere.
int64_t PadSource(const std::string& mode, int64_t at, int64_t length) {
  if (at >= 0 && at < length) return at;
  if (mode == "constant") return -1;
  if (mode == "edge") return at < 0 ? 0 : length - 1;
  if (mode == "wrap") return ((at % length) + length) % length;
  return at < 0 ? -at : 2 * (length - 1) - at;  // reflect
}

// The elements, and behind them the constant as one more.
SimTensor WithConstant(const SimTensor& x, float value) {
  // A real value among codes makes all of them real (exact_simulator.md 6).
  SimTensor all = value == 0 || x.kind != Kind::kCoded ? x : MakeReal(x.shape, Reals(x));
  all.shape = {static_cast<int64_t>(x.size()) + 1};
  if (all.kind == Kind::kCoded) all.w.push_back(0);
  if (all.kind == Kind::kF32) all.f32.push_back(value);
  if (all.kind == Kind::kReal) all.real.push_back(value);
  if (!all.magnitude.empty()) all.magnitude.push_back(std::abs(value));
  if (!all.rounding.empty()) all.rounding.push_back({});
  return all;
}

Result<SimTensor> RunPad(const Padding& node, const SimTensor& x) {
  const size_t rank = x.shape.rank();
  std::vector<int64_t> axes = node.axes;
  if (axes.empty()) {
    for (size_t d = 0; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  }
  if (node.pads.size() != 2 * axes.size()) {
    return InvalidArgument(fmt::format("{}: {} pads for {} axes", node.name, node.pads.size(), axes.size()));
  }
  Shape out = x.shape;
  Position begin(rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    LQ_ASSIGN_OR_RETURN(const size_t d, CheckedAxis(node.name, axes[i], rank));
    const int64_t before = node.pads[i], after = node.pads[i + axes.size()];
    const int64_t most = node.mode == "reflect" ? x.shape[d] - 1 : Shape::kMaxDim;
    if (before > most || after > most || std::min(before, after) < -Shape::kMaxDim ||
        std::max(-before, int64_t{0}) + std::max(-after, int64_t{0}) > x.shape[d]) {
      return InvalidArgument(
          fmt::format("{}: pads {} and {} of an axis of length {}", node.name, before, after, x.shape[d]));
    }
    begin[d] = before;
    out[d] += before + after;
  }
  const auto elements = static_cast<int64_t>(x.size());
  return Rearrange(node.name, WithConstant(x, node.value), out, [&](const Position& p) {
    int64_t from = 0;
    for (size_t d = 0; d < rank; ++d) {
      const int64_t at = PadSource(node.mode, p[d] - begin[d], x.shape[d]);
      if (at < 0) return Position{elements};
      from = from * x.shape[d] + at;
    }
    return Position{from};
  });
}

struct Resizing {
  std::string name, coordinates, rounding;
  std::vector<float> scales;   // one for each dimension, or
  std::vector<int64_t> sizes;  // the sizes
};

// The source of element `o` of an axis that goes from `in` to `out` elements (ONNX Resize, mode nearest), in float32 as
// ONNX Runtime computes it: which element is nearest hangs on the last bit.
int64_t NearestSource(const Resizing& node, int64_t o, int64_t in, int64_t out, float scale) {
  float place = float(o) / scale;
  if (node.coordinates == "half_pixel") place = (float(o) + 0.5f) / scale - 0.5f;
  if (node.coordinates == "pytorch_half_pixel") place = out > 1 ? (float(o) + 0.5f) / scale - 0.5f : 0;
  if (node.coordinates == "align_corners") place = out > 1 ? float(o) * float(in - 1) / float(out - 1) : 0;
  const double at = place;
  double nearest = std::ceil(at - 0.5);  // round_prefer_floor
  if (node.rounding == "round_prefer_ceil") nearest = std::floor(at + 0.5);
  if (node.rounding == "floor") nearest = std::floor(at);
  if (node.rounding == "ceil") nearest = std::ceil(at);
  return std::clamp(static_cast<int64_t>(nearest), int64_t{0}, in - 1);
}

Result<SimTensor> RunResize(const Resizing& node, const SimTensor& x) {
  const size_t rank = x.shape.rank();
  if ((node.sizes.empty() ? node.scales.size() : node.sizes.size()) != rank) {
    return InvalidArgument(fmt::format("{}: {} scales and {} sizes for shape {}", node.name, node.scales.size(),
                                       node.sizes.size(), x.shape.ToString()));
  }
  Shape out = x.shape;
  std::vector<float> scales(rank);
  for (size_t d = 0; d < rank; ++d) {
    double length = double(x.shape[d]);
    if (node.sizes.empty()) length = std::floor(double(float(x.shape[d]) * node.scales[d]));
    if (!node.sizes.empty() && node.sizes[d] != -1) length = double(node.sizes[d]);  // -1: as it is, see FoldShapes
    if (!(length >= 0 && length <= double(Shape::kMaxDim))) {
      return InvalidArgument(fmt::format("{}: a length of {} along axis {}", node.name, length, d));
    }
    out[d] = static_cast<int64_t>(length);
    scales[d] = node.sizes.empty() ? node.scales[d] : float(out[d]) / float(x.shape[d]);
  }
  return Rearrange(node.name, x, out, [&](const Position& p) {
    Position from(rank);
    for (size_t d = 0; d < rank; ++d) from[d] = NearestSource(node, p[d], x.shape[d], out[d], scales[d]);
    return from;
  });
}

}  // namespace

Result<RunNode> PrepareSqueeze(const NodeContext& context) {
  std::vector<int64_t> axes = context.node.Ints("axes", {});
  if (context.Has(1)) {
    LQ_ASSIGN_OR_RETURN(axes, IntegerConstant(context, 1));
  }
  const auto run = context.node.op == "Squeeze" ? RunSqueeze : RunUnsqueeze;
  return RunNode([name = context.Name(), axes, run](Inputs in) { return run(name, axes, *in[0]); });
}

Result<RunNode> PrepareConcat(const NodeContext& context) {
  const auto run = context.node.Int("repeats", 0) != 0 ? RunRepeatingConcat : RunConcat;
  return RunNode(
      [run, name = context.Name(), axis = context.node.Int("axis", 0)](Inputs in) { return run(name, axis, in); });
}

Result<RunNode> PreparePad(const NodeContext& context) {
  Padding node{context.Name(),
               context.node.String("mode", "constant"),
               context.node.Ints("pads", {}),
               {},
               context.node.Float("value", 0)};
  if (context.Has(1)) {
    LQ_ASSIGN_OR_RETURN(node.pads, IntegerConstant(context, 1));
  }
  if (context.Has(2)) {
    LQ_ASSIGN_OR_RETURN(const std::vector<double> value, RealConstant(context, 2));
    if (value.size() != 1) return InvalidArgument(fmt::format("{}: {} constants", node.name, value.size()));
    node.value = static_cast<float>(value[0]);
  }
  if (context.Has(3)) {
    LQ_ASSIGN_OR_RETURN(node.axes, IntegerConstant(context, 3));
  }
  return RunNode([node = std::move(node)](Inputs in) { return RunPad(node, *in[0]); });
}

Result<RunNode> PrepareResize(const NodeContext& context) {
  const std::string mode = context.node.String("mode", "nearest");
  if (mode == "linear" || mode == "cubic") return PrepareInterpolation(context);
  Resizing node{context.Name(),
                context.node.String("coordinate_transformation_mode", "half_pixel"),
                context.node.String("nearest_mode", "round_prefer_floor"),
                {},
                {}};
  if (context.graph.opset < 11) node.coordinates = "asymmetric";
  const size_t scales = context.graph.opset < 11 ? 1 : 2;
  if (const GraphConstant* given = context.ConstantInput(scales)) node.scales = given->data->f32;
  if (context.Has(3)) {
    LQ_ASSIGN_OR_RETURN(node.sizes, IntegerConstant(context, 3));
  }
  if (mode != "nearest" || node.scales.empty() == node.sizes.empty()) {
    return Unsupported(
        fmt::format("{}: mode '{}', {} scales, {} sizes; supported: nearest, linear and cubic with constant scales "
                    "or sizes",
                    node.name, mode, node.scales.size(), node.sizes.size()));
  }
  return RunNode([node = std::move(node)](Inputs in) { return RunResize(node, *in[0]); });
}

}  // namespace lq::simulator
