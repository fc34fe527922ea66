#include "lanequant/linear.h"

#include "runtime/gemm.h"
#include "runtime/input_rows.h"
#include "runtime/partition.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {

struct Linear::Impl {
  std::string name;
  PerTensor input;
  std::optional<PerTensor> output;
  InputRows input_rows;
  Gemm gemm;

  size_t CopyBytes(size_t rows) const { return RoundUp(input_rows.CopyBytes(rows, gemm.k()), kAlignment); }
  void Multiply(const std::byte* codes, size_t rows, const TensorView& out, kernels::OutputType type,
                std::byte* scratch, Executor& executor) const;
  Partition Cut(size_t rows, size_t workers) const { return MakePartition(rows, gemm.n(), gemm.k(), workers, rows); }
};

Linear::Linear(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

const LayerInfo& Linear::info() const { return impl_->gemm.info(); }

Result<Linear> Linear::Prepare(const LinearSpec& spec, const PrepareOptions& options) {
  const FloatWeights floats{spec.name, spec.weight, spec.out_features, spec.in_features, 1, spec.transposed};
  auto impl = std::make_unique<Impl>();
  impl->name = spec.name;
  impl->input = spec.input;
  impl->input_rows = InputRows(spec.input.grid);
  impl->output = spec.output.encoding;
  LQ_ASSIGN_OR_RETURN(impl->gemm, Gemm::Prepare(floats, spec.weight_encoding, 1, spec.input, spec.output, options));
  return Linear(std::move(impl));
}

size_t Linear::WorkspaceBytes(size_t rows, size_t workers) const {
  const Partition cut = impl_->Cut(rows, workers);
  return kAlignment + impl_->CopyBytes(rows) + workers * impl_->gemm.ScratchBytes(cut.m_step);
}

void Linear::Impl::Multiply(const std::byte* codes, size_t rows, const TensorView& out, kernels::OutputType type,
                            std::byte* scratch, Executor& executor) const {
  const Partition cut = Cut(rows, executor.workers());
  const size_t scratch_bytes = gemm.ScratchBytes(cut.m_step), out_row = gemm.n() * SizeOf(out.dtype);
  const size_t stride = input_rows.Stride(gemm.k());
  RunTasks(executor, cut.tasks(), [&](size_t task, size_t worker) {
    const Range r = cut.Rows(task), c = cut.Channels(task);
    const Gemm::Rows part{
        codes + r.begin * stride, stride, r.end - r.begin, out.bytes.data() + r.begin * out_row, gemm.n(), type};
    gemm.Run(part, 0, c.begin, c.end, scratch + worker * scratch_bytes);
  });
}

Status Linear::Run(ConstTensorView in, TensorView out, std::span<std::byte> workspace, Executor& executor) const {
  const Impl& impl = *impl_;
  const Gemm& gemm = impl.gemm;
  const size_t rows = in.shape.rank() == 2 && in.shape[0] >= 0 ? static_cast<size_t>(in.shape[0]) : 0;
  const auto m = static_cast<int64_t>(rows);
  LQ_RETURN_IF_ERROR(CheckView(impl.name, "input", in, {m, static_cast<int64_t>(gemm.k())}));
  LQ_RETURN_IF_ERROR(CheckView(impl.name, "output", out, {m, static_cast<int64_t>(gemm.n())}));
  LQ_RETURN_IF_ERROR(CheckCodes(impl.name, "input", in.dtype, impl.input.grid));
  LQ_ASSIGN_OR_RETURN(const kernels::OutputType type,
                      OutputTypeFor(impl.name, out.dtype, impl.output, gemm.sums_fit_s32()));
  LQ_RETURN_IF_ERROR(CheckWorkspace(impl.name, workspace.size(),
                                    {rows, executor.workers(), WorkspaceBytes(rows, executor.workers())}));
  if (rows == 0) return OkStatus();
  std::byte* memory = AlignUp(workspace.data());
  const std::byte* codes = impl.input_rows.Prepare(in.bytes.data(), rows, gemm.k(), memory);
  impl.Multiply(codes, rows, out, type, memory + impl.CopyBytes(rows), executor);
  FinishCodes(impl.output, out.bytes.data(), rows * gemm.n());
  return OkStatus();
}

}  // namespace lq
