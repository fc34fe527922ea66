#include "runtime/cli/code_arrays.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "runtime/cli/choose.h"

namespace lq::cli {
namespace {

constexpr Choice<DType> kTypes[] = {
    {"u8", DType::kU8},   {"s8", DType::kS8},   {"u16", DType::kU16}, {"s16", DType::kS16}, {"s32", DType::kS32},
    {"u4", DType::kU4},   {"s4", DType::kS4},   {"u2", DType::kU2},   {"s2", DType::kS2},   {"u6", DType::kU6},
    {"f32", DType::kF32}, {"f64", DType::kF64}, {"f16", DType::kF16}};

}  // namespace

Result<DType> ParseType(const char* option, const std::string& name) { return Choose(option, name, kTypes); }

NamedArray MakeArray(const char* name, DType dtype, const Shape& shape) {
  return {name, dtype, shape, std::vector<std::byte>(BytesOf(dtype, shape.NumElements()))};
}

std::vector<NamedArray> ForFile(NamedArray codes) {
  if (BitsOf(codes.dtype) >= 8) return {std::move(codes)};
  NamedArray shape = MakeArray("shape", DType::kS64, Shape{static_cast<int64_t>(codes.shape.rank())});
  if (!shape.bytes.empty()) std::memcpy(shape.bytes.data(), codes.shape.dims().data(), shape.bytes.size());
  codes.dtype = DType::kU8;
  codes.shape = Shape{static_cast<int64_t>(codes.bytes.size())};
  return {std::move(codes), std::move(shape)};
}

Result<NamedArray> FromFile(NamedArray array, std::optional<DType> dtype, const std::vector<int64_t>& shape) {
  if (!dtype.has_value()) return array;
  if (BitsOf(*dtype) >= 8) {
    if (*dtype == array.dtype) return array;
    return InvalidArgument(fmt::format("--codes {}, but the array is {}", NameOf(*dtype), NameOf(array.dtype)));
  }
  if (shape.empty()) return InvalidArgument(fmt::format("--codes {} needs the codes' --shape", NameOf(*dtype)));
  const Shape unpacked(shape);
  const int64_t elements = unpacked.NumElements();
  const size_t needed = elements < 0 ? 0 : BytesOf(*dtype, elements);
  if (array.dtype != DType::kU8 || shape.size() > Shape::kMaxRank || elements < 0 || array.bytes.size() != needed) {
    return InvalidArgument(fmt::format("--codes {} --shape {}: {} bytes of u8 are needed, but the array is {} {}",
                                       NameOf(*dtype), unpacked.ToString(), needed, NameOf(array.dtype),
                                       array.shape.ToString()));
  }
  array.dtype = *dtype;
  array.shape = unpacked;
  return array;
}

}  // namespace lq::cli
