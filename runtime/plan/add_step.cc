// Element-wise addition, with Relu or Clip and the output's quantizer fused.
#include <algorithm>

#include "runtime/output_arrays.h"
#include "runtime/plan/broadcast.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/steps.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"
#include "runtime/views.h"

namespace lq {
namespace {

constexpr size_t kChunk = 1024;  // floats that stay in L1 on their way from and to u16 codes

class AddStep final : public Step {
 public:
  AddStep(AddSpec spec, const PrepareOptions& options)
      : spec_(std::move(spec)),
        profile_(options.profile),
        kernel_(Choose(kernels::AddVariants(), options.max_isa)),
        quantize_(Choose(kernels::QuantizeAffineVariants(), options.max_isa)),
        dequantize_(Choose(kernels::DequantizeAffineVariants(), options.max_isa)) {
    for (AddOperandSpec& operand : spec_.operands) {
      if (operand.encoding) operand.encoding = ToUnsigned(*operand.encoding);
    }
    // The sum is a f32 tensor: its clip happens on values, before the quantizer.
    const float inf = __builtin_inff();
    if (spec_.encoding) to_ = MakeQuantizeTo(*spec_.encoding, options.profile, -inf, inf);
  }

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Operands onnx = OnnxShapes(in);
    LQ_ASSIGN_OR_RETURN(const Shape out, BroadcastOperands(spec_.name, onnx[0], onnx[1]));
    return PlanShape(out);
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
  bool KeepsImagesApart() const override { return IsActivation(0) && IsActivation(1); }

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

  // Bytes of an element of operand i, and of the output.
  size_t OperandBytes(size_t i) const {
    return IsActivation(i) ? CodeBytes(spec_.operands[i].encoding->grid) : sizeof(float);
  }
  size_t OutputBytes() const { return spec_.encoding ? CodeBytes(spec_.encoding->grid) : sizeof(float); }

  // n sums of operands that lie side by side.
  void Sum(std::array<const std::byte*, 2> in, size_t n, std::byte* out) const {
    const bool wide = (IsActivation(0) && OperandBytes(0) == 2) || (IsActivation(1) && OperandBytes(1) == 2) ||
                      (spec_.encoding && OutputBytes() == 2);
    if (!wide) return SumBytes(in, n, out);
    for (size_t i = 0; i < n; i += kChunk) {
      const std::array<const std::byte*, 2> at{in[0] + i * OperandBytes(0), in[1] + i * OperandBytes(1)};
      SumWide(at, std::min(kChunk, n - i), out + i * OutputBytes());
    }
  }

  void SumBytes(std::array<const std::byte*, 2> in, size_t n, std::byte* out) const {
    kernels::AddArgs args{
        Operand(0, in[0]), Operand(1, in[1]), n, spec_.clip_min, spec_.clip_max, to_, nullptr, nullptr};
    if (spec_.encoding) {
      args.out = reinterpret_cast<uint8_t*>(out);
    } else {
      args.out_values = reinterpret_cast<float*>(out);
    }
    kernel_.run(args);
  }

  // u16 codes on either side: the sum is one of floats anyway (exact_simulator.md 5), so it is made of them, a chunk at
  // a time.
  void SumWide(std::array<const std::byte*, 2> in, size_t n, std::byte* out) const {
    std::array<float, kChunk> values[2], sums;
    kernels::AddArgs args{{}, {}, n, spec_.clip_min, spec_.clip_max, to_, nullptr, nullptr};
    for (size_t i = 0; i < 2; ++i) {
      kernels::AddOperand& operand = i == 0 ? args.a : args.b;
      operand.values = reinterpret_cast<const float*>(in[i]);
      if (!IsActivation(i)) continue;
      const PerTensor& e = *spec_.operands[i].encoding;
      dequantize_.run(
          {.in = in[i], .type = CodeTypeOf(e), .n = n, .layout = {&e.scale, &e.offset, 1, n}, .out = values[i].data()});
      operand.values = values[i].data();
    }
    args.out_values = spec_.encoding ? sums.data() : reinterpret_cast<float*>(out);
    kernel_.run(args);
    if (!spec_.encoding) return;
    quantize_.run({.in = sums.data(),
                   .n = n,
                   .layout = {&to_.scale, &to_.offset, 1, n},
                   .qmin = to_.qmin,
                   .qmax = to_.qmax,
                   .profile = profile_,
                   .type = CodeTypeOf(*spec_.encoding),
                   .out = out});
  }

  kernels::AddOperand Operand(size_t i, const std::byte* data) const {
    if (!IsActivation(i)) return {nullptr, 0, 0, reinterpret_cast<const float*>(data)};
    const PerTensor& e = *spec_.operands[i].encoding;
    return {reinterpret_cast<const uint8_t*>(data), e.scale, e.offset, nullptr};
  }

  void RunFlat(const StepRun& run) const {
    RunRanges(run.executor, static_cast<size_t>(run.out.shape.NumElements()), kElementsPerTask, [&](Range r) {
      Sum({run.in[0].bytes.data() + r.begin * OperandBytes(0), run.in[1].bytes.data() + r.begin * OperandBytes(1)},
          r.end - r.begin, run.out.bytes.data() + r.begin * OutputBytes());
    });
  }

  // One row of the output's last dimension after the other; operands that do not lie so are gathered.
  void RunRows(const StepRun& run, const Operands& onnx) const {
    const Shape& out = run.out.shape;
    const size_t n = out.rank() > 0 ? static_cast<size_t>(out[out.rank() - 1]) : 1;
    const size_t rows = n > 0 ? static_cast<size_t>(out.NumElements()) / n : 0;
    size_t next = 0;
    std::array<const std::byte*, 2> data;
    std::array<Strides, 2> strides;
    for (size_t i = 0; i < 2; ++i) {
      strides[i] = BroadcastStrides(onnx[i], IsActivation(i) ? layout() : Layout(false), out, layout());
      data[i] = IsActivation(i) ? run.in[next++].bytes.data()
                                : reinterpret_cast<const std::byte*>(spec_.operands[i].values.data());
    }
    for (size_t row = 0; row < rows; ++row) {
      std::array<const std::byte*, 2> in;
      for (size_t i = 0; i < 2; ++i) {
        std::byte* buffer = run.scratch.data() + i * RowBytes(static_cast<int64_t>(n));
        in[i] = Row(data[i], OperandBytes(i), strides[i], out, row, buffer);
      }
      Sum(in, n, run.out.bytes.data() + row * n * OutputBytes());
    }
  }

  // Row `row` of the output's last dimension, from an operand of elements of `size` bytes.
  static const std::byte* Row(const std::byte* data, size_t size, const Strides& strides, const Shape& out, size_t row,
                              std::byte* buffer) {
    const size_t last = out.rank() > 0 ? out.rank() - 1 : 0;
    ptrdiff_t at = 0;
    for (size_t i = last; i-- > 0; row /= static_cast<size_t>(out[i])) {
      at += static_cast<ptrdiff_t>(row % static_cast<size_t>(out[i])) * strides[i];
    }
    const size_t n = out.rank() > 0 ? static_cast<size_t>(out[last]) : 1;
    const ptrdiff_t step = out.rank() > 0 ? strides[last] : 0;
    data += at * static_cast<ptrdiff_t>(size);
    if (step == 1) return data;
    if (size == 1) Gather<uint8_t>(data, step, n, buffer);
    if (size == 2) Gather<uint16_t>(data, step, n, buffer);
    if (size == 4) Gather<float>(data, step, n, buffer);
    return buffer;
  }

  template <class T>
  static void Gather(const std::byte* data, ptrdiff_t step, size_t n, std::byte* buffer) {
    const T* in = reinterpret_cast<const T*>(data);
    T* out = reinterpret_cast<T*>(buffer);
    for (size_t i = 0; i < n; ++i) out[i] = in[static_cast<ptrdiff_t>(i) * step];
  }

  AddSpec spec_;
  RoundingProfile profile_;
  kernels::QuantizeTo to_{};
  Chosen<kernels::AddFn> kernel_;
  Chosen<kernels::QuantizeAffineFn> quantize_;
  Chosen<kernels::DequantizeAffineFn> dequantize_;
};

}  // namespace

std::unique_ptr<Step> MakeAddStep(AddSpec spec, const PrepareOptions& options) {
  return std::make_unique<AddStep>(std::move(spec), options);
}

}  // namespace lq
