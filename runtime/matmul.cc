#include "lanequant/matmul.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "kernels/epilogue_setup.h"
#include "kernels/packing.h"
#include "runtime/input_rows.h"
#include "runtime/output_arrays.h"
#include "runtime/partition.h"
#include "runtime/right_operand.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"
#include "runtime/views.h"

namespace lq {

using kernels::kPanelChannels;

struct Matmul::Impl {
  std::string name;
  PerTensor a, b;
  bool b_is_transposed;
  std::optional<PerTensor> output;
  InputRows left;
  int64_t left_offset = 0;  // of the codes as they are stored
  kernels::SumCodesFn sum = nullptr;
  RightOperand right;
  kernels::MatmulFn kernel = nullptr;
  std::vector<double> scale, real_mul, real_add;  // of one panel: all channels are alike
  std::vector<float> fast_mul, fast_add;
  kernels::Epilogue epilogue{};
  LayerInfo info;

  // One run.
  struct Call {
    Sizes sizes;
    Partition cut;  // of each matrix
    const std::byte *a, *b;
    std::byte* out;
    kernels::OutputType type;
  };
  // A worker's part of the workspace.
  struct Memory {
    std::byte *rows, *panel, *scratch;
    double *offset, *start, *weight_sum;
    size_t bytes;
  };

  void SetUpOutput(RoundingProfile profile);
  void ChooseKernel(const std::string& max_isa);
  size_t LargestK() const;
  bool SumsFitInt32(size_t k) const;
  bool TermsFitInt32(size_t k) const;
  Partition Cut(const Sizes& sizes, size_t workers) const;
  Memory Divide(std::byte* memory, size_t rows, size_t k) const;
  void RunTask(const Call& call, size_t task, const Memory& memory) const;
};

Matmul::Matmul(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Matmul::Matmul(Matmul&&) noexcept = default;
Matmul& Matmul::operator=(Matmul&&) noexcept = default;
Matmul::~Matmul() = default;

const LayerInfo& Matmul::info() const { return impl_->info; }

size_t Matmul::LargestK() const { return impl_->LargestK(); }

Result<Matmul> Matmul::Prepare(const MatmulSpec& spec, const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(ValidateEncoding(spec.name + " a", spec.a, Shape{}));
  LQ_RETURN_IF_ERROR(ValidateEncoding(spec.name + " b", spec.b, Shape{}));
  if (spec.output) LQ_RETURN_IF_ERROR(ValidateEncoding(spec.name + " output", *spec.output, Shape{}));
  auto impl = std::make_unique<Impl>();
  impl->name = spec.name;
  impl->a = spec.a;
  impl->b = spec.b;
  impl->b_is_transposed = spec.b_is_transposed;
  impl->output = spec.output;
  impl->left = InputRows(spec.a.grid);
  impl->left_offset = ToUnsigned(spec.a).offset;
  impl->sum = Choose(kernels::SumCodesVariants(), options.max_isa).run;
  impl->right = RightOperand(spec.b, spec.b_is_transposed, options.max_isa);
  impl->SetUpOutput(options.profile);
  impl->ChooseKernel(options.max_isa);
  return Matmul(std::move(impl));
}

void Matmul::Impl::SetUpOutput(RoundingProfile profile) {
  scale.assign(kPanelChannels, double{a.scale} * double{b.scale});
  real_mul.resize(kPanelChannels);
  real_add.resize(kPanelChannels);
  epilogue.scale = scale.data();
  epilogue.clip_min = -HUGE_VAL;
  epilogue.clip_max = HUGE_VAL;
  if (!output) return;
  epilogue.to = MakeQuantizeTo(*output, profile, -HUGE_VALF, HUGE_VALF);
  kernels::SetUpRealEpilogue(kPanelChannels, real_mul.data(), real_add.data(), &epilogue);
  fast_mul.resize(kPanelChannels);
  fast_add.resize(kPanelChannels);
  kernels::SetUpFastEpilogue(kPanelChannels, fast_mul.data(), fast_add.data(), &epilogue);
}

void Matmul::Impl::ChooseKernel(const std::string& max_isa) {
  const auto variants = left.wide() ? (right.wide() ? kernels::MatmulU16S16Variants() : kernels::MatmulU16S8Variants())
                                    : (right.wide() ? kernels::MatmulU8S16Variants() : kernels::MatmulU8S8Variants());
  Chosen<kernels::MatmulFn> chosen = Choose(variants, max_isa);
  kernel = chosen.run;
  info.variant = fmt::format("matmul_{}{}/{}", left.wide() ? "u16" : "u8", right.wide() ? "s16" : "s8", chosen.name);
  info.why_not_better = std::move(chosen.why_not_better);
  info.weights = right.wide() ? "packed at run time to int16" : "packed at run time to int8";
}

// With 8-bit weights |dot| <= 255 * 128 * k, of either byte of wide codes, must fit int32. acc and each of its terms
//   sum of q * w  +  o_a * (sum of w)  +  o_w * (sum of q + k * o_a)
// must stay below 2^53, so that binary64 adds them up exactly.
size_t Matmul::Impl::LargestK() const {
  const int64_t q = left.wide() ? 65535 : 255, w = right.wide() ? 32768 : 128;
  const int64_t o_a = std::abs(left_offset), o_w = std::abs(right.offset());
  const auto per_k = static_cast<double>(q * w + o_a * w) + static_cast<double>(o_w) * static_cast<double>(q + o_a);
  const auto exact = static_cast<size_t>(std::ldexp(1.0, 53) / per_k);
  return right.wide() ? exact : std::min(exact, kMaxK8);
}

bool Matmul::Impl::SumsFitInt32(size_t k) const {
  const int64_t largest = LargestCentred(a) * LargestCentred(b);
  return static_cast<double>(largest) * static_cast<double>(k) < std::ldexp(1.0, 31);
}

// What the dots are short of the sums.
bool Matmul::Impl::TermsFitInt32(size_t k) const {
  const int64_t o_a = std::abs(left_offset), o_w = std::abs(right.offset());
  return static_cast<double>(128 * o_a + o_w * (255 + o_a)) * static_cast<double>(k) < std::ldexp(1.0, 31);
}

// Few large matrices are cut, many are shared out whole.
Partition Matmul::Impl::Cut(const Sizes& sizes, size_t workers) const {
  const size_t of_each = (workers + sizes.batch - 1) / sizes.batch;
  return MakePartition(sizes.m, sizes.n, sizes.k, of_each, sizes.m);
}

Matmul::Impl::Memory Matmul::Impl::Divide(std::byte* memory, size_t rows, size_t k) const {
  size_t used = 0;
  const auto take = [&used](size_t bytes) {
    const size_t at = used;
    used += RoundUp(bytes, kAlignment);
    return at;
  };
  const size_t copy = take(left.CopyBytes(rows, k)), panel = take(right.PanelBytes(k));
  const size_t arrays = take((2 * rows + kPanelChannels) * sizeof(double));
  const size_t scratch =
      take(left.wide() ? kernels::MatmulU16ScratchBytes(rows, k) : kernels::MatmulScratchBytes(rows, k));
  if (memory == nullptr) return {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, used};
  auto* values = reinterpret_cast<double*>(memory + arrays);
  return {memory + copy, memory + panel, memory + scratch, values, values + rows, values + 2 * rows, used};
}

size_t Matmul::WorkspaceBytes(const Sizes& sizes, size_t workers) const {
  if (sizes.batch == 0) return kAlignment;
  return kAlignment + workers * impl_->Divide(nullptr, impl_->Cut(sizes, workers).m_step, sizes.k).bytes;
}

// A part of one matrix, panel by panel: each is packed when it is needed, into L2.
void Matmul::Impl::RunTask(const Call& call, size_t task, const Memory& memory) const {
  const auto& [batch, m, n, k] = call.sizes;
  const size_t matrix = task / call.cut.tasks(), part = task % call.cut.tasks();
  const Range rows = call.cut.Rows(part), channels = call.cut.Channels(part);
  const size_t count = rows.end - rows.begin, size = kernels::SizeOf(call.type);
  const std::byte* in = call.a + (matrix * m + rows.begin) * k * left.code_bytes();
  const std::byte* codes = left.Prepare(in, count, k, memory.rows);
  // acc = dot + o_a * (sum of w) + o_w * (sum of q + k * o_a)
  const double o_a = static_cast<double>(left_offset), o_w = static_cast<double>(right.offset());
  sum({codes, left.wide(), count, k, left.Stride(k), memory.start});
  for (size_t i = 0; i < count; ++i) {
    memory.offset[i] = o_a;
    memory.start[i] = o_w * (memory.start[i] + static_cast<double>(k) * o_a);
  }
  kernels::Epilogue finish = epilogue;
  finish.fast = epilogue.fast && SumsFitInt32(k) && TermsFitInt32(k);
  const kernels::RowTerms terms = {memory.weight_sum, memory.offset, memory.start, nullptr};
  kernels::MatmulArgs args{};
  args.a = reinterpret_cast<const uint8_t*>(codes);
  args.a_stride = left.Stride(k);
  args.m = count;
  args.k = k;
  args.w = memory.panel;
  args.epilogue = &finish;
  args.out_type = call.type;
  args.out_stride = n;
  args.scratch = memory.scratch;
  args.row_terms = &terms;
  for (size_t n0 = channels.begin; n0 < channels.end; n0 += kPanelChannels) {
    args.n = args.n_end = std::min(kPanelChannels, channels.end - n0);
    right.Pack({call.b + matrix * n * k * right.code_bytes(), n, k, n0, args.n}, memory.panel, memory.weight_sum);
    args.out = call.out + ((matrix * m + rows.begin) * n + n0) * size;
    kernel(args);
  }
}

Status Matmul::Run(ConstTensorView a, ConstTensorView b, TensorView out, std::span<std::byte> workspace,
                   Executor& executor) const {
  const Impl& impl = *impl_;
  if (a.shape.rank() != 3 || a.shape.NumElements() < 0 || out.shape.rank() != 3 || out.shape.NumElements() < 0) {
    return InvalidArgument(fmt::format("{}: a of shape {}, output of shape {}; both have 3 dimensions", impl.name,
                                       a.shape.ToString(), out.shape.ToString()));
  }
  const int64_t batch = a.shape[0], m = a.shape[1], k = a.shape[2], n = out.shape[2];
  LQ_RETURN_IF_ERROR(CheckView(impl.name, "a", a, a.shape));
  LQ_RETURN_IF_ERROR(CheckView(impl.name, "b", b, impl.b_is_transposed ? Shape{batch, n, k} : Shape{batch, k, n}));
  LQ_RETURN_IF_ERROR(CheckView(impl.name, "output", out, {batch, m, n}));
  LQ_RETURN_IF_ERROR(CheckCodes(impl.name, "a", a.dtype, impl.a.grid));
  LQ_RETURN_IF_ERROR(CheckCodes(impl.name, "b", b.dtype, impl.b.grid));
  if (static_cast<size_t>(k) > impl.LargestK()) {
    return Unsupported(
        fmt::format("{}: k {}, but sums of these codes are exact up to {}", impl.name, k, impl.LargestK()));
  }
  LQ_ASSIGN_OR_RETURN(const kernels::OutputType type,
                      OutputTypeFor(impl.name, out.dtype, impl.output, impl.SumsFitInt32(static_cast<size_t>(k))));
  const Sizes sizes = {static_cast<size_t>(batch), static_cast<size_t>(m), static_cast<size_t>(n),
                       static_cast<size_t>(k)};
  const size_t workers = executor.workers();
  LQ_RETURN_IF_ERROR(CheckWorkspace(impl.name, workspace.size(), {sizes.m, workers, WorkspaceBytes(sizes, workers)}));
  if (out.shape.NumElements() == 0) return OkStatus();
  const Impl::Call call = {sizes, impl.Cut(sizes, workers), a.bytes.data(), b.bytes.data(), out.bytes.data(), type};
  std::byte* memory = AlignUp(workspace.data());
  const size_t bytes = impl.Divide(nullptr, call.cut.m_step, sizes.k).bytes;
  RunTasks(executor, sizes.batch * call.cut.tasks(), [&](size_t task, size_t worker) {
    impl.RunTask(call, task, impl.Divide(memory + worker * bytes, call.cut.m_step, sizes.k));
  });
  FinishCodes(impl.output, out.bytes.data(), sizes.batch * sizes.m * sizes.n);
  return OkStatus();
}

}  // namespace lq
