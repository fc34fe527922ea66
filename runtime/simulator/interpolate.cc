// Resize, linear and cubic (exact_simulator.md 6): axis by axis, in order.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct Interpolation {
  std::string name, coordinates;
  std::vector<float> scales;   // one for each dimension, or
  std::vector<int64_t> sizes;  // the sizes
  // The codes are interpolated, of this zero point, and cut to integers, as ONNX Runtime does in its QOperator form.
  std::optional<int64_t> code_zero;
  bool cubic = false;
  double a = -0.75;  // of cubic
};

double CodeOf(const SimTensor& x, size_t i, int64_t zero) { return static_cast<double>(x.w[i] + zero); }

struct Lengths {
  int64_t in, out;
  double scale;
};

// Where element `o` lies in the input.
double SourceCoordinate(const std::string& coordinates, int64_t o, const Lengths& axis) {
  double at = (double(o) + 0.5) / axis.scale - 0.5;
  if (coordinates == "asymmetric") at = double(o) / axis.scale;
  if (coordinates == "pytorch_half_pixel" && axis.out == 1) at = 0;
  if (coordinates == "align_corners") at = axis.out == 1 ? 0 : double(o) * double(axis.in - 1) / double(axis.out - 1);
  return at;
}

// The element `shift` beside the one at or before p.
int64_t Neighbour(double p, int64_t shift, const Lengths& axis) {
  return std::min(std::max(static_cast<int64_t>(std::floor(p)) + shift, int64_t{0}), axis.in - 1);
}

// Keys's kernel at distance d: of the two elements around a position, and of those beyond them.
double Inner(double a, double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; }
double Outer(double a, double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; }

// One axis of a tensor [outer][axis.in][inner].
std::vector<double> AlongAxis(const Interpolation& node, const std::vector<double>& x, const Lengths& axis,
                              int64_t inner) {
  const int64_t outer = static_cast<int64_t>(x.size()) / (axis.in * inner);
  std::vector<double> y;
  y.reserve(static_cast<size_t>(outer * axis.out * inner));
  for (int64_t row = 0; row < outer; ++row) {
    for (int64_t o = 0; o < axis.out; ++o) {
      double p = SourceCoordinate(node.coordinates, o, axis);
      if (!node.cubic) p = std::min(std::max(p, 0.0), double(axis.in - 1));
      const double f = p - std::floor(p);
      for (int64_t i = 0; i < inner; ++i) {
        const auto at = [&](int64_t shift) {
          return x[static_cast<size_t>((row * axis.in + Neighbour(p, shift, axis)) * inner + i)];
        };
        if (node.cubic) {
          const double first = at(-1) * Outer(node.a, 1 + f) + at(0) * Inner(node.a, f);
          y.push_back(first + at(1) * Inner(node.a, 1 - f) + at(2) * Outer(node.a, 2 - f));
        } else {
          y.push_back(at(0) * (1 - f) + at(1) * f);
        }
      }
    }
  }
  return y;
}

Result<SimTensor> RunInterpolation(const Interpolation& node, const SimTensor& x) {
  const size_t rank = x.shape.rank();
  Shape out = x.shape;
  std::vector<double> scales(rank);
  const bool by_scales = node.sizes.empty();
  bool fits = (by_scales ? node.scales.size() : node.sizes.size()) == rank && x.size() > 0;
  for (size_t d = 0; fits && d < rank; ++d) {
    const double length = by_scales             ? std::floor(double(float(x.shape[d]) * node.scales[d]))
                          : node.sizes[d] == -1 ? double(x.shape[d])  // as it is, see FoldShapes
                                                : double(node.sizes[d]);
    fits = length >= 1 && length <= double(Shape::kMaxDim);
    if (!fits) break;
    out[d] = static_cast<int64_t>(length);
    scales[d] = by_scales ? double(node.scales[d]) : length / double(x.shape[d]);
  }
  if (!fits) {
    return InvalidArgument(fmt::format("{}: {} scales and {} sizes for shape {}", node.name, node.scales.size(),
                                       node.sizes.size(), x.shape.ToString()));
  }
  LQ_RETURN_IF_ERROR(CheckSize(node.name, out));
  if (node.code_zero.has_value() && x.kind != Kind::kCoded) {
    return Unsupported(fmt::format("{}: its input holds no codes", node.name));
  }
  std::vector<double> y = Reals(x);
  for (size_t i = 0; i < y.size() && node.code_zero.has_value(); ++i) y[i] = CodeOf(x, i, *node.code_zero);
  int64_t inner = static_cast<int64_t>(x.size());
  for (size_t d = 0; d < rank; ++d) {
    inner /= x.shape[d];
    if (scales[d] != 1) y = AlongAxis(node, y, {x.shape[d], out[d], scales[d]}, inner);
  }
  for (double& value : y) {
    if (!node.code_zero.has_value()) break;
    value = (std::trunc(value) - static_cast<double>(*node.code_zero)) * static_cast<double>(x.encoding.scale);
  }
  SimTensor result = MakeReal(out, std::move(y));
  result.of_function = x.of_function;
  return result;
}

}  // namespace

Result<RunNode> PrepareInterpolation(const NodeContext& context) {
  Interpolation node{context.Name(), context.node.String("coordinate_transformation_mode", "half_pixel"), {}, {}, {}};
  node.cubic = context.node.String("mode", "nearest") == "cubic";
  node.a = context.node.Float("cubic_coeff_a", -0.75f);
  if (context.node.attributes.count("code_zero") != 0) node.code_zero = context.node.Int("code_zero", 0);
  if (const GraphConstant* given = context.ConstantInput(2)) node.scales = given->data->f32;
  if (context.Has(3)) {
    LQ_ASSIGN_OR_RETURN(node.sizes, IntegerConstant(context, 3));
  }
  constexpr const char* kKnown[] = {"asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"};
  const bool known = std::find(std::begin(kKnown), std::end(kKnown), node.coordinates) != std::end(kKnown);
  const bool excludes = node.cubic && context.node.Int("exclude_outside", 0) != 0;
  if (!known || excludes || context.graph.opset < 11 || node.scales.empty() == node.sizes.empty()) {
    return Unsupported(
        fmt::format("{}: {}, {}, {} scales, {} sizes; supported: {} with constant scales or sizes, "
                    "and no exclude_outside",
                    node.name, node.cubic ? "cubic" : "linear", node.coordinates, node.scales.size(), node.sizes.size(),
                    fmt::join(kKnown, ", ")));
  }
  return RunNode([node = std::move(node)](Inputs in) { return RunInterpolation(node, *in[0]); });
}

}  // namespace lq::simulator
