#include "lanequant/lpbq.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "lanequant/c_lpbq.h"
#include "runtime/c_api/arguments.h"
#include "runtime/c_api/call.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

using namespace lq;         // NOLINT(google-build-using-namespace): these functions are lq's, in C's only namespace
using namespace lq::c_api;  // NOLINT(google-build-using-namespace)

struct lq_lpbq_scales {
  LpbqScales scales;
};

namespace {

Result<LpbqLayout> ReadLayout(const lq_lpbq_layout* given) {
  LQ_ASSIGN_OR_RETURN(const lq_lpbq_layout read, ReadStruct("layout", given));
  LQ_ASSIGN_OR_RETURN(const auto shape, ReadSizes("scale_shape", read.scale_shape));
  LQ_ASSIGN_OR_RETURN(const auto block_size, ReadSizes("block_size", read.block_size));
  LQ_ASSIGN_OR_RETURN(const auto grouping, ReadSizes("block_grouping", read.block_grouping));
  return LpbqLayout{read.bitwidth,
                    read.decompressed_bitwidth,
                    Shape(shape),
                    {block_size.begin(), block_size.end()},
                    {grouping.begin(), grouping.end()}};
}

Status Keep(Result<LpbqScales> made, lq_lpbq_scales** scales) {
  LQ_RETURN_IF_ERROR(made.status());
  *scales = new lq_lpbq_scales{*std::move(made)};
  return OkStatus();
}

// All elements of a view of type T, which its bytes must hold.
template <class T>
Result<std::span<const T>> Elements(const char* name, const TensorView& view) {
  LQ_RETURN_IF_ERROR(CheckView(name, "(input)", view, view.shape));
  return std::span<const T>(view.data<T>(), static_cast<size_t>(view.shape.NumElements()));
}

Result<std::vector<uint32_t>> ReadIntScale(const lq_tensor* tensor) {
  LQ_ASSIGN_OR_RETURN(const TensorView view, ReadTensor("int_scale", tensor));
  if (view.dtype != DType::kS32) {
    return InvalidArgument(fmt::format("int_scale: type {}, but s32 is needed", NameOf(view.dtype)));
  }
  LQ_ASSIGN_OR_RETURN(const auto values, Elements<int32_t>("int_scale", view));
  return std::vector<uint32_t>(values.begin(), values.end());
}

Result<std::vector<double>> ReadChannelScale(const lq_tensor* tensor) {
  LQ_ASSIGN_OR_RETURN(const TensorView view, ReadTensor("channel_scale", tensor));
  if (view.dtype == DType::kF32) {
    LQ_ASSIGN_OR_RETURN(const auto values, Elements<float>("channel_scale", view));
    return std::vector<double>(values.begin(), values.end());
  }
  if (view.dtype == DType::kF64) {
    LQ_ASSIGN_OR_RETURN(const auto values, Elements<double>("channel_scale", view));
    return std::vector<double>(values.begin(), values.end());
  }
  return InvalidArgument(fmt::format("channel_scale: type {}, but f32 or f64 is needed", NameOf(view.dtype)));
}

}  // namespace

lq_status lq_lpbq_derive(const lq_tensor* raw_scale, const lq_lpbq_layout* layout, lq_lpbq_scales** scales,
                         lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("scales", scales));
    LQ_ASSIGN_OR_RETURN(const TensorView raw, ReadTensor("raw_scale", raw_scale));
    LQ_ASSIGN_OR_RETURN(const LpbqLayout read, ReadLayout(layout));
    return Keep(DeriveLpbq(raw, read), scales);
  });
}

lq_status lq_lpbq_derive_of_weight(const lq_tensor* weight, const lq_lpbq_layout* layout, int32_t tool,
                                   const lq_bulk_options* options, lq_lpbq_scales** scales, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("scales", scales));
    LQ_ASSIGN_OR_RETURN(const TensorView view, ReadTensor("weight", weight));
    LQ_ASSIGN_OR_RETURN(const LpbqLayout read, ReadLayout(layout));
    LQ_RETURN_IF_ERROR(CheckEnum("tool", tool, 2));
    LQ_ASSIGN_OR_RETURN(const BulkOptions bulk, ReadBulkOptions(options));
    return Keep(DeriveLpbqOfWeight(view, read, static_cast<CalibrationTool>(tool), bulk), scales);
  });
}

lq_status lq_lpbq_make(const lq_lpbq_layout* layout, const lq_tensor* int_scale, const lq_tensor* channel_scale,
                       lq_lpbq_scales** scales, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("scales", scales));
    LQ_ASSIGN_OR_RETURN(const LpbqLayout read, ReadLayout(layout));
    LQ_ASSIGN_OR_RETURN(std::vector<uint32_t> integers, ReadIntScale(int_scale));
    LQ_ASSIGN_OR_RETURN(std::vector<double> channels, ReadChannelScale(channel_scale));
    return Keep(MakeLpbqScales(read, std::move(integers), std::move(channels)), scales);
  });
}

void lq_lpbq_free(lq_lpbq_scales* scales) { delete scales; }

lq_lpbq_view lq_lpbq_look(const lq_lpbq_scales* scales) {
  lq_lpbq_view view{};
  if (scales == nullptr) return view;
  const LpbqScales& held = scales->scales;
  view.block_count = held.int_scale.size();
  view.group_count = held.channel_scale.size();
  view.int_scale = held.int_scale.data();
  view.scale = held.scale.data();
  view.channel_scale = held.channel_scale.data();
  view.rank = static_cast<int32_t>(held.group_shape.rank());
  std::copy(held.group_shape.dims().begin(), held.group_shape.dims().end(), view.group_shape);
  return view;
}

lq_status lq_lpbq_compress(const lq_tensor* weight, const lq_lpbq_scales* scales, int32_t profile,
                           const lq_tensor* codes, const lq_bulk_options* options, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_ASSIGN_OR_RETURN(const TensorView in, ReadTensor("weight", weight));
    LQ_RETURN_IF_ERROR(CheckPointer("scales", scales));
    LQ_ASSIGN_OR_RETURN(const RoundingProfile read, ReadProfile(profile));
    LQ_ASSIGN_OR_RETURN(const TensorView out, ReadTensor("codes", codes));
    LQ_ASSIGN_OR_RETURN(const BulkOptions bulk, ReadBulkOptions(options));
    return LpbqCompress(in, scales->scales, read, out, bulk);
  });
}

lq_status lq_lpbq_expand(const lq_tensor* codes, const lq_lpbq_scales* scales, const lq_tensor* out,
                         const lq_bulk_options* options, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_ASSIGN_OR_RETURN(const TensorView in, ReadTensor("codes", codes));
    LQ_RETURN_IF_ERROR(CheckPointer("scales", scales));
    LQ_ASSIGN_OR_RETURN(const TensorView to, ReadTensor("out", out));
    LQ_ASSIGN_OR_RETURN(const BulkOptions bulk, ReadBulkOptions(options));
    return LpbqExpand(in, scales->scales, to, bulk);
  });
}
