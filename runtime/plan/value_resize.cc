// Resize, linear and cubic (exact_simulator.md 6): of two or four neighbours along each axis, one axis after the other.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "runtime/plan/broadcast.h"
#include "runtime/plan/resize_taps.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

enum class Coordinates { kAsymmetric, kHalfPixel, kPytorchHalfPixel, kAlignCorners };
constexpr std::pair<const char*, Coordinates> kCoordinates[] = {{"asymmetric", Coordinates::kAsymmetric},
                                                                {"half_pixel", Coordinates::kHalfPixel},
                                                                {"pytorch_half_pixel", Coordinates::kPytorchHalfPixel},
                                                                {"align_corners", Coordinates::kAlignCorners}};

struct ResizeSpec {
  std::string name;
  Coordinates coordinates;
  std::vector<float> scales;   // one for each dimension, or
  std::vector<int64_t> sizes;  // the output's, -1: as it is
  // The codes are interpolated, of this zero point, and cut to integers, as ONNX Runtime does in its QOperator form.
  std::optional<int64_t> code_zero;
  std::optional<double> cubic;  // its coefficient; linear without
};

// Lengths of one axis that changes, and where its elements lie.
struct Axis {
  int64_t in, out, after;  // after: elements of the output per element of this axis
  double scale;
  ptrdiff_t stride;  // of the input
};

class ResizeOperator final : public ElementOperator {
 public:
  explicit ResizeOperator(ResizeSpec spec)
      : ElementOperator(spec.code_zero ? ValueKind::kCoded : ValueKind::kReal, true), spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape& shape = in[0];
    Shape out = shape;
    bool fits = (spec_.sizes.empty() ? spec_.scales.size() : spec_.sizes.size()) == shape.rank();
    for (size_t d = 0; fits && d < shape.rank(); ++d) {
      const double length = spec_.sizes.empty()    ? std::floor(double(static_cast<float>(shape[d]) * spec_.scales[d]))
                            : spec_.sizes[d] == -1 ? double(shape[d])
                                                   : double(spec_.sizes[d]);
      fits = shape[d] >= 1 && length >= 1 && length <= double(Shape::kMaxDim);
      if (fits) out[d] = static_cast<int64_t>(length);
    }
    if (fits) return out;
    return InvalidArgument(fmt::format("{}: {} scales and {} sizes do not fit shape {}", spec_.name,
                                       spec_.scales.size(), spec_.sizes.size(), shape.ToString()));
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    const Strides strides = BroadcastStrides(in[0].shape, in[0].shape);
    std::array<Axis, Shape::kMaxRank> axes;
    size_t changed = 0;
    Strides kept{};
    int64_t after = 1;
    for (size_t d = out.shape.rank(); d-- > 0; after *= out.shape[d]) {
      const int64_t from = in[0].shape[d], to = out.shape[d];
      const double scale = spec_.sizes.empty() ? double(spec_.scales[d]) : double(to) / double(from);
      if (scale == 1) kept[d] = strides[d];
      if (scale != 1) axes[changed++] = {from, to, after, scale, strides[d]};
    }
    // The last axis of the list is the first of the tensor: it is resized first, so that it is innermost here.
    const std::span<const Axis> list(axes.data(), changed);
    for (size_t i = elements.begin; i < elements.end; ++i) {
      const auto index = static_cast<int64_t>(i);
      const ptrdiff_t at = OffsetOf(index, out.shape.dims(), kept);
      if (!spec_.code_zero) {
        out.real[i] = Between(in[0].real + at, index, list);
      } else {
        const double code = std::trunc(Between(in[0].centred + at, index, list));
        out.real[i] = (code - static_cast<double>(*spec_.code_zero)) * in[0].scale;
      }
    }
  }

 private:
  // What an element counts as.
  double At(double x) const { return x; }
  double At(int32_t centred) const { return static_cast<double>(centred + *spec_.code_zero); }

  template <class T>
  double Between(const T* x, int64_t index, std::span<const Axis> axes) const {
    if (axes.empty()) return At(*x);
    const Axis& axis = axes.front();
    const double at = Source(axis, index / axis.after % axis.out);
    const ResizeTaps taps = spec_.cubic ? CubicTaps(at, axis.in, *spec_.cubic)
                                        : LinearTaps(std::clamp(at, 0.0, double(axis.in - 1)), axis.in);
    double sum = 0;
    for (size_t i = 0; i < taps.count; ++i) {
      const double term = Between(x + taps.at[i] * axis.stride, index, axes.subspan(1)) * taps.weight[i];
      sum = i == 0 ? term : sum + term;
    }
    return sum;
  }

  double Source(const Axis& axis, int64_t o) const {
    const double half = (double(o) + 0.5) / axis.scale - 0.5;
    switch (spec_.coordinates) {
      case Coordinates::kHalfPixel:
        return half;
      case Coordinates::kPytorchHalfPixel:
        return axis.out > 1 ? half : 0;
      case Coordinates::kAlignCorners:
        return axis.out > 1 ? double(o) * double(axis.in - 1) / double(axis.out - 1) : 0;
      case Coordinates::kAsymmetric:
        break;
    }
    return double(o) / axis.scale;
  }

  ResizeSpec spec_;
};

}  // namespace

ValueOperatorResult MakeResizing(const ValueNode& n) {
  if (n.node.op != "Resize") return std::unique_ptr<ValueOperator>();
  const std::string mode = n.node.String("mode", "nearest"),
                    coordinates = n.node.String("coordinate_transformation_mode", "half_pixel");
  ResizeSpec spec{n.Name(), Coordinates::kHalfPixel, {}, {}, {}, {}};
  if (mode == "cubic") spec.cubic = n.node.Float("cubic_coeff_a", -0.75f);
  if (n.node.attributes.count("code_zero") != 0) spec.code_zero = n.node.Int("code_zero", 0);
  if (spec.code_zero && !n.AllCoded()) return Unsupported(fmt::format("{}: its input holds no codes", spec.name));
  const Constant* scales = n.node.inputs.size() > 2 ? n.constants.Find(n.node.inputs[2]) : nullptr;
  if (scales != nullptr) spec.scales = scales->f32;
  LQ_ASSIGN_OR_RETURN(spec.sizes, IntegersOf(n.graph, n.node, n.constants, 3, ""));
  for (const auto& [name, value] : kCoordinates) {
    const bool whole_window = mode == "cubic" && n.node.Int("exclude_outside", 0) == 0;
    if ((mode != "linear" && !whole_window) || coordinates != name || spec.scales.empty() == spec.sizes.empty() ||
        n.graph.opset < 11) {
      continue;
    }
    spec.coordinates = value;
    return std::unique_ptr<ValueOperator>(std::make_unique<ResizeOperator>(std::move(spec)));
  }
  return Unsupported(
      fmt::format("{}: mode '{}', {}, {} scales and {} sizes; supported: nearest, linear, and cubic without "
                  "exclude_outside, with constant scales or sizes",
                  spec.name, mode, coordinates, spec.scales.size(), spec.sizes.size()));
}

}  // namespace lq
