#include "runtime/compare/reference_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "runtime/compare/fused_clip.h"
#include "runtime/io/array_element.h"
#include "runtime/plan/constants.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// How far, in codes, a dequantized float32 value may lie from its code: AIMET rounds numbers of up to 2^bitwidth codes
// a few times, by 2^-24 of them. (16 bits: 0.0023 was seen.) Encodings of another export are off by far more.
double MostRounding(const PerTensor& encoding) { return std::max(1e-3, std::ldexp(1.0, encoding.grid.bitwidth - 22)); }

struct RoundedArray {
  std::vector<int32_t> codes;
  double farthest = 0;  // of an element from its code, and that element
  double at = 0;
};

RoundedArray ToCodes(const NamedArray& array, const PerTensor& encoding) {
  const auto low = static_cast<double>(encoding.grid.qmin()), high = static_cast<double>(encoding.grid.qmax());
  const double scale = IsFloat(array.dtype) ? encoding.scale : 1.0;
  const double offset = IsFloat(array.dtype) ? encoding.offset : 0.0;
  RoundedArray result;
  result.codes.resize(static_cast<size_t>(array.shape.NumElements()));
  for (size_t i = 0; i < result.codes.size(); ++i) {
    const double position = NumberAt(array, i) / scale - offset;
    // NaN goes to `low` and shows as infinitely far.
    const double code = std::isnan(position) ? low : std::clamp(std::nearbyint(position), low, high);
    const double far = std::isnan(position) ? HUGE_VAL : std::abs(position - code);
    result.codes[i] = static_cast<int32_t>(code);
    if (far > result.farthest) {
      result.farthest = far;
      result.at = position;
    }
  }
  return result;
}

// The simulator never rounded it, and folders of LayerOutputUtil hold it as it was.
bool IsInsideFusedClip(const Graph& graph, ValueId id) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [&](const Node& node) { return IsFusedClip(graph, node) && node.inputs[0] == id; });
}

std::optional<ValueId> Find(const Graph& graph, const std::string& name) {
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].name == name) return static_cast<ValueId>(i);
  }
  return std::nullopt;
}

// Whether the network computes it: passes leave out the first states of recurrent operators, which are zeros.
bool IsMade(const Graph& graph, ValueId id) {
  const auto has = [id](const std::vector<ValueId>& ids) { return std::find(ids.begin(), ids.end(), id) != ids.end(); };
  return has(graph.inputs) ||
         std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return has(node.outputs); });
}

// Constants are no activations.
bool IsEncodedActivation(const Graph& graph, const Constants& constants, ValueId id) {
  const std::optional<Encoding>& encoding = graph.value(id).encoding;
  return constants.Find(id) == nullptr && encoding.has_value() && std::holds_alternative<PerTensor>(*encoding);
}

}  // namespace

Status ReferenceLayers::Add(const Graph& graph, ValueId id, const NamedArray& array) {
  const auto& encoding = std::get<PerTensor>(*graph.value(id).encoding);
  const int64_t rows = array.shape.rank() > 0 ? array.shape[0] : 0;
  if (rows < 1) {
    return InvalidArgument(fmt::format("layer '{}' has shape {}: no rows", array.name, array.shape.ToString()));
  }
  RoundedArray codes = ToCodes(array, encoding);
  if (codes.farthest > MostRounding(encoding)) {
    if (IsInsideFusedClip(graph, id)) {
      notes_.push_back(fmt::format("'{}' is not compared: not rounded before the Clip or Relu behind it", array.name));
      return OkStatus();
    }
    return InvalidArgument(
        fmt::format("the encodings do not match the layers: an element of '{}' lies at {:.6g} codes, {:.3g} from the "
                    "nearest code of {} (at most {:g} is rounding)",
                    array.name, codes.at, codes.farthest, Describe(encoding), MostRounding(encoding)));
  }
  layers_[id] = {std::move(codes.codes), rows};
  return OkStatus();
}

// Those of an input of the network, of an output, or of most layers.
void ReferenceLayers::CountRows(const Graph& graph) {
  std::map<int64_t, size_t> layers_with;
  for (const auto& [id, layer] : layers_) ++layers_with[layer.rows];
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  rows_ = std::max_element(layers_with.begin(), layers_with.end(), fewer)->first;
  for (const std::vector<ValueId>* boundary : {&graph.outputs, &graph.inputs}) {
    for (ValueId id : *boundary) {
      if (const auto found = layers_.find(id); found != layers_.end()) rows_ = found->second.rows;
    }
  }
  for (const auto& [id, layer] : layers_) {
    if (layer.rows == rows_) continue;
    notes_.push_back(fmt::format("'{}' has {} rows, others {}: compared as a whole, where a run is of all rows",
                                 graph.value(id).name, layer.rows, rows_));
  }
}

Result<ReferenceLayers> ReferenceLayers::Make(const Graph& graph, std::span<const NamedArray> arrays) {
  ReferenceLayers result;
  const Constants constants(graph);
  size_t without_encoding = 0;
  for (const NamedArray& array : arrays) {
    const std::optional<ValueId> id = Find(graph, array.name);
    if (!id.has_value() || (!graph.value(*id).constant.has_value() && !IsMade(graph, *id))) {
      result.notes_.push_back(fmt::format("'{}' is not compared: the network has no tensor of that name", array.name));
    } else if (IsEncodedActivation(graph, constants, *id)) {
      LQ_RETURN_IF_ERROR(result.Add(graph, *id, array));
    } else {
      ++without_encoding;
    }
  }
  if (without_encoding > 0) {
    result.notes_.push_back(fmt::format("layers without an encoding, not compared: {}", without_encoding));
  }
  if (result.layers_.empty()) {
    return InvalidArgument(fmt::format("none of the {} layers is an encoded activation of the network", arrays.size()));
  }
  result.CountRows(graph);
  return result;
}

std::vector<ValueId> ReferenceLayers::Ids() const {
  std::vector<ValueId> ids;
  for (const auto& [id, layer] : layers_) ids.push_back(id);
  return ids;
}

std::span<const int32_t> ReferenceLayers::Codes(ValueId id, Rows rows) const {
  const auto found = layers_.find(id);
  if (found == layers_.end()) return {};
  const Layer& layer = found->second;
  if (layer.rows != rows_) return rows.count == rows_ ? std::span(layer.codes) : std::span<const int32_t>();
  const size_t row = layer.codes.size() / static_cast<size_t>(rows_);
  return std::span(layer.codes).subspan(static_cast<size_t>(rows.first) * row, static_cast<size_t>(rows.count) * row);
}

}  // namespace lq
