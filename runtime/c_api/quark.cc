#include "lanequant/quark.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <variant>

#include "lanequant/c_quark.h"
#include "runtime/c_api/arguments.h"
#include "runtime/c_api/call.h"
#include "runtime/status_macros.h"

using namespace lq;         // NOLINT(google-build-using-namespace): these functions are lq's, in C's only namespace
using namespace lq::c_api;  // NOLINT(google-build-using-namespace)

struct lq_quark_model {
  QuarkModel model;
};
struct lq_quark_linear {
  size_t in_features, out_features;
  QuarkLinear linear;
};

namespace {

Status CheckIndex(const lq_quark_model& model, size_t index) {
  if (index < model.model.layers().size()) return OkStatus();
  return InvalidArgument(fmt::format("layer {}, but the model has {}", index, model.model.layers().size()));
}

void LookAtScales(const Encoding& encoding, lq_quark_view& view) {
  const auto take = [&view](const Grid& grid, const float* scale, const int32_t* offset, size_t count) {
    view.bitwidth = grid.bitwidth;
    view.is_signed = grid.is_signed ? 1 : 0;
    view.scale_count = count;
    view.scale = scale;
    view.offset = offset;
  };
  view.block_size = static_cast<int64_t>(view.in_features);
  if (const auto* tensor = std::get_if<PerTensor>(&encoding)) {
    take(tensor->grid, &tensor->scale, &tensor->offset, 1);
  } else if (const auto* channels = std::get_if<PerChannel>(&encoding)) {
    take(channels->grid, channels->scale.data(), channels->offset.data(), channels->scale.size());
  } else if (const auto* blocks = std::get_if<PerBlock>(&encoding)) {
    take(blocks->grid, blocks->scale.data(), blocks->offset.data(), blocks->scale.size());
    view.block_size = blocks->block_size;
  }
}

}  // namespace

lq_status lq_quark_open(const char* folder, lq_quark_model** model, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("folder", folder));
    LQ_RETURN_IF_ERROR(CheckPointer("model", model));
    LQ_ASSIGN_OR_RETURN(QuarkModel opened, QuarkModel::Open(folder));
    *model = new lq_quark_model{std::move(opened)};
    return OkStatus();
  });
}

void lq_quark_free(lq_quark_model* model) { delete model; }

size_t lq_quark_layer_count(const lq_quark_model* model) { return model != nullptr ? model->model.layers().size() : 0; }

lq_status lq_quark_layer(const lq_quark_model* model, size_t index, lq_quark_layer_info* info, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("model", model));
    LQ_RETURN_IF_ERROR(CheckPointer("info", info));
    LQ_RETURN_IF_ERROR(CheckStructSize("info", info, sizeof(*info)));
    LQ_RETURN_IF_ERROR(CheckIndex(*model, index));
    const QuarkLayer& layer = model->model.layers()[index];
    *info = {info->struct_size,    layer.name.c_str(),  layer.in_features,   layer.out_features,
             layer.weight.c_str(), layer.input.c_str(), layer.output.c_str()};
    return OkStatus();
  });
}

lq_status lq_quark_load(const lq_quark_model* model, size_t index, lq_quark_linear** linear, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("model", model));
    LQ_RETURN_IF_ERROR(CheckPointer("linear", linear));
    LQ_RETURN_IF_ERROR(CheckIndex(*model, index));
    const QuarkLayer& layer = model->model.layers()[index];
    LQ_ASSIGN_OR_RETURN(QuarkLinear loaded, model->model.Load(index));
    *linear = new lq_quark_linear{layer.in_features, layer.out_features, std::move(loaded)};
    return OkStatus();
  });
}

void lq_quark_linear_free(lq_quark_linear* linear) { delete linear; }

lq_status lq_quark_linear_look(const lq_quark_linear* linear, lq_quark_view* view, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("linear", linear));
    LQ_RETURN_IF_ERROR(CheckPointer("view", view));
    LQ_RETURN_IF_ERROR(CheckStructSize("view", view, sizeof(*view)));
    const QuarkLinear& held = linear->linear;
    lq_quark_view out{};
    out.struct_size = view->struct_size;
    out.in_features = linear->in_features;
    out.out_features = linear->out_features;
    out.weight = held.weight.data();
    out.bias = held.bias.empty() ? nullptr : held.bias.data();
    if (held.weight_encoding) LookAtScales(*held.weight_encoding, out);
    if (held.input) out.input = ToC(*held.input);
    if (held.output) out.output = ToC(*held.output);
    *view = out;
    return OkStatus();
  });
}
