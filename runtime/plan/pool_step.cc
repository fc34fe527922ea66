// Max and average pools over images of codes.
#include <fmt/format.h>

#include "runtime/output_arrays.h"
#include "runtime/plan/steps.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"
#include "runtime/views.h"

namespace lq {
namespace {

constexpr double kSerialCells = 1e5;  // window cells of a layer that stays on the caller: about 10 us

// Output length of one dimension (exact_simulator.md 6); 0 if the window does not fit.
int64_t OutputLength(const PoolSpec& spec, size_t axis, int64_t length) {
  const auto begin = static_cast<int64_t>(spec.padding[axis]), end = static_cast<int64_t>(spec.padding[axis + 2]);
  const auto step = static_cast<int64_t>(spec.stride[axis]);
  const auto window = static_cast<int64_t>(spec.dilation[axis] * (spec.kernel[axis] - 1) + 1);
  const int64_t free = length + begin + end - window;
  if (free < 0) return 0;
  int64_t out = free / step + 1;
  // ceil_mode adds a window that starts inside the input or its begin padding, never behind.
  if (spec.ceil_mode && free % step != 0 && out * step < length + begin) ++out;
  return out;
}

// Does every window of this dimension hold a cell of the input? With wide padding or dilation one may hold none.
bool WindowsAreFilled(const PoolSpec& spec, size_t axis, int64_t length, int64_t out) {
  for (int64_t i = 0; i < out; ++i) {
    bool filled = false;
    for (size_t cell = 0; cell < spec.kernel[axis] && !filled; ++cell) {
      const int64_t at = i * static_cast<int64_t>(spec.stride[axis]) +
                         static_cast<int64_t>(cell * spec.dilation[axis]) - static_cast<int64_t>(spec.padding[axis]);
      filled = at >= 0 && at < length;
    }
    if (!filled) return false;
  }
  return out > 0;
}

class PoolStep : public Step {
 public:
  explicit PoolStep(PoolSpec spec) : spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape& image = in[0];
    if (image.rank() != 4) {
      return InvalidArgument(fmt::format("{}: input of rank {}; pools run over 4-D tensors", spec_.name, image.rank()));
    }
    if (spec_.global) {
      LQ_RETURN_IF_ERROR(CheckCells(image[1], image[2]));
      return Shape{image[0], 1, 1, image[3]};
    }
    LQ_RETURN_IF_ERROR(CheckCells(static_cast<int64_t>(spec_.kernel[0]), static_cast<int64_t>(spec_.kernel[1])));
    Shape out = image;
    for (size_t axis = 0; axis < 2; ++axis) {
      out[axis + 1] = OutputLength(spec_, axis, image[axis + 1]);
      if (WindowsAreFilled(spec_, axis, image[axis + 1], out[axis + 1])) continue;
      return InvalidArgument(fmt::format(
          "{}: windows of {} cells, dilation {}, padding {} and {} do not all touch an input of length {}", spec_.name,
          spec_.kernel[axis], spec_.dilation[axis], spec_.padding[axis], spec_.padding[axis + 2], image[axis + 1]));
    }
    return out;
  }

  Status Run(const StepRun& run) const override {
    kernels::Window window = MakeWindow(run.in[0].shape, run.out.shape);
    const auto images = static_cast<size_t>(run.out.shape[0]);
    const size_t pixels = window.out_height * window.out_width * window.channels;
    const double cells =
        static_cast<double>(images * pixels) * static_cast<double>(window.kernel_height * window.kernel_width);
    Executor& executor = cells < kSerialCells ? SerialExecutor() : run.executor;
    RunTasks(executor, images * window.out_height, [&](size_t task, size_t) {
      kernels::Window row = window;
      const size_t image = task / window.out_height;
      row.y_begin = task % window.out_height;
      row.y_end = row.y_begin + 1;
      const size_t pixels_in = window.in_height * window.in_width * window.channels;
      RunWindow(run.in[0].bytes.data() + image * pixels_in * SizeOf(run.in[0].dtype), row,
                run.out.bytes.data() + image * pixels * SizeOf(run.out.dtype), run.out.dtype);
    });
    return OkStatus();
  }

  bool KeepsImagesApart() const override { return true; }

  double Microseconds(std::span<const Shape> in, const Shape& out) const override {
    constexpr double kCell = 0.03e-3;
    const auto cells = static_cast<double>(spec_.global ? in[0].NumElements() : out.NumElements());
    const size_t window = spec_.global ? 1 : spec_.kernel[0] * spec_.kernel[1];
    return kStepMicroseconds + kCell * cells * static_cast<double>(window);
  }

 protected:
  virtual void RunWindow(const std::byte* in, const kernels::Window& window, std::byte* out, DType type) const = 0;

  const PoolSpec& spec() const { return spec_; }
  static kernels::OutputType OutputTypeFor(DType type) {
    if (type == DType::kU8) return kernels::OutputType::kU8;
    if (type == DType::kU16) return kernels::OutputType::kU16;
    return type == DType::kF64 ? kernels::OutputType::kF64 : kernels::OutputType::kF32;
  }
  bool wide_codes() const { return CodeBytes(spec_.input.grid) == 2; }

 private:
  Status CheckCells(int64_t high, int64_t wide) const {
    const auto most = static_cast<int64_t>(wide_codes() ? kernels::kMaxAverageCellsU16 : kernels::kMaxAverageCells);
    if (high >= 1 && wide >= 1 && high <= most && wide <= most && high * wide <= most) return OkStatus();
    return Unsupported(
        fmt::format("{}: windows of {} x {} cells; 1 to {} are supported", spec_.name, high, wide, most));
  }

  kernels::Window MakeWindow(const Shape& in, const Shape& out) const {
    kernels::Window w{.in_height = static_cast<size_t>(in[1]),
                      .in_width = static_cast<size_t>(in[2]),
                      .channels = static_cast<size_t>(in[3]),
                      .out_height = static_cast<size_t>(out[1]),
                      .out_width = static_cast<size_t>(out[2]),
                      .kernel_height = spec_.kernel[0],
                      .kernel_width = spec_.kernel[1],
                      .stride_height = spec_.stride[0],
                      .stride_width = spec_.stride[1],
                      .dilation_height = spec_.dilation[0],
                      .dilation_width = spec_.dilation[1],
                      .pad_top = spec_.padding[0],
                      .pad_left = spec_.padding[1],
                      .y_begin = 0,
                      .y_end = static_cast<size_t>(out[1])};
    if (spec_.global) {
      w.kernel_height = w.in_height;
      w.kernel_width = w.in_width;
    }
    return w;
  }

  PoolSpec spec_;
};

class MaxPoolStep final : public PoolStep {
 public:
  MaxPoolStep(PoolSpec spec, const PrepareOptions& options)
      : PoolStep(std::move(spec)), kernel_(Choose(kernels::MaxPoolVariants(), options.max_isa)) {}

  LayerInfo info() const override { return {"max_pool/" + kernel_.name, kernel_.why_not_better, "", 0}; }

 protected:
  void RunWindow(const std::byte* in, const kernels::Window& window, std::byte* out, DType) const override {
    kernel_.run({in, window, out, wide_codes()});
  }

 private:
  Chosen<kernels::MaxPoolFn> kernel_;
};

class AveragePoolStep final : public PoolStep {
 public:
  AveragePoolStep(PoolSpec spec, const PrepareOptions& options)
      : PoolStep(std::move(spec)), kernel_(Choose(kernels::AveragePoolVariants(), options.max_isa)) {
    input_ = ToUnsigned(this->spec().input);
    const PoolSpec& s = this->spec();
    if (s.encoding) to_ = MakeQuantizeTo(*s.encoding, options.profile, s.clip_min, s.clip_max);
  }

  LayerInfo info() const override { return {"average_pool/" + kernel_.name, kernel_.why_not_better, "", 0}; }

 protected:
  void RunWindow(const std::byte* in, const kernels::Window& window, std::byte* out, DType type) const override {
    kernel_.run({.in = in,
                 .window = window,
                 .pad_bottom = spec().padding[2],
                 .pad_right = spec().padding[3],
                 .count_include_pad = spec().count_include_pad,
                 .in_scale = input_.scale,
                 .in_offset = input_.offset,
                 .to = to_,
                 .out_type = OutputTypeFor(type),
                 .out = out,
                 .wide = wide_codes()});
  }

 private:
  PerTensor input_;
  kernels::QuantizeTo to_{};
  Chosen<kernels::AveragePoolFn> kernel_;
};

}  // namespace

std::unique_ptr<Step> MakeMaxPoolStep(PoolSpec spec, const PrepareOptions& options) {
  return std::make_unique<MaxPoolStep>(std::move(spec), options);
}

std::unique_ptr<Step> MakeAveragePoolStep(PoolSpec spec, const PrepareOptions& options) {
  return std::make_unique<AveragePoolStep>(std::move(spec), options);
}

}  // namespace lq
