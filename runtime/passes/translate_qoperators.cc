// ONNX Runtime's QOperator form -> DequantizeLinear, the operator, QuantizeLinear. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/passes/new_values.h"
#include "runtime/passes/passes.h"
#include "runtime/passes/quantizer_node.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kNoBias = static_cast<size_t>(-1);

struct QOperator {
  std::string_view from;
  const char* to;
  size_t operands;  // each as codes, scale, zero point, from input 0 on
  size_t result;    // the input that is the result's scale, its zero point behind it
  size_t bias = kNoBias;
};

// ONNX, and ONNX Runtime's ContribOperators.
constexpr QOperator kQOperators[] = {{"QGemm", "Gemm", 2, 7, 6},
                                     {"QLinearAdd", "Add", 2, 6},
                                     {"QLinearAveragePool", "AveragePool", 1, 3},
                                     {"QLinearConv", "Conv", 2, 6, 8},
                                     {"QLinearGlobalAveragePool", "GlobalAveragePool", 1, 3},
                                     {"QLinearLeakyRelu", "LeakyRelu", 1, 3},
                                     {"QLinearMatMul", "MatMul", 2, 6},
                                     {"QLinearMul", "Mul", 2, 6},
                                     {"QLinearReduceMean", "ReduceMean", 1, 3},
                                     {"QLinearSigmoid", "Sigmoid", 1, 3},
                                     {"QLinearSoftmax", "Softmax", 1, 3}};

// They may read codes of a QuantizeLinear, or a table of codes: what they do to values they do to codes.
constexpr std::string_view kMovements[] = {"DepthToSpace", "Expand",  "Flatten", "Gather",    "Identity",
                                           "MaxPool",      "Pad",     "Reshape", "Resize",    "Slice",
                                           "SpaceToDepth", "Squeeze", "Tile",    "Transpose", "Unsqueeze"};

bool IsKnownDomain(const Node& node) { return node.domain.empty() || node.domain == "com.microsoft"; }

const QOperator* Find(const Node& node) {
  if (!IsKnownDomain(node)) return nullptr;
  const auto* found = std::find_if(std::begin(kQOperators), std::end(kQOperators),
                                   [&](const QOperator& op) { return op.from == node.op; });
  return found != std::end(kQOperators) ? found : nullptr;
}

bool IsConcat(const Node& node) { return node.op == "QLinearConcat" && IsKnownDomain(node); }
bool IsWhere(const Node& node) { return node.op == "QLinearWhere" && IsKnownDomain(node); }

bool Interpolates(const Node& node) { return node.op == "Resize" && node.String("mode", "nearest") != "nearest"; }

bool IsMovement(const Node& node) {
  return node.domain.empty() && node.outputs.size() == 1 &&
         std::find(std::begin(kMovements), std::end(kMovements), node.op) != std::end(kMovements);
}

ValueId Input(const Node& node, size_t i) { return i < node.inputs.size() ? node.inputs[i] : kAbsent; }

class QOperatorTranslator {
 public:
  explicit QOperatorTranslator(Graph& graph) : graph_(graph), quantizer_(graph.values.size()) {}

  Status Run() {
    std::vector<Node> old = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : old) {
      const QOperator* op = Find(node);
      if (op != nullptr) {
        LQ_RETURN_IF_ERROR(Translate(*op, node));
      } else if (IsConcat(node)) {
        LQ_RETURN_IF_ERROR(TranslateConcat(node));
      } else if (IsWhere(node)) {
        LQ_RETURN_IF_ERROR(TranslateWhere(node));
      } else if (IsMovement(node) && QuantizerOf(Input(node, 0)) != nullptr && SetsCodeZero(node)) {
        Surround(std::move(node));
      } else if (IsMovement(node) && !Interpolates(node) && HoldsCodes(Input(node, 0))) {
        moved_.emplace(node.outputs[0], node);
        graph_.nodes.push_back(std::move(node));  // for other readers; RemoveDeadNodes takes what has none
      } else if (IsDequantize(node) && moved_.count(Input(node, 0)) != 0) {
        LQ_RETURN_IF_ERROR(DequantizeMoved(node));
      } else {
        if (IsArgument(node) && QuantizerOf(Input(node, 0)) != nullptr) {
          node.inputs[0] = Dequantized(node.name, node.inputs[0], *QuantizerOf(node.inputs[0]));
        }
        if (IsQuantize(node) && !node.outputs.empty()) Remember(node.outputs[0], Input(node, 1), Input(node, 2));
        graph_.nodes.push_back(std::move(node));
      }
    }
    return OkStatus();
  }

 private:
  struct Quantizer {
    ValueId scale, zero_point;
  };

  void Remember(ValueId codes, ValueId scale, ValueId zero_point) {
    if (codes == kAbsent) return;
    if (quantizer_.size() < graph_.values.size()) quantizer_.resize(graph_.values.size());
    quantizer_[static_cast<size_t>(codes)] = Quantizer{scale, zero_point};
  }

  const Quantizer* QuantizerOf(ValueId codes) const {
    if (codes == kAbsent || static_cast<size_t>(codes) >= quantizer_.size()) return nullptr;
    const auto& found = quantizer_[static_cast<size_t>(codes)];
    return found.has_value() ? &*found : nullptr;
  }

  // ONNX Runtime interpolates codes and cuts off what is behind the point: that needs their zero point. False where it
  // is computed.
  bool SetsCodeZero(Node& node) const {
    if (!Interpolates(node)) return true;
    const ValueId id = QuantizerOf(node.inputs[0])->zero_point;
    int64_t zero = 0;
    if (id != kAbsent) {
      const std::optional<Constant>& constant = graph_.value(id).constant;
      if (!constant.has_value() || constant->s64.size() != 1) return false;
      zero = constant->s64[0];
    }
    node.attributes["code_zero"] = zero;
    return true;
  }

  // The largest code is that of the largest value.
  static bool IsArgument(const Node& node) {
    return node.domain.empty() && (node.op == "ArgMax" || node.op == "ArgMin");
  }

  // Codes of which only a reader says what they stand for: a constant of the file, such as the table of an embedding,
  // and what movements make of it.
  bool HoldsCodes(ValueId id) const {
    if (id == kAbsent) return false;
    const std::optional<Constant>& constant = graph_.value(id).constant;
    const bool is_table = constant.has_value() && constant->dtype == DType::kS64 && constant->file_type != DType::kS64;
    return is_table || moved_.count(id) != 0;
  }

  ValueId Operand(const Node& node, size_t i) {
    return MovedValue(node, node.inputs[i], {node.inputs[i + 1], Input(node, i + 2)});
  }

  // The values of codes, which are dequantized before they are moved.
  ValueId MovedValue(const Node& reader, ValueId codes, Quantizer by) {
    std::vector<const Node*> movements;  // from the last one on
    for (auto found = moved_.find(codes); found != moved_.end(); found = moved_.find(codes)) {
      movements.push_back(&found->second);
      codes = found->second.inputs[0];
    }
    ValueId real = Dequantized(reader.name, codes, by);
    for (; !movements.empty(); movements.pop_back()) {
      Node node = *movements.back();
      const std::string name = graph_.value(node.outputs[0]).name;
      node.inputs[0] = real;
      real = AddValue(graph_, fmt::format("{} read by {} ({})", name, reader.name, graph_.values.size()));
      node.outputs = {real};
      graph_.nodes.push_back(std::move(node));
    }
    return real;
  }

  Status DequantizeMoved(const Node& node) {
    const Quantizer by{Input(node, 1), Input(node, 2)};
    const std::optional<Constant>* scale = by.scale != kAbsent ? &graph_.value(by.scale).constant : nullptr;
    if (scale == nullptr || !scale->has_value() || (*scale)->f32.size() != 1 || node.outputs.size() != 1) {
      return Unsupported(fmt::format("{}: its codes come from {}; supported: one constant scale", graph_.Describe(node),
                                     graph_.Describe(moved_.at(node.inputs[0]))));
    }
    MovedValue(node, node.inputs[0], by);
    graph_.nodes.back().outputs[0] = node.outputs[0];
    return OkStatus();
  }

  ValueId Dequantized(const std::string& name, ValueId codes, Quantizer by, std::optional<int64_t> axis = {}) {
    // Constants keep this name: no two may share one.
    const ValueId real =
        AddValue(graph_, fmt::format("{} read by {} ({})", graph_.value(codes).name, name, graph_.values.size()));
    Node node = MakeNode("DequantizeLinear", name, {codes, by.scale}, real);
    if (by.zero_point != kAbsent) node.inputs.push_back(by.zero_point);
    if (axis.has_value()) node.attributes["axis"] = *axis;
    graph_.nodes.push_back(std::move(node));
    return real;
  }

  // Makes `codes` of what `node` computes. The values take over the tensor's name: they are what has an encoding.
  void Quantized(Node node, ValueId codes, Quantizer by) {
    const std::string name = graph_.value(codes).name;
    const ValueId real = AddValue(graph_, name);
    graph_.value(codes).name = name + " as codes";
    node.outputs = {real};
    Node quantize = MakeNode("QuantizeLinear", node.name, {real, by.scale}, codes);
    if (by.zero_point != kAbsent) quantize.inputs.push_back(by.zero_point);
    graph_.nodes.push_back(std::move(node));
    graph_.nodes.push_back(std::move(quantize));
    Remember(codes, by.scale, by.zero_point);
  }

  void Surround(Node node) {
    const Quantizer by = *QuantizerOf(node.inputs[0]);
    const ValueId codes = node.outputs[0];
    node.inputs[0] = Dequantized(node.name, node.inputs[0], by);
    if (node.op == "Pad" && Input(node, 2) != kAbsent) {  // a code too
      node.inputs[2] = Dequantized(node.name, node.inputs[2], by);
    }
    Quantized(std::move(node), codes, by);
  }

  Status Translate(const QOperator& op, const Node& node) {
    const std::string owner = graph_.Describe(node);
    for (size_t i = 0; i < 3 * op.operands; ++i) {
      if (Input(node, i) != kAbsent || i % 3 == 2) continue;
      return InvalidArgument(fmt::format("{}: input {} is left out", owner, i));
    }
    if (node.outputs.size() != 1 || node.outputs[0] == kAbsent) {
      return InvalidArgument(fmt::format("{}: {} outputs; it has 1", owner, node.outputs.size()));
    }
    Node plain = MakeNode(op.to, node.name, {}, node.outputs[0]);
    LQ_ASSIGN_OR_RETURN(plain.attributes, AttributesOf(owner, node));
    for (size_t k = 0; k < op.operands; ++k) {
      const std::optional<int64_t> axis = k == 1 ? ChannelAxis(op, node) : std::nullopt;
      const Quantizer own{node.inputs[3 * k + 1], Input(node, 3 * k + 2)};
      plain.inputs.push_back(axis.has_value() ? Dequantized(node.name, node.inputs[3 * k], own, axis)
                                              : Operand(node, 3 * k));
    }
    if (op.bias != kNoBias && Input(node, op.bias) != kAbsent) {
      LQ_ASSIGN_OR_RETURN(const ValueId bias, BiasOf(owner, op, node));
      plain.inputs.push_back(bias);
    }
    const Quantizer by{Input(node, op.result), Input(node, op.result + 1)};
    if (by.scale != kAbsent) {
      Quantized(std::move(plain), node.outputs[0], by);
    } else {
      graph_.nodes.push_back(std::move(plain));  // a QGemm that returns floats
    }
    return OkStatus();
  }

  // Inputs: scale and zero point of the result, then each part.
  Status TranslateConcat(const Node& node) {
    const std::string owner = graph_.Describe(node);
    if (node.inputs.size() < 5 || node.inputs.size() % 3 != 2 || node.outputs.size() != 1 ||
        std::find(node.inputs.begin(), node.inputs.end(), kAbsent) != node.inputs.end()) {
      return InvalidArgument(fmt::format("{}: {} inputs and {} outputs; it has 2, and 3 for each part", owner,
                                         node.inputs.size(), node.outputs.size()));
    }
    Node concat = MakeNode("Concat", node.name, {}, node.outputs[0]);
    concat.attributes = node.attributes;
    for (size_t i = 2; i < node.inputs.size(); i += 3) {
      concat.inputs.push_back(Operand(node, i));
    }
    Quantized(std::move(concat), node.outputs[0], {node.inputs[0], node.inputs[1]});
    return OkStatus();
  }

  // Inputs: the condition, codes, scale and zero point of both branches, scale and zero point of the result.
  Status TranslateWhere(const Node& node) {
    if (node.inputs.size() != 9 || node.outputs.size() != 1 ||
        std::find(node.inputs.begin(), node.inputs.end(), kAbsent) != node.inputs.end()) {
      return InvalidArgument(fmt::format("{}: {} inputs and {} outputs; it has 9 and 1", graph_.Describe(node),
                                         node.inputs.size(), node.outputs.size()));
    }
    Node where = MakeNode("Where", node.name, {node.inputs[0]}, node.outputs[0]);
    for (const size_t i : {1, 4}) where.inputs.push_back(Operand(node, i));
    Quantized(std::move(where), node.outputs[0], {node.inputs[7], node.inputs[8]});
    return OkStatus();
  }

  // Along which the scales of the second operand may lie.
  static std::optional<int64_t> ChannelAxis(const QOperator& op, const Node& node) {
    if (op.from == "QLinearConv") return 0;
    if (op.from == "QLinearMatMul") return -1;
    if (op.from == "QGemm") return node.Int("transB", 0) != 0 ? 0 : 1;
    return std::nullopt;
  }

  Result<std::map<std::string, Attribute>> AttributesOf(const std::string& owner, const Node& node) const {
    std::map<std::string, Attribute> attributes = node.attributes;
    if (node.Int("channels_last", 0) != 0) {
      return Unsupported(fmt::format("{}: attribute 'channels_last' is 1; supported: 0", owner));
    }
    attributes.erase("channels_last");
    // Up to operator set 12 Softmax joins the dimensions from its axis on.
    const int64_t opset = node.Int("opset", graph_.opset);
    if (node.op == "QLinearSoftmax" && (opset < 13) != (graph_.opset < 13) && node.Int("axis", -1) != -1) {
      return Unsupported(fmt::format("{}: axis {} by operator set {} in a model of set {}; supported: axis -1", owner,
                                     node.Int("axis", -1), opset, graph_.opset));
    }
    attributes.erase("opset");
    return attributes;
  }

  // Its codes have the scale s_x * s_w, of which none is in the file: code * (s_x * s_w), as reals.
  Result<ValueId> BiasOf(const std::string& owner, const QOperator& op, const Node& node) {
    const std::optional<Constant>&codes = graph_.value(node.inputs[op.bias]).constant,
          &in = graph_.value(node.inputs[1]).constant, &weight = graph_.value(node.inputs[4]).constant;
    if (!codes.has_value() || !in.has_value() || !weight.has_value() || codes->dtype != DType::kS64 ||
        in->f32.size() != 1 || weight->f32.empty()) {
      return Unsupported(
          fmt::format("{}: a bias that is computed, or the scales of which are; supported: constants, one scale for "
                      "its input",
                      owner));
    }
    const size_t n = codes->s64.size(), scales = weight->f32.size();
    if (scales != 1 && scales != n) {
      return InvalidArgument(fmt::format("{}: {} scales of its weight, but {} numbers in its bias", owner, scales, n));
    }
    Constant bias{DType::kF64, codes->shape, {}, {}};
    const double alpha = node.Float("alpha", 1);
    for (size_t i = 0; i < n; ++i) {
      const double scale = double{in->f32[0]} * double{weight->f32[scales == 1 ? 0 : i]};
      bias.f64.push_back(static_cast<double>(codes->s64[i]) * (alpha * scale));
    }
    return AddConstant(graph_, graph_.value(node.inputs[op.bias]).name + " of " + owner, std::move(bias));
  }

  Graph& graph_;
  std::vector<std::optional<Quantizer>> quantizer_;  // by value: of tensors of codes
  std::map<ValueId, Node> moved_;                    // by output: movements of codes that no quantizer made
};

}  // namespace

Status TranslateQOperators(Graph& graph) { return QOperatorTranslator(graph).Run(); }

}  // namespace lq
