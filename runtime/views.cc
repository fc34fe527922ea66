#include "runtime/views.h"

#include <fmt/format.h>

namespace lq {

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

Result<kernels::OutputType> OutputTypeFor(const std::string& name, DType dtype, const PerTensor* encoding) {
  if (encoding != nullptr) {
    const DType want = CodeDType(encoding->grid);
    if (dtype == want) return kernels::OutputType::kU8;
    return InvalidArgument(
        fmt::format("{}: output of type {}, but its encoding gives {}", name, NameOf(dtype), NameOf(want)));
  }
  if (dtype == DType::kF32) return kernels::OutputType::kF32;
  if (dtype == DType::kF64) return kernels::OutputType::kF64;
  return InvalidArgument(
      fmt::format("{}: output of type {}, but without an encoding it is f32 or f64", name, NameOf(dtype)));
}

void ShiftCodes(const uint8_t* in, size_t n, uint8_t delta, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<uint8_t>(in[i] + delta);
}

}  // namespace lq
