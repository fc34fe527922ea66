#include "lanequant/float_linear.h"

#include <fmt/format.h>

#include "runtime/dynamic_gemm.h"
#include "runtime/float_gemm.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {
namespace {

Result<kernels::FloatType> FloatTypeOf(const std::string& name, DType dtype) {
  if (dtype == DType::kF32) return kernels::FloatType::kF32;
  if (dtype == DType::kF16) return kernels::FloatType::kF16;
  if (dtype == DType::kBF16) return kernels::FloatType::kBF16;
  return InvalidArgument(fmt::format("{} input: type {}, but it is f32, f16 or bf16", name, NameOf(dtype)));
}

}  // namespace

// One of the two ways, after RowMode.
struct FloatLinear::Impl {
  std::string name;
  std::optional<PerTensor> output;
  bool is_dynamic;
  FloatGemm floats;
  DynamicGemm dynamic;

  size_t n() const { return is_dynamic ? dynamic.n() : floats.n(); }
  size_t k() const { return is_dynamic ? dynamic.k() : floats.k(); }
};

FloatLinear::FloatLinear(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FloatLinear::FloatLinear(FloatLinear&&) noexcept = default;
FloatLinear& FloatLinear::operator=(FloatLinear&&) noexcept = default;
FloatLinear::~FloatLinear() = default;

const LayerInfo& FloatLinear::info() const { return impl_->is_dynamic ? impl_->dynamic.info() : impl_->floats.info(); }

Result<FloatLinear> FloatLinear::Prepare(const FloatLinearSpec& spec, const PrepareOptions& options) {
  const FloatWeights floats{spec.name, spec.weight, spec.out_features, spec.in_features, 1, spec.transposed};
  auto impl = std::make_unique<Impl>();
  impl->name = spec.name;
  impl->output = spec.output.encoding;
  impl->is_dynamic = spec.rows != RowMode::kAsFloats;
  if (impl->is_dynamic) {
    if (!spec.weight_encoding) {
      return Unsupported(
          fmt::format("{}: rows quantized on the fly are multiplied by integers, but the weight has no "
                      "encoding",
                      spec.name));
    }
    LQ_ASSIGN_OR_RETURN(impl->dynamic,
                        DynamicGemm::Prepare(floats, *spec.weight_encoding, spec.rows, spec.output, options));
  } else {
    LQ_ASSIGN_OR_RETURN(impl->floats, FloatGemm::Prepare(floats, spec.weight_encoding, 1, spec.output, options));
  }
  return FloatLinear(std::move(impl));
}

size_t FloatLinear::WorkspaceBytes(size_t rows, size_t workers) const {
  const Impl& impl = *impl_;
  return impl.is_dynamic ? impl.dynamic.WorkspaceBytes(rows, workers) : impl.floats.WorkspaceBytes(rows, workers);
}

Status FloatLinear::Run(ConstTensorView in, TensorView out, std::span<std::byte> workspace, Executor& executor) const {
  const Impl& impl = *impl_;
  const size_t rows = in.shape.rank() == 2 && in.shape[0] >= 0 ? static_cast<size_t>(in.shape[0]) : 0;
  const auto m = static_cast<int64_t>(rows);
  LQ_RETURN_IF_ERROR(CheckView(impl.name, "input", in, {m, static_cast<int64_t>(impl.k())}));
  LQ_RETURN_IF_ERROR(CheckView(impl.name, "output", out, {m, static_cast<int64_t>(impl.n())}));
  LQ_ASSIGN_OR_RETURN(const kernels::FloatType in_type, FloatTypeOf(impl.name, in.dtype));
  LQ_ASSIGN_OR_RETURN(const kernels::OutputType out_type, OutputTypeFor(impl.name, out.dtype, impl.output));
  LQ_RETURN_IF_ERROR(CheckWorkspace(impl.name, workspace.size(),
                                    {rows, executor.workers(), WorkspaceBytes(rows, executor.workers())}));
  if (rows == 0) return OkStatus();
  const FloatRows input = {in.bytes.data(), in_type, rows};
  std::byte* memory = AlignUp(workspace.data());
  if (impl.is_dynamic) {
    impl.dynamic.Run(input, out.bytes.data(), out_type, memory, executor);
  } else {
    impl.floats.Run(input, out.bytes.data(), out_type, memory, executor);
  }
  FinishCodes(impl.output, out.bytes.data(), rows * impl.n());
  return OkStatus();
}

}  // namespace lq
