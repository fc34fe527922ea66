// Rearrangements of images: Pad, Resize to the nearest, DepthToSpace, SpaceToDepth, spreading for ConvTranspose.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/plan/rearrangement.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class Pad final : public Rearrangement {
 public:
  enum class Mode { kConstant, kEdge, kReflect, kWrap };
  Pad(std::string name, Mode mode, std::vector<int64_t> pads, std::vector<int64_t> axes)
      : name_(std::move(name)), mode_(mode), pads_(std::move(pads)), axes_(std::move(axes)) {}

  Result<Shape> OutputShape(const Shape& in) const override {
    if (pads_.size() != 2 * (axes_.empty() ? in.rank() : axes_.size())) return Misfit(in);
    for (int64_t axis : axes_) LQ_RETURN_IF_ERROR(AxisOf(name_, axis, in.rank()).status());
    Shape out = in;
    for (size_t d = 0; d < in.rank(); ++d) {
      const Ends ends = EndsOf(d, in.rank());
      const int64_t most = mode_ == Mode::kReflect ? in[d] - 1 : Shape::kMaxDim;
      if (std::min(ends.begin, ends.end) < -Shape::kMaxDim) return Misfit(in);
      const int64_t cut = std::max<int64_t>(-ends.begin, 0) + std::max<int64_t>(-ends.end, 0);
      if (ends.begin > most || ends.end > most || cut > in[d]) return Misfit(in);
      if (mode_ != Mode::kConstant && in[d] < 1) return Misfit(in);
      out[d] += ends.begin + ends.end;
    }
    return out;
  }
  ptrdiff_t Place(const Input& in, size_t axis, int64_t i) const override {
    const int64_t length = in.shape[axis], last = length - 1;
    int64_t at = i - EndsOf(axis, in.shape.rank()).begin;
    if (at < 0 || at > last) {
      if (mode_ == Mode::kConstant) return kPadding;
      if (mode_ == Mode::kEdge) at = std::clamp<int64_t>(at, 0, last);
      if (mode_ == Mode::kReflect) at = at < 0 ? -at : last - (at - last);
      if (mode_ == Mode::kWrap) at = (at % length + length) % length;
    }
    return at * in.strides[axis];
  }

 private:
  struct Ends {
    int64_t begin, end;
  };
  Ends EndsOf(size_t d, size_t rank) const {
    const size_t count = pads_.size() / 2;
    if (axes_.empty()) return {pads_[d], pads_[d + count]};
    for (size_t k = 0; k < count; ++k) {
      const int64_t axis = axes_[k] < 0 ? axes_[k] + static_cast<int64_t>(rank) : axes_[k];
      if (axis == static_cast<int64_t>(d)) return {pads_[k], pads_[k + count]};
    }
    return {0, 0};
  }
  Status Misfit(const Shape& in) const {
    return InvalidArgument(
        fmt::format("{}: pads ({}) do not fit an input of shape {}", name_, fmt::join(pads_, ", "), in.ToString()));
  }

  std::string name_;
  Mode mode_;
  std::vector<int64_t> pads_, axes_;
};

class Resize final : public Rearrangement {
 public:
  enum class Coordinates { kAsymmetric, kHalfPixel, kPytorchHalfPixel, kAlignCorners };
  enum class Nearest { kPreferFloor, kPreferCeil, kFloor, kCeil };
  struct Spec {
    std::string name;
    Coordinates coordinates;
    Nearest nearest;
    std::vector<float> scales;   // or
    std::vector<int64_t> sizes;  // one for each dimension, -1: as it is
  };
  explicit Resize(Spec spec) : spec_(std::move(spec)) {}

  Result<Shape> OutputShape(const Shape& in) const override {
    if (std::max(spec_.scales.size(), spec_.sizes.size()) != in.rank() || in.NumElements() < 1) {
      return InvalidArgument(fmt::format("{}: {} scales and {} sizes do not fit an input of shape {}", spec_.name,
                                         spec_.scales.size(), spec_.sizes.size(), in.ToString()));
    }
    Shape out = in;
    for (size_t d = 0; d < in.rank(); ++d) {
      const double length = spec_.sizes.empty() ? Scaled(in, d) : static_cast<double>(Length(in, d));
      if (!(length >= 0 && length <= static_cast<double>(Shape::kMaxDim))) {
        return InvalidArgument(
            fmt::format("{}: a length of {} along axis {}; supported: 0 to {}", spec_.name, length, d, Shape::kMaxDim));
      }
      out[d] = Length(in, d);
    }
    return out;
  }
  // In float32, as ONNX Runtime: 1 / (1 / 3) is 3, though the scale is a little above a third.
  ptrdiff_t Place(const Input& in, size_t axis, int64_t i) const override {
    const auto length = static_cast<float>(in.shape[axis]), result = static_cast<float>(Length(in.shape, axis));
    const float scale = spec_.sizes.empty() ? spec_.scales[axis] : result / length, o = static_cast<float>(i);
    float at = 0;
    switch (spec_.coordinates) {
      case Coordinates::kAsymmetric:
        at = o / scale;
        break;
      case Coordinates::kHalfPixel:
        at = (o + 0.5f) / scale - 0.5f;
        break;
      case Coordinates::kPytorchHalfPixel:
        at = result > 1 ? (o + 0.5f) / scale - 0.5f : 0;
        break;
      case Coordinates::kAlignCorners:
        at = result > 1 ? o * (length - 1) / (result - 1) : 0;
        break;
    }
    return std::clamp(static_cast<int64_t>(Rounded(at)), int64_t{0}, in.shape[axis] - 1) * in.strides[axis];
  }

 private:
  double Scaled(const Shape& in, size_t d) const { return static_cast<float>(in[d]) * spec_.scales[d]; }
  int64_t Length(const Shape& in, size_t d) const {
    if (!spec_.sizes.empty()) return spec_.sizes[d] == -1 ? in[d] : spec_.sizes[d];
    return static_cast<int64_t>(Scaled(in, d));
  }
  double Rounded(double at) const {
    switch (spec_.nearest) {
      case Nearest::kFloor:
        return std::floor(at);
      case Nearest::kCeil:
        return std::ceil(at);
      case Nearest::kPreferCeil:
        return std::floor(at + 0.5);
      case Nearest::kPreferFloor:
        break;
    }
    return std::ceil(at - 0.5);
  }

  Spec spec_;
};

// DepthToSpace and SpaceToDepth.
class Blocks final : public Rearrangement {
 public:
  Blocks(std::string name, int64_t size, bool to_space, bool depth_first)
      : name_(std::move(name)), size_(size), to_space_(to_space), depth_first_(depth_first) {}

  Result<Shape> OutputShape(const Shape& in) const override {
    const int64_t area = size_ * size_;
    const bool fits = in.rank() == 4 && (to_space_ ? in[1] % area == 0 : in[2] % size_ == 0 && in[3] % size_ == 0);
    if (!fits) {
      return InvalidArgument(fmt::format("{}: blocks of {} x {} in a shape of {}", name_, size_, size_, in.ToString()));
    }
    if (to_space_) return Shape{in[0], in[1] / area, in[2] * size_, in[3] * size_};
    return Shape{in[0], in[1] * area, in[2] / size_, in[3] / size_};
  }
  ptrdiff_t Place(const Input& in, size_t axis, int64_t i) const override {
    const Strides& s = in.strides;
    if (axis == 0) return i * s[0];
    if (!to_space_) {
      if (axis > 1) return i * size_ * s[axis];
      const int64_t cell = i / in.shape[1];
      return i % in.shape[1] * s[1] + cell / size_ * s[2] + cell % size_ * s[3];
    }
    const int64_t area = size_ * size_, channels = in.shape[1] / area;
    if (axis == 1) return (depth_first_ ? i : i * area) * s[1];
    const int64_t cell = axis == 2 ? i % size_ * size_ : i % size_;
    return i / size_ * s[axis] + (depth_first_ ? cell * channels : cell) * s[1];
  }

 private:
  std::string name_;
  int64_t size_;
  bool to_space_, depth_first_;
};

class Spreading final : public Rearrangement {
 public:
  Spreading(int64_t height, int64_t width) : stride_{height, width} {}

  Result<Shape> OutputShape(const Shape& in) const override {
    Shape out = in;
    for (size_t d = 2; d < 4; ++d) out[d] = (in[d] - 1) * stride_[d - 2] + 1;
    return out;
  }
  ptrdiff_t Place(const Input& in, size_t axis, int64_t i) const override {
    const int64_t stride = axis < 2 ? 1 : stride_[axis - 2];
    return i % stride == 0 ? i / stride * in.strides[axis] : kPadding;
  }

 private:
  std::array<int64_t, 2> stride_;
};

RearrangementResult MakePad(const MovementNode& n, const std::string& name) {
  constexpr std::pair<const char*, Pad::Mode> kModes[] = {{"constant", Pad::Mode::kConstant},
                                                          {"edge", Pad::Mode::kEdge},
                                                          {"reflect", Pad::Mode::kReflect},
                                                          {"wrap", Pad::Mode::kWrap}};
  LQ_ASSIGN_OR_RETURN(std::vector<int64_t> pads, IntegersOf(n.graph, n.node, n.constants, 1, "pads"));
  LQ_ASSIGN_OR_RETURN(std::vector<int64_t> axes, IntegersOf(n.graph, n.node, n.constants, 3, ""));
  LQ_RETURN_IF_ERROR(PadValueOf(n).status());
  const std::string mode = n.node.String("mode", "constant");
  for (const auto& known : kModes) {
    if (mode != known.first) continue;
    return std::unique_ptr<Rearrangement>(std::make_unique<Pad>(name, known.second, std::move(pads), std::move(axes)));
  }
  return Unsupported(fmt::format("{}: mode '{}'; supported: constant, edge, reflect, wrap", name, mode));
}

RearrangementResult MakeResize(const MovementNode& n, const std::string& name) {
  using C = Resize::Coordinates;
  using N = Resize::Nearest;
  constexpr std::pair<const char*, C> kCoordinates[] = {{"asymmetric", C::kAsymmetric},
                                                        {"half_pixel", C::kHalfPixel},
                                                        {"pytorch_half_pixel", C::kPytorchHalfPixel},
                                                        {"align_corners", C::kAlignCorners}};
  constexpr std::pair<const char*, N> kNearest[] = {{"round_prefer_floor", N::kPreferFloor},
                                                    {"round_prefer_ceil", N::kPreferCeil},
                                                    {"floor", N::kFloor},
                                                    {"ceil", N::kCeil}};
  const std::string coordinates = n.node.String("coordinate_transformation_mode", "half_pixel");
  const std::string nearest = n.node.String("nearest_mode", "round_prefer_floor"),
                    mode = n.node.String("mode", "nearest");
  Resize::Spec spec{name, C::kHalfPixel, N::kPreferFloor, {}, {}};
  const Constant* scales = n.node.inputs.size() > 2 ? n.constants.Find(n.node.inputs[2]) : nullptr;
  if (scales != nullptr) spec.scales = scales->f32;
  LQ_ASSIGN_OR_RETURN(spec.sizes, IntegersOf(n.graph, n.node, n.constants, 3, ""));
  bool known = mode == "nearest" && spec.scales.empty() != spec.sizes.empty() && n.graph.opset >= 11;
  const auto choose = [&known](const auto& table, const std::string& text, auto& into) {
    const auto found = std::find_if(std::begin(table), std::end(table), [&](const auto& e) { return text == e.first; });
    known = known && found != std::end(table);
    if (found != std::end(table)) into = found->second;
  };
  choose(kCoordinates, coordinates, spec.coordinates);
  choose(kNearest, nearest, spec.nearest);
  if (known) return std::unique_ptr<Rearrangement>(std::make_unique<Resize>(std::move(spec)));
  return Unsupported(
      fmt::format("{}: mode '{}', {}, {}, {} scales and {} sizes; supported: nearest with constant scales "
                  "or sizes",
                  name, mode, coordinates, nearest, spec.scales.size(), spec.sizes.size()));
}

}  // namespace

Result<float> PadValueOf(const MovementNode& n) {
  if (n.node.inputs.size() <= 2 || n.node.inputs[2] == kAbsent) return n.node.Float("value", 0);
  const Constant* constant = n.constants.Find(n.node.inputs[2]);
  if (constant != nullptr && constant->f32.size() == 1) return constant->f32[0];
  return Unsupported(fmt::format("{}: its value '{}' is no constant number", n.graph.Describe(n.node),
                                 n.graph.value(n.node.inputs[2]).name));
}

RearrangementResult MakeImageRearrangement(const MovementNode& n) {
  const std::string name = n.graph.Describe(n.node), &op = n.node.op;
  if (op == "Pad") return MakePad(n, name);
  if (op == "Resize") return MakeResize(n, name);
  if (op != "DepthToSpace" && op != "SpaceToDepth") return std::unique_ptr<Rearrangement>();
  const int64_t size = n.node.Int("blocksize", 0);
  const std::string mode = n.node.String("mode", "DCR");
  if (size >= 1 && size < 32768 && (mode == "DCR" || mode == "CRD")) {
    return std::unique_ptr<Rearrangement>(std::make_unique<Blocks>(name, size, op == "DepthToSpace", mode == "DCR"));
  }
  return InvalidArgument(fmt::format("{}: blocks of {}, mode '{}'", name, size, mode));
}

std::unique_ptr<Rearrangement> MakeSpreading(int64_t stride_height, int64_t stride_width) {
  return std::make_unique<Spreading>(stride_height, stride_width);
}

}  // namespace lq
