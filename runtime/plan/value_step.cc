#include "runtime/plan/value_step.h"

#include <algorithm>
#include <array>

#include "runtime/plan/layout.h"
#include "runtime/plan/pieces.h"
#include "runtime/plan/value_codec.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {
namespace {

constexpr size_t kMostOperands = 3;
constexpr size_t kValuesPerTask = 8192;  // elements of a task: at 1 to 10 ns each, more than waking a worker takes

class ValueStep final : public Step {
 public:
  ValueStep(ValueStepSpec spec, const PrepareOptions& options) : spec_(std::move(spec)) {
    for (const ValueOperandSpec& operand : spec_.operands) decoders_.emplace_back(operand.encoding, options);
    if (spec_.encoding) encoder_.emplace(*spec_.encoding, options);
  }

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const std::array<Shape, kMostOperands> shapes = OnnxShapes(in);
    LQ_ASSIGN_OR_RETURN(const Shape out, spec_.op->OutputShape(std::span(shapes).first(spec_.operands.size())));
    return PlanShape(out);
  }

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    Pieces pieces(nullptr);
    for (const Shape& shape : in) {
      const auto n = static_cast<size_t>(shape.NumElements());
      pieces.Take(IsTurned(shape) ? n * sizeof(double) : 0);
      pieces.Take(n * BytesOf(spec_.op->form()));
    }
    const Result<Shape> out = OutputShape(in);
    const size_t n = out.ok() ? static_cast<size_t>(out->NumElements()) : 0;
    pieces.Take(n * sizeof(double));
    pieces.Take(n * sizeof(uint16_t));
    const std::array<Shape, kMostOperands> shapes = OnnxShapes(in);
    pieces.Take(spec_.op->ScratchBytes(std::span(shapes).first(spec_.operands.size())));
    return pieces.used();
  }

  Status Run(const StepRun& run) const override {
    Pieces pieces(run.scratch.data());
    std::array<ValueArray, kMostOperands> arrays;
    size_t next = 0;
    for (size_t i = 0; i < spec_.operands.size(); ++i) {
      const ValueOperandSpec& operand = spec_.operands[i];
      if (operand.is_constant) {
        arrays[i] = {operand.shape, nullptr, 0, operand.f32.data(), operand.real.data()};
      } else {
        arrays[i] = Decoded(decoders_[i], run.in[next++], pieces, run.executor);
      }
    }
    const Shape onnx = OnnxShape(run.out.shape);
    const auto n = static_cast<size_t>(onnx.NumElements());
    const bool image = IsTurned(onnx), real = spec_.op->is_real();
    std::byte* values = !encoder_ && !image ? run.out.bytes.data() : pieces.Take(n * sizeof(double));
    ValueResult result{onnx, nullptr, nullptr, nullptr};
    if (real) result.real = reinterpret_cast<double*>(values);
    if (!real) result.f32 = reinterpret_cast<float*>(values);
    result.scratch = reinterpret_cast<double*>(pieces.Take(OperatorScratch(arrays)));
    RunOperator(std::span<const ValueArray>(arrays).first(spec_.operands.size()), result, run.executor);
    if (encoder_) {
      std::byte* codes = image ? pieces.Take(n * sizeof(uint16_t)) : run.out.bytes.data();
      const size_t value = real ? sizeof(double) : sizeof(float), code = SizeOf(run.out.dtype);
      RunRanges(run.executor, n, kValuesPerTask, [&](Range range) {
        encoder_->Encode(values + range.begin * value, real, range.end - range.begin, codes + range.begin * code);
      });
      values = codes;
    }
    if (image) FromOnnxOrder(values, run.out.shape, SizeOf(run.out.dtype), run.out.bytes.data());
    return OkStatus();
  }

  LayerInfo info() const override { return {spec_.op->is_real() ? "binary64" : "float32", "", spec_.why, 0}; }

  double Microseconds(std::span<const Shape> in, const Shape& out) const override {
    const std::array<Shape, kMostOperands> shapes = OnnxShapes(in);
    const auto effort = static_cast<double>(spec_.op->Effort(std::span(shapes).first(spec_.operands.size())));
    constexpr double kTimesMoved = 8;  // decoded, computed, encoded
    return kTimesMoved * effort * Step::Microseconds(in, out);
  }

 private:
  std::array<Shape, kMostOperands> OnnxShapes(std::span<const Shape> in) const {
    std::array<Shape, kMostOperands> shapes;
    size_t next = 0;
    for (size_t i = 0; i < spec_.operands.size(); ++i) {
      shapes[i] = spec_.operands[i].is_constant ? spec_.operands[i].shape : OnnxShape(in[next++]);
    }
    return shapes;
  }

  size_t OperatorScratch(const std::array<ValueArray, kMostOperands>& arrays) const {
    std::array<Shape, kMostOperands> shapes;
    for (size_t i = 0; i < spec_.operands.size(); ++i) shapes[i] = arrays[i].shape;
    return spec_.op->ScratchBytes(std::span(shapes).first(spec_.operands.size()));
  }

  void RunOperator(std::span<const ValueArray> in, const ValueResult& result, Executor& executor) const {
    const size_t count = spec_.op->Pieces(in, result);
    size_t elements = static_cast<size_t>(result.shape.NumElements());
    for (const ValueArray& operand : in) {
      elements = std::max(elements, static_cast<size_t>(operand.shape.NumElements()));
    }
    std::array<Shape, kMostOperands> shapes;
    for (size_t i = 0; i < in.size(); ++i) shapes[i] = in[i].shape;
    elements *= spec_.op->Effort(std::span(shapes).first(in.size()));
    const size_t grain = elements == 0 ? 1 : std::max<size_t>(1, kValuesPerTask * count / elements);
    RunRanges(executor, count, grain, [&](Range range) { spec_.op->Run(in, result, range); });
  }

  ValueArray Decoded(const ValueDecoder& decoder, const ConstTensorView& in, Pieces& pieces, Executor& executor) const {
    const auto n = static_cast<size_t>(in.shape.NumElements());
    const std::byte* elements = in.bytes.data();
    if (IsTurned(in.shape)) {
      std::byte* ordered = pieces.Take(n * sizeof(double));
      ToOnnxOrder(elements, in.shape, SizeOf(in.dtype), ordered);
      elements = ordered;
    }
    std::byte* values = pieces.Take(n * BytesOf(spec_.op->form()));
    const size_t from = SizeOf(in.dtype), to = BytesOf(spec_.op->form());
    RunRanges(executor, n, kValuesPerTask, [&](Range range) {
      decoder.Decode(elements + range.begin * from, in.dtype, range.end - range.begin, spec_.op->form(),
                     values + range.begin * to);
    });
    ValueArray array;
    array.shape = OnnxShape(in.shape);
    decoder.Point(values, spec_.op->form(), array);
    return array;
  }

  ValueStepSpec spec_;
  std::vector<ValueDecoder> decoders_;  // one for each operand
  std::optional<ValueEncoder> encoder_;
};

class ValueLookupStep final : public Step {
 public:
  explicit ValueLookupStep(ValueTable table) : table_(std::move(table)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }

  Status Run(const StepRun& run) const override {
    const bool real = !table_.real.empty();
    const auto n = static_cast<size_t>(run.out.shape.NumElements());
    RunRanges(run.executor, n, kValuesPerTask, [&](Range range) {
      if (run.in[0].dtype == DType::kU8) {
        real ? LookUp<uint8_t>(run, table_.real.data(), range) : LookUp<uint8_t>(run, table_.f32.data(), range);
      } else {
        real ? LookUp<uint16_t>(run, table_.real.data(), range) : LookUp<uint16_t>(run, table_.f32.data(), range);
      }
    });
    return OkStatus();
  }

  LayerInfo info() const override {
    return {"table of values", "", "", table_.f32.size() * sizeof(float) + table_.real.size() * sizeof(double)};
  }

 private:
  template <class Code, class T>
  static void LookUp(const StepRun& run, const T* table, Range range) {
    const Code* codes = run.in[0].data<Code>();
    T* out = run.out.data<T>();
    for (size_t i = range.begin; i < range.end; ++i) out[i] = table[codes[i]];
  }

  ValueTable table_;
};

}  // namespace

std::unique_ptr<Step> MakeValueStep(ValueStepSpec spec, const PrepareOptions& options) {
  return std::make_unique<ValueStep>(std::move(spec), options);
}

std::unique_ptr<Step> MakeValueLookupStep(ValueTable table) {
  return std::make_unique<ValueLookupStep>(std::move(table));
}

}  // namespace lq
