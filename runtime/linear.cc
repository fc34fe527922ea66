#include "lanequant/linear.h"

#include <cstring>

#include "runtime/gemm.h"
#include "runtime/partition.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {

struct Linear::Impl {
  std::string name;
  PerTensor input;
  std::optional<PerTensor> output;
  Gemm gemm;

  // Rows must be copied when the last quad of u8 codes is not whole, or when codes are signed.
  bool copies_input() const { return input.grid.is_signed || (CodeBytes(input.grid) == 1 && gemm.k() % 4 != 0); }
  size_t RowBytes() const { return gemm.k() * CodeBytes(input.grid); }
  size_t CopyStride() const { return RoundUp(RowBytes(), 4); }
  size_t CopyBytes(size_t rows) const { return copies_input() ? RoundUp(rows * CopyStride(), kAlignment) : 0; }

  struct Codes;
  Codes PrepareInput(const std::byte* in, size_t rows, std::byte* workspace) const;
  void Multiply(const Codes& codes, size_t rows, const TensorView& out, kernels::OutputType type, std::byte* scratch,
                Executor& executor) const;
  Partition Cut(size_t rows, size_t workers) const { return MakePartition(rows, gemm.n(), gemm.k(), workers, rows); }
};

Linear::Linear(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

const LayerInfo& Linear::info() const { return impl_->gemm.info(); }

Result<Linear> Linear::Prepare(const LinearSpec& spec, const PrepareOptions& options) {
  const FloatWeights floats{spec.name, spec.weight, spec.out_features, spec.in_features, 1};
  LQ_ASSIGN_OR_RETURN(const LayerWeights weights, QuantizeWeights(floats, spec.weight_encoding, options));
  auto impl = std::make_unique<Impl>();
  impl->name = spec.name;
  impl->input = spec.input;
  impl->output = spec.output.encoding;
  LQ_ASSIGN_OR_RETURN(impl->gemm, Gemm::Prepare(spec.name, weights, 1, spec.input, spec.output, options));
  return Linear(std::move(impl));
}

size_t Linear::WorkspaceBytes(size_t rows, size_t workers) const {
  const Partition cut = impl_->Cut(rows, workers);
  return kAlignment + impl_->CopyBytes(rows) + workers * impl_->gemm.ScratchBytes(cut.m_step);
}

// The input as the kernel wants it: as it is, or copied into the workspace.
struct Linear::Impl::Codes {
  const std::byte* a;
  size_t stride;
};
Linear::Impl::Codes Linear::Impl::PrepareInput(const std::byte* in, size_t rows, std::byte* workspace) const {
  if (!copies_input()) return {in, RowBytes()};
  for (size_t i = 0; i < rows; ++i) {
    ShiftCodes(input.grid, -input.grid.qmin(), in + i * RowBytes(), gemm.k(), workspace + i * CopyStride());
  }
  return {workspace, CopyStride()};
}

void Linear::Impl::Multiply(const Codes& codes, size_t rows, const TensorView& out, kernels::OutputType type,
                            std::byte* scratch, Executor& executor) const {
  const Partition cut = Cut(rows, executor.workers());
  const size_t scratch_bytes = gemm.ScratchBytes(cut.m_step), out_row = gemm.n() * SizeOf(out.dtype);
  RunTasks(executor, cut.tasks(), [&](size_t task, size_t worker) {
    const Range r = cut.Rows(task), c = cut.Channels(task);
    const Gemm::Rows part{codes.a + r.begin * codes.stride,     codes.stride, r.end - r.begin,
                          out.bytes.data() + r.begin * out_row, gemm.n(),     type};
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
                      OutputTypeFor(impl.name, out.dtype, impl.output ? &*impl.output : nullptr));
  LQ_RETURN_IF_ERROR(CheckWorkspace(impl.name, workspace.size(),
                                    {rows, executor.workers(), WorkspaceBytes(rows, executor.workers())}));
  if (rows == 0) return OkStatus();
  std::byte* memory = AlignUp(workspace.data());
  const Impl::Codes codes = impl.PrepareInput(in.bytes.data(), rows, memory);
  impl.Multiply(codes, rows, out, type, memory + impl.CopyBytes(rows), executor);
  if (impl.output && impl.output->grid.is_signed) {
    const Grid& grid = impl.output->grid;
    ShiftCodes(grid, grid.qmin(), out.bytes.data(), rows * gemm.n(), out.bytes.data());
  }
  return OkStatus();
}

}  // namespace lq
