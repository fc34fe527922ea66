// Codes as graph inputs and outputs. See passes.h.
#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "runtime/passes/new_values.h"
#include "runtime/passes/node_inputs.h"
#include "runtime/passes/passes.h"
#include "runtime/passes/quantizer_node.h"

namespace lq {
namespace {

class BoundaryTranslator {
 public:
  explicit BoundaryTranslator(Graph& graph) : graph_(graph) {}

  void Run() {
    std::vector<Node> old = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : old) {
      for (ValueId& id : node.inputs) {  // codes that are an output may have other readers
        if (const auto moved = codes_of_.find(id); moved != codes_of_.end()) id = moved->second;
      }
      if (IsDequantize(node) && IsIn(graph_.inputs, node.inputs) && ReadQuantizer(node)) {
        EnterCodes(std::move(node));
      } else if (IsQuantize(node) && IsIn(graph_.outputs, node.outputs) && ReadQuantizer(node)) {
        LeaveCodes(std::move(node));
      } else {
        graph_.nodes.push_back(std::move(node));
      }
    }
  }

 private:
  // Scale and zero point as floats; the latter also as codes.
  struct Numbers {
    ValueId scale, zero, zero_codes;
  };

  static bool IsIn(const std::vector<ValueId>& boundary, const std::vector<ValueId>& ids) {
    return !ids.empty() && std::find(boundary.begin(), boundary.end(), ids[0]) != boundary.end();
  }

  // False where FoldQuantizers has something to say.
  bool ReadQuantizer(const Node& node) {
    const Constant *scale = ConstantInput(graph_, node, 1), *zero = ConstantInput(graph_, node, 2);
    if (node.outputs.size() != 1 || node.outputs[0] == kAbsent) return false;
    if (scale == nullptr || scale->f32.size() != 1 || node.Int("block_size", 0) != 0) return false;
    if (HasInput(node, 2) && (zero == nullptr || zero->s64.size() != 1)) return false;
    const ValueId codes = IsDequantize(node) ? node.inputs[0] : node.outputs[0];
    if (IsDequantize(node) && graph_.value(codes).file_type == DType::kF32) return false;  // declared as numbers
    const DType type =
        zero != nullptr ? zero->file_type : CodesOf(graph_, node).value_or(graph_.value(codes).file_type);
    constexpr DType kTypes[] = {DType::kU8, DType::kS8, DType::kU16, DType::kS16};
    if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes)) return false;
    const int64_t point = zero != nullptr ? zero->s64[0] : 0;
    Constant codes_zero{DType::kS64, Shape{}, {}, {point}};
    codes_zero.file_type = type;
    Constant float_zero{DType::kF32, Shape{}, {static_cast<float>(point)}, {}};
    Constant float_scale{DType::kF32, Shape{}, scale->f32, {}};
    const std::string name = graph_.value(codes).name;
    numbers_ = {AddConstant(graph_, name + " scale", std::move(float_scale)),
                AddConstant(graph_, name + " zero point as a number", std::move(float_zero)),
                AddConstant(graph_, name + " zero point", std::move(codes_zero))};
    return true;
  }

  ValueId Append(const char* op, const Node& like, std::vector<ValueId> inputs, const char* what) {
    const ValueId out = AddValue(graph_, graph_.value(like.outputs[0]).name + what);
    Node node = MakeNode(op, like.name, std::move(inputs), out);
    graph_.nodes.push_back(std::move(node));
    return out;
  }

  void EnterCodes(Node node) {
    const auto [scale, zero, zero_codes] = numbers_;
    const ValueId centred = Append("Sub", node, {node.inputs[0], zero}, " centred");
    const ValueId value = Append("Mul", node, {centred, scale}, " as a value");
    node.inputs = {Append("QuantizeLinear", node, {value, scale, zero_codes}, " as codes"), scale, zero_codes};
    graph_.nodes.push_back(std::move(node));
  }

  void LeaveCodes(Node node) {
    const auto [scale, zero, zero_codes] = numbers_;
    const ValueId output = node.outputs[0];
    const ValueId codes = AddValue(graph_, graph_.value(output).name + " as codes");
    node.inputs = {node.inputs[0], scale, zero_codes};
    node.outputs = {codes};
    codes_of_[output] = codes;
    graph_.nodes.push_back(node);
    const ValueId value = Append("DequantizeLinear", node, {codes, scale, zero_codes}, " as a value");
    // Two float32 roundings may leave the quotient a little beside its integer.
    const ValueId quotient = Append("Div", node, {value, scale}, " by its scale");
    const ValueId centred = Append("Round", node, {quotient}, " centred");
    graph_.nodes.push_back(MakeNode("Add", node.name, {centred, zero}, output));
  }

  Graph& graph_;
  Numbers numbers_{};                    // of the node that ReadQuantizer saw
  std::map<ValueId, ValueId> codes_of_;  // graph output -> the codes that it was
};

}  // namespace

void TranslateBoundaries(Graph& graph) { BoundaryTranslator(graph).Run(); }

}  // namespace lq
