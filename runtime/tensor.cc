#include "lanequant/tensor.h"

#include <fmt/format.h>

namespace lq {

namespace {

struct DTypeRow {
  DType dtype;
  size_t bits;
  const char* name;
};

constexpr DTypeRow kDTypes[] = {
    {DType::kF32, 32, "f32"}, {DType::kF64, 64, "f64"},   {DType::kU8, 8, "u8"},    {DType::kS8, 8, "s8"},
    {DType::kU16, 16, "u16"}, {DType::kS16, 16, "s16"},   {DType::kS32, 32, "s32"}, {DType::kS64, 64, "s64"},
    {DType::kF16, 16, "f16"}, {DType::kBF16, 16, "bf16"}, {DType::kU4, 4, "u4"},    {DType::kS4, 4, "s4"},
    {DType::kU2, 2, "u2"},    {DType::kS2, 2, "s2"},      {DType::kU6, 6, "u6"},
};

const DTypeRow& Row(DType dtype) {
  for (const DTypeRow& row : kDTypes) {
    if (row.dtype == dtype) return row;
  }
  return kDTypes[0];  // unreachable: the table has them all
}

}  // namespace

size_t BitsOf(DType dtype) { return Row(dtype).bits; }

size_t SizeOf(DType dtype) { return Row(dtype).bits / 8; }

size_t BytesOf(DType dtype, int64_t elements) {
  const size_t bits = Row(dtype).bits, count = static_cast<size_t>(elements);
  return bits >= 8 ? count * (bits / 8) : (count * bits + 7) / 8;
}

const char* NameOf(DType dtype) { return Row(dtype).name; }

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
