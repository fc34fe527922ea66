#include "runtime/c_api/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "lanequant/target.h"
#include "runtime/status_macros.h"

namespace lq::c_api {
namespace {

constexpr size_t kLargestStruct = 4096;  // what lies beyond is a struct_size that was never set

}  // namespace

Status CheckPointer(const char* name, const void* pointer) {
  return pointer != nullptr ? OkStatus() : InvalidArgument(fmt::format("{} is null", name));
}

Status CheckStructSize(const char* name, const void* given, size_t known) {
  size_t size = 0;
  std::memcpy(&size, given, sizeof(size));
  if (size < known || size > kLargestStruct) {
    return InvalidArgument(fmt::format("{}: struct_size is {}, but the struct has {} bytes", name, size, known));
  }
  const auto* bytes = static_cast<const unsigned char*>(given);
  const unsigned char* unknown =
      std::find_if(bytes + known, bytes + size, [](unsigned char byte) { return byte != 0; });
  if (unknown == bytes + size) return OkStatus();
  return Unsupported(fmt::format("{}: byte {} of {} is set, but this version knows the first {} only", name,
                                 unknown - bytes, size, known));
}

Result<TensorView> ReadTensor(const char* name, const lq_tensor* tensor) {
  if (Status status = CheckPointer(name, tensor); !status.ok()) return status;
  if (tensor->dtype < LQ_F32 || tensor->dtype > LQ_U6) {
    return InvalidArgument(
        fmt::format("{}: dtype {} is none of {} to {}", name, tensor->dtype, int{LQ_F32}, int{LQ_U6}));
  }
  if (tensor->rank < 0 || tensor->rank > LQ_MAX_RANK) {
    return InvalidArgument(fmt::format("{}: rank {} is not in 0 to {}", name, tensor->rank, LQ_MAX_RANK));
  }
  if (tensor->data == nullptr && tensor->bytes != 0) {
    return InvalidArgument(fmt::format("{}: data is null, but has {} bytes", name, tensor->bytes));
  }
  TensorView view;
  view.dtype = static_cast<DType>(tensor->dtype);
  const size_t alignment = std::max<size_t>(SizeOf(view.dtype), 1);
  if (const size_t past = reinterpret_cast<uintptr_t>(tensor->data) % alignment; past != 0) {
    return InvalidArgument(fmt::format("{}: data of type {} lies {} bytes past a multiple of {}", name,
                                       NameOf(view.dtype), past, alignment));
  }
  view.shape = Shape(std::span<const int64_t>(tensor->dims, static_cast<size_t>(tensor->rank)));
  view.bytes = {static_cast<std::byte*>(tensor->data), tensor->bytes};
  return view;
}

Result<TensorView> ReadOptionalTensor(const char* name, const lq_tensor* tensor) {
  if (tensor == nullptr) return TensorView{};
  Result<TensorView> view = ReadTensor(name, tensor);
  if (!view.ok() || !view->bytes.empty()) return view;
  const int64_t elements = view->shape.NumElements();
  return InvalidArgument(fmt::format("{}: 0 bytes, but {} of shape {} needs {}; null where there is none", name,
                                     NameOf(view->dtype), view->shape.ToString(),
                                     elements < 0 ? 0 : BytesOf(view->dtype, elements)));
}

Result<std::span<const int64_t>> ReadSizes(const char* name, const lq_sizes& sizes) {
  if (sizes.count > LQ_MAX_RANK) {
    return InvalidArgument(
        fmt::format("{}: {} numbers, but a tensor has at most {} dimensions", name, sizes.count, LQ_MAX_RANK));
  }
  if (sizes.count != 0) LQ_RETURN_IF_ERROR(CheckPointer(name, sizes.values));
  return std::span<const int64_t>(sizes.values, sizes.count);
}

Status CheckEnum(const char* name, int32_t value, int32_t count) {
  if (value >= 0 && value < count) return OkStatus();
  return InvalidArgument(fmt::format("{} {} is none of 0 to {}", name, value, count - 1));
}

Result<RoundingProfile> ReadProfile(int32_t profile) {
  LQ_RETURN_IF_ERROR(CheckEnum("rounding profile", profile, 4));
  return static_cast<RoundingProfile>(profile);
}

std::string ReadMaxIsa(const char* max_isa) { return max_isa != nullptr ? std::string(max_isa) : DefaultMaxIsa(); }

Result<BulkOptions> ReadBulkOptions(const lq_bulk_options* options) {
  LQ_ASSIGN_OR_RETURN(const lq_bulk_options read, ReadOptions("options", options));
  return BulkOptions{&ReadExecutor(read.executor), ReadMaxIsa(read.max_isa)};
}

}  // namespace lq::c_api
