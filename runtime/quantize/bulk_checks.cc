#include "runtime/quantize/bulk_checks.h"

#include <fmt/format.h>

#include <functional>
#include <string>

#include "runtime/axis.h"
#include "runtime/status_macros.h"

namespace lq {

Status CheckFloats(const char* name, DType dtype) {
  if (dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16) return OkStatus();
  return InvalidArgument(fmt::format("{}: type {}, neither f32 nor f16 nor bf16", name, NameOf(dtype)));
}

Status CheckBytes(const char* name, const ConstTensorView& view) {
  const int64_t elements = view.shape.NumElements();
  const std::string shape = view.shape.ToString();
  if (elements < 0 || elements > (INT64_MAX >> 6)) {  // bits still fit
    return InvalidArgument(fmt::format("{}: shape {} overflows or has a negative dimension", name, shape));
  }
  const size_t needed = BytesOf(view.dtype, elements);
  if (view.bytes.size() >= needed) return OkStatus();
  return InvalidArgument(fmt::format("{}: {} bytes, but shape {} of {} needs {}", name, view.bytes.size(), shape,
                                     NameOf(view.dtype), needed));
}

Status CheckApart(const NamedView& in, const NamedView& out, bool in_place) {
  const std::byte *in_data = in.view.bytes.data(), *out_data = out.view.bytes.data();
  const size_t in_bytes = BytesOf(in.view.dtype, in.view.shape.NumElements());
  const size_t out_bytes = BytesOf(out.view.dtype, out.view.shape.NumElements());
  const std::less<const std::byte*> before;
  if (in_bytes == 0 || !before(in_data, out_data + out_bytes) || !before(out_data, in_data + in_bytes))
    return OkStatus();
  if (in_place && in_data == out_data && in.view.dtype == out.view.dtype) return OkStatus();
  return InvalidArgument(
      fmt::format("{}: its {} bytes overlap the {} bytes of {}", out.name, out_bytes, in_bytes, in.name));
}

Result<size_t> CheckAxis(int64_t axis, const NamedView& tensor) {
  const size_t rank = tensor.view.shape.rank();
  if (const std::optional<size_t> at = FindAxis(axis, rank)) return *at;
  return InvalidArgument(fmt::format("axis: {}, but {} has {} dimensions", axis, tensor.name, rank));
}

Status CheckPair(const NamedView& in, const NamedView& out, bool in_place) {
  LQ_RETURN_IF_ERROR(CheckBytes(in.name, in.view));
  LQ_RETURN_IF_ERROR(CheckBytes(out.name, out.view));
  if (!(in.view.shape == out.view.shape)) {
    return InvalidArgument(fmt::format("{}: shape {}, but {} has shape {}", out.name, out.view.shape.ToString(),
                                       in.name, in.view.shape.ToString()));
  }
  return CheckApart(in, out, in_place);
}

}  // namespace lq
