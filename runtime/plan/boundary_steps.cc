// The steps at the two ends of a plan: from the caller's floats to codes, and back.
#include <algorithm>

#include "runtime/output_arrays.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/steps.h"
#include "runtime/run_tasks.h"
#include "runtime/variants.h"
#include "runtime/views.h"

namespace lq {
namespace {

class QuantizeStep final : public Step {
 public:
  QuantizeStep(const PerTensor& encoding, const PrepareOptions& options)
      : grid_(encoding.grid),
        encoding_(ToUnsigned(encoding)),
        profile_(options.profile),
        kernel_(Choose(kernels::QuantizeAffineVariants(), options.max_isa)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return PlanShape(in[0]); }

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    return static_cast<size_t>(in[0].NumElements()) * CodeBytes(encoding_.grid);
  }

  Status Run(const StepRun& run) const override {
    const size_t bytes = CodeBytes(encoding_.grid);
    const bool image = IsTurned(run.out.shape);
    std::byte* codes = image ? run.scratch.data() : run.out.bytes.data();
    RunRanges(run.executor, static_cast<size_t>(run.out.shape.NumElements()), kElementsPerTask, [&](Range r) {
      if (run.in[0].dtype != DType::kF32) {
        return EnterCodes(run.in[0].bytes.data() + r.begin * bytes, r.end - r.begin, codes + r.begin * bytes);
      }
      kernel_.run({.in = run.in[0].data<float>() + r.begin,
                   .n = r.end - r.begin,
                   .layout = {&encoding_.scale, &encoding_.offset, 1, r.end - r.begin},
                   .qmin = 0,
                   .qmax = encoding_.grid.qmax(),
                   .profile = profile_,
                   .type = CodeTypeOf(encoding_),
                   .out = codes + r.begin * bytes});
    });
    if (image) ToChannelsLast(codes, run);
    return OkStatus();
  }

  LayerInfo info() const override { return {"quantize_affine/" + kernel_.name, kernel_.why_not_better, "", 0}; }
  bool KeepsImagesApart() const override { return true; }

 private:
  // Codes on the encoding's own grid; what lies beyond it becomes the largest one.
  void EnterCodes(const std::byte* in, size_t n, std::byte* out) const {
    ShiftCodes(grid_, -grid_.qmin(), in, n, out);
    const int64_t largest = encoding_.grid.qmax();
    if (largest < 255) Clamp(reinterpret_cast<uint8_t*>(out), n, static_cast<uint8_t>(largest));
    if (largest > 255 && largest < 65535) Clamp(reinterpret_cast<uint16_t*>(out), n, static_cast<uint16_t>(largest));
  }
  template <class T>
  static void Clamp(T* codes, size_t n, T largest) {
    for (size_t i = 0; i < n; ++i) codes[i] = std::min(codes[i], largest);
  }

  void ToChannelsLast(const std::byte* codes, const StepRun& run) const {
    const auto images = static_cast<size_t>(run.out.shape[0]);
    const size_t size = CodeBytes(encoding_.grid);
    if (images == 0) return;
    const size_t elements = static_cast<size_t>(run.out.shape.NumElements()) / images;
    RunRanges(run.executor, images, kElementsPerTask / (elements + 1) + 1, [&](Range r) {
      Shape part = run.out.shape;
      part[0] = static_cast<int64_t>(r.end - r.begin);
      const size_t first = r.begin * elements * size;
      FromOnnxOrder(codes + first, part, size, run.out.bytes.data() + first);
    });
  }

  Grid grid_;  // in the file
  PerTensor encoding_;
  RoundingProfile profile_;
  Chosen<kernels::QuantizeAffineFn> kernel_;
};

class EnterStep final : public Step {
 public:
  Result<Shape> OutputShape(std::span<const Shape> in) const override { return PlanShape(in[0]); }
  Status Run(const StepRun& run) const override {
    FromOnnxOrder(run.in[0].bytes.data(), run.out.shape, sizeof(float), run.out.bytes.data());
    return OkStatus();
  }
};

class OutputStep final : public Step {
 public:
  OutputStep(const std::optional<PerTensor>& encoding, const PrepareOptions& options)
      : kernel_(Choose(kernels::DequantizeAffineVariants(), options.max_isa)) {
    if (encoding) encoding_ = ToUnsigned(*encoding);
    if (encoding) grid_ = encoding->grid;
  }

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return OnnxShape(in[0]); }

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    return static_cast<size_t>(in[0].NumElements()) * (encoding_ ? sizeof(uint16_t) : sizeof(double));
  }

  Status Run(const StepRun& run) const override {
    const ConstTensorView& in = run.in[0];
    if (run.out.dtype != DType::kF32) {
      LeaveCodes(run);
      return OkStatus();
    }
    auto* out = run.out.data<float>();
    if (in.dtype == DType::kF64) {  // the real value, rounded once
      const auto* ordered = reinterpret_cast<const double*>(run.scratch.data());
      ToOnnxOrder(in.bytes.data(), in.shape, sizeof(double), run.scratch.data());
      for (int64_t i = 0; i < in.shape.NumElements(); ++i) out[i] = static_cast<float>(ordered[i]);
      return OkStatus();
    }
    if (!encoding_) {
      ToOnnxOrder(in.bytes.data(), in.shape, sizeof(float), out);
      return OkStatus();
    }
    const size_t bytes = CodeBytes(encoding_->grid);
    const std::byte* codes = in.bytes.data();
    if (IsTurned(in.shape)) {
      ToOnnxOrder(codes, in.shape, bytes, run.scratch.data());
      codes = run.scratch.data();
    }
    RunRanges(run.executor, static_cast<size_t>(in.shape.NumElements()), kElementsPerTask, [&](Range r) {
      kernel_.run({.in = codes + r.begin * bytes,
                   .type = CodeTypeOf(*encoding_),
                   .n = r.end - r.begin,
                   .layout = {&encoding_->scale, &encoding_->offset, 1, r.end - r.begin},
                   .out = out + r.begin});
    });
    return OkStatus();
  }

  LayerInfo info() const override {
    if (!encoding_) return {};
    return {"dequantize_affine/" + kernel_.name, kernel_.why_not_better, "", 0};
  }
  bool KeepsImagesApart() const override { return true; }

 private:
  // Codes on the encoding's own grid.
  void LeaveCodes(const StepRun& run) const {
    const ConstTensorView& in = run.in[0];
    const bool turned = IsTurned(in.shape);
    if (turned) ToOnnxOrder(in.bytes.data(), in.shape, SizeOf(in.dtype), run.out.bytes.data());
    const std::byte* from = turned ? run.out.bytes.data() : in.bytes.data();
    const size_t size = CodeBytes(grid_);
    RunRanges(run.executor, static_cast<size_t>(in.shape.NumElements()), kElementsPerTask, [&](Range r) {
      ShiftCodes(grid_, grid_.qmin(), from + r.begin * size, r.end - r.begin, run.out.bytes.data() + r.begin * size);
    });
  }

  std::optional<PerTensor> encoding_;
  Grid grid_;  // in the file
  Chosen<kernels::DequantizeAffineFn> kernel_;
};

}  // namespace

std::unique_ptr<Step> MakeQuantizeStep(const PerTensor& encoding, const PrepareOptions& options) {
  return std::make_unique<QuantizeStep>(encoding, options);
}

std::unique_ptr<Step> MakeEnterStep() { return std::make_unique<EnterStep>(); }

std::unique_ptr<Step> MakeOutputStep(const std::optional<PerTensor>& encoding, const PrepareOptions& options) {
  return std::make_unique<OutputStep>(encoding, options);
}

}  // namespace lq
