// Weighted layers as steps.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/plan/layout.h"
#include "runtime/plan/pieces.h"
#include "runtime/plan/steps.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Rows of features, all dimensions but ONNX's last one: of tensors that the plan holds in another order
// through copies. Layer: Linear or FloatLinear.
template <class Layer>
class LinearStep final : public Step {
 public:
  LinearStep(std::string name, Layer layer, size_t in_features, size_t out_features)
      : name_(std::move(name)),
        layer_(std::move(layer)),
        in_features_(static_cast<int64_t>(in_features)),
        out_features_(static_cast<int64_t>(out_features)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    Shape out = OnnxShape(in[0]);
    if (out.rank() == 0 || out[out.rank() - 1] != in_features_) {
      return InvalidArgument(
          fmt::format("{}: input of shape {}, but its last dimension must be {}", name_, out.ToString(), in_features_));
    }
    out[out.rank() - 1] = out_features_;
    return PlanShape(out);
  }
  size_t ScratchBytes(std::span<const Shape> in, size_t workers) const override {
    const auto rows = static_cast<size_t>(Rows(in[0]));
    Pieces pieces(nullptr);
    pieces.Take(IsTurned(in[0]) ? rows * static_cast<size_t>(in_features_) * sizeof(float) : 0);
    pieces.Take(IsTurned(in[0]) ? rows * static_cast<size_t>(out_features_) * sizeof(double) : 0);
    pieces.Take(layer_.WorkspaceBytes(rows, workers));
    return pieces.used();
  }
  Status Run(const StepRun& run) const override {
    const int64_t rows = Rows(run.in[0].shape);
    ConstTensorView in{run.in[0].dtype, {rows, in_features_}, run.in[0].bytes};
    TensorView out{run.out.dtype, {rows, out_features_}, run.out.bytes};
    const bool copies = IsTurned(run.in[0].shape);
    Pieces pieces(run.scratch.data());
    if (copies) {
      std::byte* ordered = pieces.Take(in.bytes.size());
      ToOnnxOrder(in.bytes.data(), run.in[0].shape, SizeOf(in.dtype), ordered);
      in.bytes = {ordered, in.bytes.size()};
      out.bytes = {pieces.Take(out.bytes.size()), out.bytes.size()};
    }
    LQ_RETURN_IF_ERROR(layer_.Run(in, out, run.scratch.subspan(pieces.used()), run.executor));
    if (copies) FromOnnxOrder(out.bytes.data(), run.out.shape, SizeOf(out.dtype), run.out.bytes.data());
    return OkStatus();
  }
  LayerInfo info() const override { return layer_.info(); }
  bool KeepsImagesApart() const override { return true; }
  double Microseconds(std::span<const Shape> in, const Shape& out) const override {
    constexpr double kByte = 1 / 80e3;  // of weights, from the caches: a few rows take as long as one
    const LayerInfo& info = layer_.info();
    const double products =
        static_cast<double>(in[0].NumElements()) * static_cast<double>(out_features_) * (info.sums_floats ? 4 : 1);
    return Step::Microseconds(in, out) +
           std::max(kByte * static_cast<double>(info.packed_bytes), kProductMicroseconds * products);
  }

 private:
  int64_t Rows(const Shape& in) const { return in.NumElements() / in_features_; }

  std::string name_;
  Layer layer_;
  int64_t in_features_, out_features_;
};

class NarrowStep final : public Step {
 public:
  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }
  Status Run(const StepRun& run) const override {
    const double* reals = run.in[0].data<double>();
    float* floats = run.out.data<float>();
    RunRanges(run.executor, static_cast<size_t>(run.out.shape.NumElements()), kElementsPerTask, [&](Range range) {
      std::transform(reals + range.begin, reals + range.end, floats + range.begin,
                     [](double value) { return static_cast<float>(value); });
    });
    return OkStatus();
  }
};

class Conv2dStep final : public Step {
 public:
  explicit Conv2dStep(Conv2d conv) : conv_(std::move(conv)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return conv_.OutputShape(in[0]); }
  size_t ScratchBytes(std::span<const Shape> in, size_t workers) const override {
    return conv_.WorkspaceBytes(in[0], workers);
  }
  Status Run(const StepRun& run) const override { return conv_.Run(run.in[0], run.out, run.scratch, run.executor); }
  LayerInfo info() const override { return conv_.info(); }
  bool KeepsImagesApart() const override { return true; }
  double Microseconds(std::span<const Shape> in, const Shape& out) const override {
    // A byte for each product of codes with codes of 8 bits; four for one of floats, which takes as long as four.
    const auto bytes = static_cast<double>(conv_.info().packed_bytes);
    return Step::Microseconds(in, out) + kProductMicroseconds * bytes * static_cast<double>(out[0] * out[1] * out[2]);
  }

 private:
  Conv2d conv_;
};

}  // namespace

std::unique_ptr<Step> MakeLinearStep(const std::string& name, Linear linear, size_t in_features, size_t out_features) {
  return std::make_unique<LinearStep<Linear>>(name, std::move(linear), in_features, out_features);
}

std::unique_ptr<Step> MakeLinearStep(const std::string& name, FloatLinear linear, size_t in_features,
                                     size_t out_features) {
  return std::make_unique<LinearStep<FloatLinear>>(name, std::move(linear), in_features, out_features);
}

std::unique_ptr<Step> MakeNarrowStep() { return std::make_unique<NarrowStep>(); }

std::unique_ptr<Step> MakeConv2dStep(Conv2d conv) { return std::make_unique<Conv2dStep>(std::move(conv)); }

}  // namespace lq
