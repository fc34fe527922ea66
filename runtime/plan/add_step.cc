// Element-wise addition, with Relu or Clip and the output's quantizer fused.
#include <fmt/format.h>

#include "runtime/output_arrays.h"
#include "runtime/plan/broadcast.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/steps.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {
namespace {

constexpr size_t kGrain = 1 << 16;  // elements that are worth a task: about 10 us

class AddStep final : public Step {
 public:
  AddStep(AddSpec spec, const PrepareOptions& options)
      : spec_(std::move(spec)), kernel_(Choose(kernels::AddVariants(), options.max_isa)) {
    for (AddOperandSpec& operand : spec_.operands) {
      if (operand.encoding) operand.encoding = ToUnsigned(*operand.encoding);
    }
    // The sum is a f32 tensor: its clip happens on values, before the quantizer.
    const float inf = __builtin_inff();
    if (spec_.encoding) to_ = MakeQuantizeTo(*spec_.encoding, options.profile, -inf, inf);
  }

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Operands onnx = OnnxShapes(in);
    const std::optional<Shape> out = BroadcastShape(onnx[0], onnx[1]);
    if (out) return PlanShape(*out);
    return InvalidArgument(
        fmt::format("{}: shapes {} and {} do not broadcast", spec_.name, onnx[0].ToString(), onnx[1].ToString()));
  }

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    const Result<Shape> out = OutputShape(in);
    return out.ok() && out->rank() > 0 ? 2 * RowBytes((*out)[out->rank() - 1]) : 2 * RowBytes(1);
  }

  Status Run(const StepRun& run) const override {
    const std::array<Shape, 2> shapes = InputShapes(run);
    const Operands onnx = OnnxShapes(std::span(shapes).first(run.in.size()));
    const Shape out_onnx = OnnxShape(run.out.shape);
    const bool flat = onnx[0] == out_onnx && onnx[1] == out_onnx && IsActivation(0) && IsActivation(1);
    if (flat) {
      RunFlat(run);
    } else {
      RunRows(run, onnx);
    }
    return OkStatus();
  }

  LayerInfo info() const override { return {"add/" + kernel_.name, kernel_.why_not_better, "", 0}; }

 private:
  using Operands = std::array<Shape, 2>;

  static size_t RowBytes(int64_t n) { return RoundUp(static_cast<size_t>(n) * sizeof(float), kAlignment); }
  bool IsActivation(size_t i) const { return spec_.operands[i].encoding.has_value(); }

  static std::array<Shape, 2> InputShapes(const StepRun& run) {
    std::array<Shape, 2> shapes;
    for (size_t i = 0; i < run.in.size(); ++i) shapes[i] = run.in[i].shape;
    return shapes;
  }

  Operands OnnxShapes(std::span<const Shape> in) const {
    Operands shapes;
    size_t next = 0;
    for (size_t i = 0; i < 2; ++i) shapes[i] = IsActivation(i) ? OnnxShape(in[next++]) : spec_.operands[i].shape;
    return shapes;
  }

  kernels::AddArgs Args(size_t n) const {
    kernels::AddArgs args{{}, {}, n, spec_.clip_min, spec_.clip_max, to_, nullptr, nullptr};
    for (size_t i = 0; i < 2; ++i) {
      if (!IsActivation(i)) continue;
      kernels::AddOperand& operand = i == 0 ? args.a : args.b;
      operand.scale = spec_.operands[i].encoding->scale;
      operand.offset = spec_.operands[i].encoding->offset;
    }
    return args;
  }

  void SetOutput(kernels::AddArgs& args, const TensorView& out, size_t first) const {
    if (spec_.encoding) {
      args.out = out.data<uint8_t>() + first;
    } else {
      args.out_values = out.data<float>() + first;
    }
  }

  void RunFlat(const StepRun& run) const {
    RunRanges(run.executor, static_cast<size_t>(run.out.shape.NumElements()), kGrain, [&](Range r) {
      kernels::AddArgs args = Args(r.end - r.begin);
      args.a.codes = run.in[0].data<uint8_t>() + r.begin;
      args.b.codes = run.in[1].data<uint8_t>() + r.begin;
      SetOutput(args, run.out, r.begin);
      kernel_.run(args);
    });
  }

  // One row of the output's last dimension after the other; operands that do not lie so are gathered.
  void RunRows(const StepRun& run, const Operands& onnx) const {
    const Shape& out = run.out.shape;
    const size_t n = out.rank() > 0 ? static_cast<size_t>(out[out.rank() - 1]) : 1;
    const size_t rows = n > 0 ? static_cast<size_t>(out.NumElements()) / n : 0;
    size_t next = 0;
    std::array<const void*, 2> data;
    std::array<Strides, 2> strides;
    for (size_t i = 0; i < 2; ++i) {
      strides[i] = BroadcastStrides(onnx[i], IsActivation(i), out);
      data[i] =
          IsActivation(i) ? static_cast<const void*>(run.in[next++].bytes.data()) : spec_.operands[i].values.data();
    }
    for (size_t row = 0; row < rows; ++row) {
      kernels::AddArgs args = Args(n);
      SetRow(data[0], strides[0], out, row, IsActivation(0), run.scratch.data(), &args.a);
      SetRow(data[1], strides[1], out, row, IsActivation(1), run.scratch.data() + RowBytes(static_cast<int64_t>(n)),
             &args.b);
      SetOutput(args, run.out, row * n);
      kernel_.run(args);
    }
  }

  static void SetRow(const void* data, const Strides& strides, const Shape& out, size_t row, bool codes,
                     std::byte* buffer, kernels::AddOperand* operand) {
    const size_t last = out.rank() > 0 ? out.rank() - 1 : 0;
    ptrdiff_t at = 0;
    for (size_t i = last; i-- > 0; row /= static_cast<size_t>(out[i])) {
      at += static_cast<ptrdiff_t>(row % static_cast<size_t>(out[i])) * strides[i];
    }
    const size_t n = out.rank() > 0 ? static_cast<size_t>(out[last]) : 1;
    const ptrdiff_t step = out.rank() > 0 ? strides[last] : 0;
    if (codes) {
      operand->codes = Row(static_cast<const uint8_t*>(data) + at, step, n, reinterpret_cast<uint8_t*>(buffer));
    } else {
      operand->values = Row(static_cast<const float*>(data) + at, step, n, reinterpret_cast<float*>(buffer));
    }
  }

  template <class T>
  static const T* Row(const T* data, ptrdiff_t step, size_t n, T* buffer) {
    if (step == 1) return data;
    for (size_t i = 0; i < n; ++i) buffer[i] = data[static_cast<ptrdiff_t>(i) * step];
    return buffer;
  }

  AddSpec spec_;
  kernels::QuantizeTo to_{};
  Chosen<kernels::AddFn> kernel_;
};

}  // namespace

std::unique_ptr<Step> MakeAddStep(AddSpec spec, const PrepareOptions& options) {
  return std::make_unique<AddStep>(std::move(spec), options);
}

}  // namespace lq
