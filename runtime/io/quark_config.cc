#include "runtime/io/quark_config.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <simdjson.h>

#include <algorithm>
#include <string_view>

#include "lanequant/tensor.h"
#include "runtime/io/file.h"
#include "runtime/io/json_fields.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

namespace dom = simdjson::dom;

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 26;  // a quantizer for each layer of a large model: some megabytes
constexpr size_t kMaxConfigDepth = 32, kMaxWordBytes = 64;

Status GetWord(dom::object object, std::string_view key, std::string& out) {
  std::string_view word;
  LQ_RETURN_IF_ERROR(json::Get(object, key, word, "a string").status());
  out = word.substr(0, kMaxWordBytes);
  return OkStatus();
}

Status GetSize(dom::object object, std::string_view key, int64_t& out) {
  double size = 0;
  LQ_RETURN_IF_ERROR(json::Get(object, key, size, "a number").status());
  return json::ToInteger(size, fmt::format("'{}'", key), -1, static_cast<double>(Shape::kMaxDim), out);
}

Status ReadQuantizer(dom::object object, QuarkQuantizer& out) {
  LQ_RETURN_IF_ERROR(GetWord(object, "dtype", out.dtype));
  LQ_RETURN_IF_ERROR(GetWord(object, "qscheme", out.scheme));
  LQ_RETURN_IF_ERROR(json::Get(object, "is_dynamic", out.is_dynamic, "true or false").status());
  LQ_RETURN_IF_ERROR(GetWord(object, "scale_format", out.scale_format));
  LQ_RETURN_IF_ERROR(json::Get(object, "is_scale_quant", out.quantizes_scales, "true or false").status());
  std::string zero_points;
  LQ_RETURN_IF_ERROR(GetWord(object, "zero_point_type", zero_points));
  out.float_zero_points = zero_points == "float32";
  return GetSize(object, "group_size", out.group_size);
}

// The first of two levels, and what the second one makes of it.
Result<QuarkQuantizer> BothLevels(const QuarkQuantizer& first, QuarkQuantizer second) {
  if (second.quantizes_scales) {
    if (second.dtype != "fp8_e4m3" || second.scheme != "per_tensor") {
      return Unsupported(fmt::format("scales in {}; supported: fp8_e4m3, per tensor", second.Describe()));
    }
    second = first;
    second.quantizes_scales = true;
    return second;
  }
  if (first.scheme != "per_tensor") {
    return Unsupported(
        fmt::format("two levels, {} and {}; supported of the first: per tensor", first.Describe(), second.Describe()));
  }
  second.outer = first.dtype;
  return second;
}

// null, an object, or a list of them: one for each level.
Status GetQuantizer(dom::object layer, std::string_view key, std::optional<QuarkQuantizer>& out) {
  dom::element element;
  if (layer.at_key(key).get(element) != simdjson::SUCCESS || element.is_null()) return OkStatus();
  std::vector<dom::element> levels{element};
  dom::array list;
  if (element.get(list) == simdjson::SUCCESS) levels.assign(list.begin(), list.end());
  if (levels.size() > 2) return Unsupported(fmt::format("{} levels of '{}'; supported: 1, 2", levels.size(), key));
  for (const dom::element& level : levels) {
    dom::object object;
    if (level.get(object) != simdjson::SUCCESS) return InvalidArgument(fmt::format("'{}' is not an object", key));
    QuarkQuantizer quantizer;
    LQ_RETURN_IF_ERROR(ReadQuantizer(object, quantizer));
    if (out) {
      LQ_ASSIGN_OR_RETURN(quantizer, BothLevels(*out, std::move(quantizer)));
    }
    out = std::move(quantizer);
  }
  return OkStatus();
}

Result<QuarkLayerQuantizers> ReadLayer(dom::element element) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return InvalidArgument("a layer's quantizers are not an object");
  QuarkLayerQuantizers out;
  LQ_RETURN_IF_ERROR(GetQuantizer(object, "weight", out.weight));
  LQ_RETURN_IF_ERROR(GetQuantizer(object, "input_tensors", out.input));
  LQ_RETURN_IF_ERROR(GetQuantizer(object, "output_tensors", out.output));
  LQ_RETURN_IF_ERROR(GetQuantizer(object, "bias", out.bias));
  return out;
}

Status ReadLayers(dom::object root, QuarkConfig& out) {
  dom::object named, typed;
  dom::element all;
  if (root.at_key("global_quant_config").get(all) != simdjson::SUCCESS) {
    return InvalidArgument("'global_quant_config' is missing");
  }
  LQ_ASSIGN_OR_RETURN(out.all, ReadLayer(all));
  LQ_ASSIGN_OR_RETURN(const bool has_named, json::Get(root, "layer_quant_config", named, "an object"));
  LQ_ASSIGN_OR_RETURN(const bool has_typed, json::Get(root, "layer_type_quant_config", typed, "an object"));
  if (has_named) {
    for (const auto [pattern, element] : named) {
      LQ_ASSIGN_OR_RETURN(QuarkLayerQuantizers layer, ReadLayer(element));
      out.by_name.emplace_back(std::string(pattern), std::move(layer));
    }
  }
  dom::element linear;
  if (!has_typed || typed.at_key("Linear").get(linear) != simdjson::SUCCESS) return OkStatus();
  LQ_ASSIGN_OR_RETURN(out.linear, ReadLayer(linear));
  return OkStatus();
}

// What custom_mode "awq" leaves of a quantizer: unsigned codes with zero points, signed ones without.
Status ReadAwq(dom::object root, QuarkConfig& out) {
  int64_t bits = 0;
  bool has_zero_points = false;
  QuarkQuantizer weight;
  weight.scheme = "per_group";
  LQ_RETURN_IF_ERROR(GetSize(root, "bits", bits));
  LQ_RETURN_IF_ERROR(json::Get(root, "zero_point", has_zero_points, "true or false").status());
  LQ_RETURN_IF_ERROR(GetSize(root, "group_size", weight.group_size));
  if (bits != 4 && bits != 8) return Unsupported(fmt::format("awq of {} bits; supported: 4, 8", bits));
  weight.dtype = fmt::format("{}int{}", has_zero_points ? "u" : "", bits);
  out.all.weight = std::move(weight);
  return OkStatus();
}

Result<QuarkConfig> Parse(dom::object root) {
  dom::object quantization, packing;
  LQ_RETURN_IF_ERROR(json::Require(root, "quantization_config", quantization, "an object"));
  std::string method, order, format;
  LQ_RETURN_IF_ERROR(GetWord(quantization, "quant_method", method));
  LQ_ASSIGN_OR_RETURN(const bool has_export, json::Get(quantization, "export", packing, "an object"));
  if (has_export) {
    LQ_RETURN_IF_ERROR(GetWord(packing, "pack_method", order));
    LQ_RETURN_IF_ERROR(GetWord(packing, "weight_format", format));
  }
  const auto is_one_of = [](const std::string& word, std::string_view a, std::string_view b) {
    return word.empty() || word == a || word == b;
  };
  if ((method != "quark" && method != "fp8" && method != "awq") || !is_one_of(order, "reorder", "order") ||
      !is_one_of(format, "real_quantized", "real_quantized")) {
    return Unsupported(fmt::format(
        "quant_method '{}', pack_method '{}', weight_format '{}'; supported: quark, fp8 or awq, reorder or order, "
        "real_quantized",
        method, order, format));
  }
  QuarkConfig out;
  out.reorders = order != "order";
  out.is_fp8 = method == "fp8";
  out.is_awq = method == "awq";
  if (out.is_fp8) return out;
  LQ_RETURN_IF_ERROR(out.is_awq ? ReadAwq(quantization, out) : ReadLayers(quantization, out));
  return out;
}

Result<QuarkConfig> ParseText(std::string text) {
  dom::parser parser;
  LQ_ASSIGN_OR_RETURN(const dom::object root, json::ParseObject(text, kMaxConfigDepth, parser));
  return Parse(root);
}

}  // namespace

std::string QuarkQuantizer::Describe() const {
  std::string text = dtype;
  if (scheme == "per_group") {
    text += group_size > 0 ? fmt::format(", per group of {}", group_size) : ", per group";
  } else if (!scheme.empty()) {
    text += scheme == "per_channel" ? ", per channel" : scheme == "per_tensor" ? ", per tensor" : ", " + scheme;
  }
  if (scale_format == "e5m3") text += ", scales in e5m3";
  if (quantizes_scales) text += ", scales in fp8_e4m3";
  if (!outer.empty()) text += " within " + outer;
  return is_dynamic ? text + ", dynamic" : text;
}

const QuarkLayerQuantizers& QuarkConfig::Of(const std::string& layer) const {
  for (const auto& [pattern, quantizers] : by_name) {
    if (fnmatch(pattern.c_str(), layer.c_str(), 0) == 0) return quantizers;
  }
  return linear ? *linear : all;
}

Result<QuarkConfig> ReadQuarkConfig(const std::string& path) {
  LQ_ASSIGN_OR_RETURN(const File file, File::Open(path));
  LQ_ASSIGN_OR_RETURN(std::string text, file.ReadAll(kMaxConfigBytes));
  Result<QuarkConfig> config = ParseText(std::move(text));
  if (!config.ok()) return InFile(path, config.status());
  return config;
}

}  // namespace lq
