#include "runtime/cli/layer_dump.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <utility>

#include "runtime/cli/arrays.h"

namespace lq::cli {

void LayerDump::Add(const ObservedTensor& tensor) {
  auto layer = std::find_if(layers_.begin(), layers_.end(), [&](const Layer& l) { return l.id == tensor.id; });
  if (layer == layers_.end()) {
    const std::string& name = graph_.value(tensor.id).name;
    layers_.push_back({tensor.id, {"codes:" + name, DType::kS32, {}, {}}, {"values:" + name, DType::kF32, {}, {}}});
    layer = std::prev(layers_.end());
  }
  const std::span<const std::byte> codes = std::as_bytes(std::span<const int32_t>(tensor.codes));
  layer->codes.bytes.insert(layer->codes.bytes.end(), codes.begin(), codes.end());
  std::vector<float> values;
  values.reserve(tensor.codes.size());
  const PerTensor& e = tensor.encoding;
  // Exact in binary64, rounded once: the dequantized value of exact_simulator.md 1.
  for (int32_t q : tensor.codes) values.push_back(static_cast<float>(double(q + e.offset) * double{e.scale}));
  AppendRows(values, tensor.shape, layer->values);
  layer->codes.shape = layer->values.shape;
}

std::vector<NamedArray> LayerDump::TakeArrays() {
  std::vector<NamedArray> arrays;
  for (Layer& layer : layers_) {
    arrays.push_back(std::move(layer.codes));
    arrays.push_back(std::move(layer.values));
  }
  layers_.clear();
  return arrays;
}

}  // namespace lq::cli
