#include "runtime/views.h"

#include <fmt/format.h>

#include <cstring>

namespace lq {
namespace {

// As words of 64 bits, whose lanes are kept apart: g++ -O2 leaves the loop over codes as it is.
template <class T>
void Shift(const T* in, size_t n, T delta, T* out) {
  if (delta == 0 && in == out) return;
  constexpr uint64_t kOnes = ~uint64_t{0} / static_cast<T>(~T{0});  // 1 in each lane
  constexpr uint64_t kHigh = kOnes << (8 * sizeof(T) - 1);
  constexpr size_t kLanes = sizeof(uint64_t) / sizeof(T);
  const uint64_t deltas = kOnes * delta;
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    uint64_t word;
    std::memcpy(&word, in + i, sizeof(word));
    word = ((word & ~kHigh) + (deltas & ~kHigh)) ^ ((word ^ deltas) & kHigh);
    std::memcpy(out + i, &word, sizeof(word));
  }
  for (; i < n; ++i) out[i] = static_cast<T>(in[i] + delta);
}

}  // namespace

Status CheckView(const std::string& name, const char* what, const ConstTensorView& view, const Shape& shape) {
  if (!(view.shape == shape)) {
    return InvalidArgument(
        fmt::format("{} {}: shape {}, but {} is needed", name, what, view.shape.ToString(), shape.ToString()));
  }
  const int64_t elements = shape.NumElements();
  if (elements < 0) return InvalidArgument(fmt::format("{} {}: shape {} overflows", name, what, shape.ToString()));
  const size_t needed = BytesOf(view.dtype, elements);
  if (view.bytes.size() >= needed) return OkStatus();
  return InvalidArgument(fmt::format("{} {}: {} bytes, but shape {} of {} needs {}", name, what, view.bytes.size(),
                                     shape.ToString(), NameOf(view.dtype), needed));
}

Status CheckCodes(const std::string& name, const char* what, DType dtype, const Grid& grid) {
  if (dtype == CodeDType(grid)) return OkStatus();
  return InvalidArgument(
      fmt::format("{} {}: type {}, but its encoding gives {}", name, what, NameOf(dtype), NameOf(CodeDType(grid))));
}

Status CheckWorkspace(const std::string& name, size_t bytes, const WorkspaceNeed& need) {
  if (bytes >= need.bytes) return OkStatus();
  return InvalidArgument(fmt::format("{}: workspace of {} bytes, but {} rows on {} workers need {}", name, bytes,
                                     need.rows, need.workers, need.bytes));
}

Result<kernels::OutputType> OutputTypeFor(const std::string& name, DType dtype,
                                          const std::optional<PerTensor>& encoding, bool sums_fit_s32) {
  if (encoding) {
    const DType want = CodeDType(encoding->grid);
    if (dtype == want) return CodeBytes(encoding->grid) == 1 ? kernels::OutputType::kU8 : kernels::OutputType::kU16;
    return InvalidArgument(
        fmt::format("{}: output of type {}, but its encoding gives {}", name, NameOf(dtype), NameOf(want)));
  }
  if (dtype == DType::kF32) return kernels::OutputType::kF32;
  if (dtype == DType::kF64) return kernels::OutputType::kF64;
  if (dtype == DType::kF16) return kernels::OutputType::kF16;
  if (dtype == DType::kBF16) return kernels::OutputType::kBF16;
  if (dtype == DType::kS32 && sums_fit_s32) return kernels::OutputType::kS32;
  return InvalidArgument(fmt::format("{}: output of type {}, but without an encoding it is f16, bf16, f32 or f64{}",
                                     name, NameOf(dtype),
                                     sums_fit_s32 ? ", or s32" : "; no s32, whose sums might not fit"));
}

void ShiftCodes(const Grid& grid, int64_t delta, const void* in, size_t n, void* out) {
  if (CodeBytes(grid) == 1) {
    Shift(static_cast<const uint8_t*>(in), n, static_cast<uint8_t>(delta), static_cast<uint8_t*>(out));
  } else {
    Shift(static_cast<const uint16_t*>(in), n, static_cast<uint16_t>(delta), static_cast<uint16_t*>(out));
  }
}

void FinishCodes(const std::optional<PerTensor>& output, void* codes, size_t n) {
  if (output && output->grid.is_signed) ShiftCodes(output->grid, output->grid.qmin(), codes, n, codes);
}

}  // namespace lq
