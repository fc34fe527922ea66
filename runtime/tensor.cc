#include "lanequant/tensor.h"

#include <fmt/format.h>

namespace lq {

size_t SizeOf(DType dtype) {
  switch (dtype) {
    case DType::kU8:
    case DType::kS8:
      return 1;
    case DType::kU16:
    case DType::kS16:
      return 2;
    case DType::kF32:
    case DType::kS32:
      return 4;
    case DType::kF64:
    case DType::kS64:
      return 8;
  }
  return 0;
}

const char* NameOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF64:
      return "f64";
    case DType::kU8:
      return "u8";
    case DType::kS8:
      return "s8";
    case DType::kU16:
      return "u16";
    case DType::kS16:
      return "s16";
    case DType::kS32:
      return "s32";
    case DType::kS64:
      return "s64";
  }
  return "?";
}

int64_t Shape::NumElements() const {
  int64_t count = 1;
  bool overflow = false, empty = false;
  for (int64_t dim : dims()) {
    if (dim < 0 || dim > kMaxDim) return -1;
    overflow |= __builtin_mul_overflow(count, dim, &count);
    empty |= dim == 0;  // makes the product 0, overflow or not
  }
  return empty ? 0 : overflow ? -1 : count;
}

std::string Shape::ToString() const { return fmt::format("({})", fmt::join(dims(), ", ")); }

}  // namespace lq
