// Weighted layers as steps.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/aligned_buffer.h"
#include "runtime/plan/steps.h"
#include "runtime/run_tasks.h"

namespace lq {
namespace {

// Rows of features, all dimensions but the last.
class RowsStep : public Step {
 public:
  RowsStep(std::string name, size_t in_features, size_t out_features)
      : name_(std::move(name)),
        in_features_(static_cast<int64_t>(in_features)),
        out_features_(static_cast<int64_t>(out_features)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    Shape out = in[0];
    if (out.rank() == 0 || out[out.rank() - 1] != in_features_) {
      return InvalidArgument(
          fmt::format("{}: input of shape {}, but its last dimension must be {}", name_, out.ToString(), in_features_));
    }
    out[out.rank() - 1] = out_features_;
    return out;
  }

 protected:
  int64_t Rows(const Shape& in) const { return in.NumElements() / in_features_; }
  ConstTensorView Input(const StepRun& run) const {
    return {run.in[0].dtype, {Rows(run.in[0].shape), in_features_}, run.in[0].bytes};
  }
  TensorView Output(const StepRun& run) const {
    return {run.out.dtype, {Rows(run.in[0].shape), out_features_}, run.out.bytes};
  }

 private:
  std::string name_;
  int64_t in_features_, out_features_;
};

class LinearStep final : public RowsStep {
 public:
  LinearStep(std::string name, Linear linear, size_t in_features, size_t out_features)
      : RowsStep(std::move(name), in_features, out_features), linear_(std::move(linear)) {}

  size_t ScratchBytes(std::span<const Shape> in, size_t workers) const override {
    return linear_.WorkspaceBytes(static_cast<size_t>(Rows(in[0])), workers);
  }
  Status Run(const StepRun& run) const override {
    return linear_.Run(Input(run), Output(run), run.scratch, run.executor);
  }
  LayerInfo info() const override { return linear_.info(); }

 private:
  Linear linear_;
};

// Real inputs are rounded to floats first.
class FloatLinearStep final : public RowsStep {
 public:
  FloatLinearStep(std::string name, FloatLinear linear, size_t in_features, size_t out_features, bool is_real)
      : RowsStep(std::move(name), in_features, out_features), linear_(std::move(linear)), is_real_(is_real) {}

  size_t ScratchBytes(std::span<const Shape> in, size_t workers) const override {
    return FloatBytes(in[0]) + linear_.WorkspaceBytes(static_cast<size_t>(Rows(in[0])), workers);
  }
  Status Run(const StepRun& run) const override {
    if (!is_real_) return linear_.Run(Input(run), Output(run), run.scratch, run.executor);
    ConstTensorView in = Input(run);
    const auto* reals = reinterpret_cast<const double*>(in.bytes.data());
    const auto count = static_cast<size_t>(in.shape.NumElements());
    auto* const floats = reinterpret_cast<float*>(AlignUp(run.scratch.data()));
    constexpr size_t kGrain = 65536;  // elements that are worth a task
    RunRanges(run.executor, count, kGrain, [&](Range range) {
      std::transform(reals + range.begin, reals + range.end, floats + range.begin,
                     [](double value) { return static_cast<float>(value); });
    });
    in.dtype = DType::kF32;
    in.bytes = std::as_bytes(std::span(floats, count));
    return linear_.Run(in, Output(run), run.scratch.subspan(FloatBytes(run.in[0].shape)), run.executor);
  }
  LayerInfo info() const override { return linear_.info(); }

 private:
  size_t FloatBytes(const Shape& in) const {
    return is_real_ ? kAlignment + RoundUp(static_cast<size_t>(in.NumElements()) * sizeof(float), kAlignment) : 0;
  }

  FloatLinear linear_;
  bool is_real_;
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

 private:
  Conv2d conv_;
};

}  // namespace

std::unique_ptr<Step> MakeLinearStep(const std::string& name, Linear linear, size_t in_features, size_t out_features) {
  return std::make_unique<LinearStep>(name, std::move(linear), in_features, out_features);
}

std::unique_ptr<Step> MakeFloatLinearStep(const std::string& name, FloatLinear linear, size_t in_features,
                                          size_t out_features, bool is_real) {
  return std::make_unique<FloatLinearStep>(name, std::move(linear), in_features, out_features, is_real);
}

std::unique_ptr<Step> MakeConv2dStep(Conv2d conv) { return std::make_unique<Conv2dStep>(std::move(conv)); }

}  // namespace lq
