#include "runtime/cli/inspect_quark.h"

#include <fmt/format.h>

#include <optional>
#include <variant>

#include "lanequant/float_linear.h"
#include "lanequant/linear.h"
#include "lanequant/quark.h"
#include "runtime/cli/command.h"
#include "runtime/cli/json.h"
#include "runtime/cli/table.h"
#include "runtime/output_arrays.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

template <class Layer, class Spec>
Result<LayerInfo> Prepared(const QuarkLayer& layer, const QuarkLinear& linear, Spec spec) {
  spec.name = layer.name;
  spec.in_features = layer.in_features;
  spec.out_features = layer.out_features;
  spec.weight = linear.weight;
  spec.output.bias = linear.bias;
  LQ_ASSIGN_OR_RETURN(const Layer prepared, Layer::Prepare(spec));
  return prepared.info();
}

// What runs the layer.
Result<LayerInfo> InfoOf(const QuarkLayer& layer, const QuarkLinear& linear) {
  const std::optional<Encoding>& encoding = linear.weight_encoding;
  if (!linear.input || !encoding || std::holds_alternative<PerBlock>(*encoding)) {
    FloatLinearSpec spec;
    spec.weight_encoding = encoding;
    return Prepared<FloatLinear>(layer, linear, spec);
  }
  LinearSpec spec;
  spec.weight_encoding = *encoding;
  spec.input = ToUnsigned(*linear.input);
  return Prepared<Linear>(layer, linear, spec);
}

std::string OrFloat(const std::string& format) { return format.empty() ? "float" : format; }

}  // namespace

Result<int> InspectQuark(const std::string& folder, bool as_json) {
  LQ_ASSIGN_OR_RETURN(const QuarkModel model, QuarkModel::Open(folder));
  Table table({{"layer", Align::kLeft, ""},
               {"out x in", Align::kRight, ""},
               {"weight", Align::kLeft, ""},
               {"input", Align::kLeft, ""},
               {"variant", Align::kLeft, ""},
               {"packed", Align::kLeft, ""}});
  JsonWriter json;
  json.BeginObject().BeginArray("layers");
  for (size_t i = 0; i < model.layers().size(); ++i) {
    const QuarkLayer& layer = model.layers()[i];
    LQ_ASSIGN_OR_RETURN(const QuarkLinear linear, model.Load(i));
    LQ_ASSIGN_OR_RETURN(const LayerInfo info, InfoOf(layer, linear));
    table.AddRow({layer.name, fmt::format("{} x {}", layer.out_features, layer.in_features), layer.weight,
                  OrFloat(layer.input), info.variant, info.weights});
    json.BeginObject().String("name", layer.name).Number("out_features", layer.out_features);
    json.Number("in_features", layer.in_features).String("weight", layer.weight).String("input", layer.input);
    json.String("output", layer.output).String("variant", info.variant).String("weights", info.weights).End();
  }
  fmt::print("{}", as_json ? json.End().End().text() : table.ToString() + "\n");
  return kSuccess;
}

}  // namespace lq::cli
