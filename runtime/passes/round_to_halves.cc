// Float encodings of AIMET: float16, as its `sim.export` and aimet_onnx write them. See passes.h.
#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "runtime/passes/float_rounding.h"
#include "runtime/passes/insert_behind.h"
#include "runtime/passes/passes.h"

namespace lq {
namespace {

constexpr int kHalfBits = 16, kSingleBits = 32;

}  // namespace

void RoundToHalves(EncodingsFile& file, Graph& graph) {
  std::map<std::string_view, ValueId> ids;
  for (size_t i = 0; i < graph.values.size(); ++i) ids.emplace(graph.values[i].name, static_cast<ValueId>(i));
  std::vector<ValueId> activations;
  const auto is_done = [&](const EncodingEntry& entry) {
    const auto found = ids.find(entry.name);
    if (!entry.is_float || found == ids.end()) return false;
    if (entry.bitwidth == kSingleBits) return true;  // says nothing
    std::optional<Constant>& constant = graph.value(found->second).constant;
    if (entry.bitwidth != kHalfBits || (constant.has_value() && constant->dtype != DType::kF32)) return false;
    if (!constant.has_value()) {
      activations.push_back(found->second);
    } else {
      for (float& x : constant->f32) x = static_cast<float>(RoundToFormat(x, kHalf));
    }
    return true;
  };
  file.entries.erase(std::remove_if(file.entries.begin(), file.entries.end(), is_done), file.entries.end());
  Inserter inserter(graph);
  for (ValueId id : activations) inserter.Add(id, "RoundToFloat16");
  inserter.Finish(std::vector<bool>(graph.nodes.size()));
}

}  // namespace lq
