// Div and ReduceMean of integers, which cross as float32 numbers. See passes.h.
#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/passes/new_values.h"
#include "runtime/passes/passes.h"

namespace lq {
namespace {

template <size_t kSize>
bool IsAmong(const std::string_view (&names)[kSize], std::string_view op) {
  return std::find(std::begin(names), std::end(names), op) != std::end(names);
}

bool IsFloatType(DType type) {
  return type == DType::kF32 || type == DType::kF64 || type == DType::kF16 || type == DType::kBF16;
}

// Which values are integers or truths in the file.
class IntegerValues {
 public:
  explicit IntegerValues(const Graph& graph) : is_integer_(graph.values.size()) {
    for (size_t i = 0; i < graph.values.size(); ++i) {
      const std::optional<Constant>& constant = graph.values[i].constant;
      is_integer_[i] = constant.has_value() && constant->dtype == DType::kS64;
    }
    for (ValueId id : graph.inputs) At(id) = !IsFloatType(graph.value(id).file_type);
    for (const Node& node : graph.nodes) Follow(node);
  }

  bool Has(ValueId id) const { return id != kAbsent && is_integer_[static_cast<size_t>(id)]; }

 private:
  std::vector<bool>::reference At(ValueId id) { return is_integer_[static_cast<size_t>(id)]; }

  // Most operators of ONNX make what their first input is; those of other domains make floats of codes.
  void Follow(const Node& node) {
    constexpr std::string_view kIntegers[] = {"ArgMax", "ArgMin", "Equal",     "Greater", "GreaterOrEqual", "IsNaN",
                                              "Less",   "Not",    "Positions", "Shape",   "LessOrEqual",    "Size"};
    bool makes = IsAmong(kIntegers, node.op);
    if (node.op == "Cast") {
      const int64_t type = node.Int("to", kOnnxFloat);
      makes = type == kOnnxInt32 || type == kOnnxInt64 || type == kOnnxBool;
    } else if (node.op == "ConstantOfShape") {
      const auto found = node.attributes.find("value");
      const auto* value = found != node.attributes.end() ? std::get_if<Constant>(&found->second) : nullptr;
      makes = value != nullptr && value->dtype == DType::kS64;
    } else if (!makes && node.domain.empty() && node.op.find("Dequantize") == std::string::npos) {
      const size_t typed = node.op == "Where" ? 1 : 0;
      makes = node.inputs.size() > typed && Has(node.inputs[typed]);
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kAbsent) At(node.outputs[i]) = makes || (node.op == "TopK" && i == 1);
    }
  }

  std::vector<bool> is_integer_;
};

}  // namespace

void TruncateQuotients(Graph& graph) {
  constexpr std::string_view kDividing[] = {"Div", "ReduceMean"};
  const IntegerValues integers(graph);
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    const bool truncates = IsAmong(kDividing, node.op) && node.outputs.size() == 1 && integers.Has(node.outputs[0]);
    nodes.push_back(std::move(node));
    if (!truncates) continue;
    Node& quotient = nodes.back();
    const ValueId result = quotient.outputs[0];
    quotient.outputs[0] = AddValue(graph, quotient.name + " before truncation");
    Node cast = MakeNode("Cast", quotient.name, {quotient.outputs[0]}, result);
    cast.attributes["to"] = kOnnxInt64;
    nodes.push_back(std::move(cast));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace lq
