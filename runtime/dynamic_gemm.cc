#include "runtime/dynamic_gemm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/packing.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {
namespace {

// How a row is stored: u8 codes with AIMET's offset, real = (q + offset) * scale.
struct RowEncoding {
  float scale;
  int32_t offset;
  int64_t qmin;
};

// low <= 0 <= high. Comparisons rather than std::clamp: NaN becomes 0.
RowEncoding AsymmetricEncoding(float low, float high) {
  const float range = (high - low) / 255.0f;
  const float scale = range == 0.0f ? 1.0f : range;
  const float zero = -low / scale;
  const float clamped = zero > 0.0f ? std::min(zero, 255.0f) : 0.0f;
  return {scale, -static_cast<int32_t>(std::nearbyint(clamped)), 0};
}

// s8 codes are stored with 128 added.
RowEncoding SymmetricEncoding(float low, float high) {
  const float scale = std::max(-low, high) / 127.0f;
  return {scale == 0.0f ? 1.0f : scale, -128, 1};
}

}  // namespace

Result<DynamicGemm> DynamicGemm::Prepare(const FloatWeights& weights, const Encoding& encoding, RowMode mode,
                                         const OutputStage& stage, const PrepareOptions& options) {
  if (stage.encoding) {
    return Unsupported(
        fmt::format("{}: rows quantized on the fly have real outputs, but there is an output encoding of "
                    "scale {}",
                    weights.name, stage.encoding->scale));
  }
  DynamicGemm gemm;
  gemm.mode_ = mode;
  // The row's scale and offset come in as RowTerms.
  const PerTensor codes = {{8, false}, 1.0f, 0};
  PrepareOptions float_bias = options;  // an int32 bias would have the row's scale
  float_bias.bias = BiasMode::kFloat;
  LQ_ASSIGN_OR_RETURN(gemm.gemm_, Gemm::Prepare(weights, encoding, 1, codes, stage, float_bias));
  const std::vector<int64_t>& sums = gemm.gemm_.sums().sum;
  gemm.weight_sum_.resize(RoundUp(sums.size(), kernels::kPanelChannels));
  for (size_t c = 0; c < sums.size(); ++c) gemm.weight_sum_[c] = static_cast<double>(sums[c]);
  gemm.min_max_ = Choose(kernels::MinMaxVariants(), options.max_isa).run;
  gemm.quantize_ = Choose(kernels::QuantizeAffineVariants(), options.max_isa).run;
  return gemm;
}

DynamicGemm::Memory DynamicGemm::Divide(std::byte* workspace, size_t rows) const {
  auto* values = reinterpret_cast<double*>(workspace + CodeBytes(rows));
  return {workspace, values, values + rows, values + 2 * rows, workspace + CodeBytes(rows) + ArrayBytes(rows)};
}

size_t DynamicGemm::WorkspaceBytes(size_t rows, size_t workers) const {
  return kAlignment + CodeBytes(rows) + ArrayBytes(rows) + workers * gemm_.ScratchBytes(Cut(rows, workers).m_step);
}

void DynamicGemm::QuantizeRow(const FloatRows& in, size_t row, const Memory& memory) const {
  const std::byte* x = in.data + row * k() * in.ElementBytes();
  float low = 0, high = 0;  // the range includes 0
  min_max_({.in = x, .type = in.type, .n = k(), .run = k(), .count = 1, .min = &low, .max = &high});
  const RowEncoding e = mode_ == RowMode::kDynamicU8 ? AsymmetricEncoding(low, high) : SymmetricEncoding(low, high);
  quantize_({.in = x,
             .in_type = in.type,
             .n = k(),
             .layout = {&e.scale, &e.offset, 1, k()},
             .qmin = e.qmin,
             .qmax = 255,
             .profile = RoundingProfile::kOnnx,
             .type = kernels::CodeType::kU8,
             .out = memory.codes + row * CodeStride()});
  memory.offset[row] = e.offset;
  memory.start[row] = 0;
  memory.scale[row] = double{e.scale};
}

void DynamicGemm::Run(const FloatRows& in, std::byte* out, kernels::OutputType type, std::byte* workspace,
                      Executor& executor) const {
  const Memory memory = Divide(workspace, in.count);
  RunRanges(executor, in.count, kElementsPerTask / k() + 1, [&](Range rows) {
    for (size_t row = rows.begin; row < rows.end; ++row) QuantizeRow(in, row, memory);
  });
  const Partition cut = Cut(in.count, executor.workers());
  const size_t scratch_bytes = gemm_.ScratchBytes(cut.m_step), out_row = n() * kernels::SizeOf(type);
  RunTasks(executor, cut.tasks(), [&](size_t task, size_t worker) {
    const Range rows = cut.Rows(task), channels = cut.Channels(task);
    const kernels::RowTerms terms = {weight_sum_.data(), memory.offset + rows.begin, memory.start + rows.begin,
                                     memory.scale + rows.begin};
    const Gemm::Rows part = {memory.codes + rows.begin * CodeStride(),
                             CodeStride(),
                             rows.end - rows.begin,
                             out + rows.begin * out_row,
                             n(),
                             type,
                             &terms};
    gemm_.Run(part, 0, channels.begin, channels.end, memory.scratch + worker * scratch_bytes);
  });
}

}  // namespace lq
