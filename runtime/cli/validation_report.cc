#include "runtime/cli/validation_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/cli/json.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/table.h"

namespace lq::cli {
namespace {

constexpr size_t kLineWidth = 120, kNameWidth = 36, kMinNameWidth = 10, kOpWidth = 17;

// "0", "12 (1)": differing codes and the largest difference; "-" where nothing was compared.
std::string Cell(const CodeDifference& difference) {
  if (difference.compared == 0) return "-";
  if (difference.different == 0) return "0";
  return fmt::format("{} ({})", difference.different, difference.largest);
}

// "12 (1) ~": of a tensor behind sums of floats; "!": some are beyond the bound.
std::string KernelCell(const LayerValidation& layer) {
  if (!layer.sums_floats) return Cell(layer.kernel_isolated);
  return Cell(layer.kernel_isolated) + (layer.kernel_beyond > 0 ? " !" : " ~");
}

std::string TieCell(const LayerValidation& layer) {
  if (layer.aimet_isolated.compared == 0) return "-";
  if (layer.aimet_isolated.different == 0) return "";
  return fmt::format("{:.1e} / {:.1e}{}", layer.tie.distance, layer.tie.allowance,
                     layer.tie.unexplained > 0 ? " !" : "");
}

// What else would have agreed; "" where nothing does.
std::string OtherChoiceLine(const Validation& validation, const SessionOptions& options) {
  const bool by_bias = validation.BiasExplains();
  if (!by_bias && !validation.ProfileExplains()) return "";
  const OtherChoice& other = by_bias ? *validation.other_bias : *validation.other_profile;
  const std::string option =
      by_bias ? fmt::format("--bias {}", NameOf(other.bias)) : fmt::format("--profile {}", NameOf(other.profile));
  return fmt::format(
      "the {} alone explains the drift: with {} {} codes differ isolated, {} cumulative; with {} {}, {}\n",
      by_bias ? "bias mode" : "rounding profile", option, other.isolated.different, other.cumulative.different,
      by_bias ? NameOf(options.bias) : NameOf(options.profile), validation.aimet_isolated.different,
      validation.aimet_cumulative.different);
}

std::string FirstNames(const std::vector<std::string>& names) {
  constexpr size_t kNames = 5;
  const size_t shown = std::min(names.size(), kNames);
  return fmt::format("'{}'{}", fmt::join(names.begin(), names.begin() + static_cast<ptrdiff_t>(shown), "', '"),
                     names.size() > shown ? ", ..." : "");
}

// "" where every layer was compared.
std::string NotComparedSentence(const Validation& validation) {
  const std::vector<std::string> names = validation.NotCompared();
  if (names.empty()) return "";
  return fmt::format("{} of {} encoded activations could not be compared: {}; ", names.size(), validation.layers.size(),
                     FirstNames(names));
}

// "" where each layer that differs was computed from the reference's own codes.
std::string MissingLine(const Validation& validation) {
  if (validation.missing.empty()) return "";
  return fmt::format("differences marked ! may stem from before: the layers do not have {} of their inputs, {}\n",
                     validation.missing.size(), FirstNames(validation.missing));
}

// "" where the bias is not the whole reason.
std::string FloatBiasLine(const Validation& validation) {
  if (!validation.float_bias_explains) return "";
  return "the bias alone explains the differences: the layers were recorded with floats, the file has their int32 "
         "codes "
         "(no difference is more than half a step of these makes)\n";
}

std::string KernelSentence(const Validation& validation) {
  if (validation.sums_floats) {
    return fmt::format("~ sums of floats: kernels {} their bound{}, {} of {} codes and {} of {} outputs differ",
                       validation.KernelsAgree() ? "within" : "beyond",
                       validation.KernelsAgree() ? "" : fmt::format(" {} times", validation.kernel_beyond),
                       validation.kernel.different, validation.kernel.compared, validation.outputs_different,
                       validation.output_elements);
  }
  if (validation.KernelsAgree()) return "kernels = exact simulator in every code";
  return fmt::format("kernels differ from the exact simulator in {} of {} codes and {} of {} outputs",
                     validation.kernel.different, validation.kernel.compared, validation.outputs_different,
                     validation.output_elements);
}

std::string AimetSentence(const Validation& validation) {
  const CodeDifference& isolated = validation.aimet_isolated;
  if (isolated.different == 0) return fmt::format("exact simulator = AIMET in all {} codes", isolated.compared);
  if (validation.unexplained == 0) {
    return fmt::format("AIMET differs in {} of {}, each by 1 at a tie (float32 noise)", isolated.different,
                       isolated.compared);
  }
  return fmt::format("AIMET differs in {} of {}, {} of them beyond float32 noise", isolated.different,
                     isolated.compared, validation.unexplained);
}

Table MakeTable(const Validation& validation, size_t name_width) {
  Table table({{"tensor", Align::kLeft, ""},
               {"op", Align::kLeft, ""},
               {"codes", Align::kRight, ""},
               {"kernel", Align::kRight, "isolated: codes that differ"},
               {"AIMET", Align::kRight, "isolated: codes that differ"},
               {"from tie / allowed", Align::kLeft, "isolated: codes that differ"},
               {"kernel", Align::kRight, "cumulative"},
               {"AIMET", Align::kRight, "cumulative"}});
  for (const LayerValidation& layer : validation.layers) {
    const uint64_t codes = layer.kernel_isolated.compared;
    table.AddRow({ShortenLeft(layer.name, name_width), layer.op.substr(0, kOpWidth), std::to_string(codes),
                  KernelCell(layer), Cell(layer.aimet_isolated), TieCell(layer), Cell(layer.kernel_cumulative),
                  Cell(layer.aimet_cumulative)});
  }
  return table;
}

void WriteDifference(const char* key, const CodeDifference& difference, JsonWriter& json) {
  json.BeginObject(key).Number("compared", difference.compared).Number("different", difference.different);
  json.Number("largest", difference.largest).End();
}

// The rest of an object that has begun.
void WriteOther(const OtherChoice& other, bool explains, JsonWriter& json) {
  json.Bool("explains", explains).Number("unexplained", other.unexplained);
  WriteDifference("aimet_isolated", other.isolated, json);
  WriteDifference("aimet_cumulative", other.cumulative, json);
  json.End();
}

void WriteLayer(const LayerValidation& layer, JsonWriter& json) {
  json.BeginObject().String("tensor", layer.name).String("op", layer.op);
  WriteDifference("kernel_isolated", layer.kernel_isolated, json);
  WriteDifference("aimet_isolated", layer.aimet_isolated, json);
  WriteDifference("kernel_cumulative", layer.kernel_cumulative, json);
  WriteDifference("aimet_cumulative", layer.aimet_cumulative, json);
  json.Bool("sums_floats", layer.sums_floats).Number("kernel_beyond", layer.kernel_beyond);
  json.Number("unexplained", layer.tie.unexplained).Number("tie_distance", layer.tie.distance);
  json.Number("tie_allowance", layer.tie.allowance).End();
}

}  // namespace

std::string ValidationTable(const Validation& validation, const SessionOptions& options) {
  Table table = MakeTable(validation, kNameWidth);
  if (const size_t width = table.Width(); width > kLineWidth) {
    table = MakeTable(validation, std::max(kMinNameWidth, kNameWidth - std::min(kNameWidth, width - kLineWidth)));
  }
  return fmt::format("{}{}{}{}{}: {}{}; {}\n", table.ToString(), OtherChoiceLine(validation, options),
                     FloatBiasLine(validation), MissingLine(validation), validation.Passed() ? "passed" : "FAILED",
                     NotComparedSentence(validation), KernelSentence(validation), AimetSentence(validation));
}

std::string ValidationJson(const Validation& validation, const SessionOptions& options) {
  JsonWriter json;
  json.BeginObject().Bool("passed", validation.Passed()).Number("rows", validation.rows);
  json.Number("rows_left", validation.rows_left);
  json.String("bias", NameOf(options.bias)).String("profile", NameOf(options.profile));
  json.String("target", ChosenTarget(options.max_isa));
  WriteDifference("kernel", validation.kernel, json);
  WriteDifference("aimet_isolated", validation.aimet_isolated, json);
  WriteDifference("aimet_cumulative", validation.aimet_cumulative, json);
  json.Bool("sums_floats", validation.sums_floats).Number("kernel_beyond", validation.kernel_beyond);
  json.Number("unexplained", validation.unexplained).Bool("float_bias_explains", validation.float_bias_explains);
  json.Number("outputs_compared", validation.output_elements).Number("outputs_different", validation.outputs_different);
  json.BeginArray("not_compared");
  for (const std::string& name : validation.NotCompared()) json.String("", name);
  json.End();
  json.BeginArray("missing");
  for (const std::string& name : validation.missing) json.String("", name);
  json.End();
  if (validation.other_bias.has_value()) {
    json.BeginObject("other_bias").String("bias", NameOf(validation.other_bias->bias));
    WriteOther(*validation.other_bias, validation.BiasExplains(), json);
  }
  if (validation.other_profile.has_value()) {
    json.BeginObject("other_profile").String("profile", NameOf(validation.other_profile->profile));
    WriteOther(*validation.other_profile, validation.ProfileExplains(), json);
  }
  json.BeginArray("layers");
  for (const LayerValidation& layer : validation.layers) WriteLayer(layer, json);
  return json.End().End().text();
}

}  // namespace lq::cli
