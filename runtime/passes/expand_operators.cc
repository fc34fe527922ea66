// Operators that others express. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "runtime/axis.h"
#include "runtime/passes/expand_recurrent.h"
#include "runtime/passes/new_values.h"
#include "runtime/passes/node_inputs.h"
#include "runtime/passes/operator_rules.h"
#include "runtime/passes/passes.h"
#include "runtime/passes/transposed_pads.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class Expander {
 public:
  explicit Expander(Graph& graph) : graph_(graph), read_(graph.values.size()) {
    for (const Node& node : graph.nodes) {
      for (ValueId id : node.inputs) MarkRead(id);
    }
    for (ValueId id : graph.outputs) MarkRead(id);
  }

  Status Run() {
    std::vector<Node> old = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : old) LQ_RETURN_IF_ERROR(Expand(std::move(node)));
    return OkStatus();
  }

 private:
  void MarkRead(ValueId id) {
    if (id != kAbsent) read_[static_cast<size_t>(id)] = true;
  }
  // Values that this pass adds are read.
  bool IsRead(ValueId id) const {
    return id != kAbsent && (static_cast<size_t>(id) >= read_.size() || read_[static_cast<size_t>(id)]);
  }

  Status Expand(Node node) {
    for (size_t i = 1; i < node.outputs.size() && node.op != "Split"; ++i) {
      if (!IsRead(node.outputs[i])) node.outputs[i] = kAbsent;
    }
    MarkConstant(node);
    if (node.domain.empty() && !node.inputs.empty() && node.inputs[0] != kAbsent && !node.outputs.empty()) {
      if (node.op == "Split") return Split(node);
      if (node.op == "Min" || node.op == "Max") return Fold(node, node.op);
      if (node.op == "Sum") return Fold(node, "Add");
      if (node.op == "TopK") return TopK(std::move(node));
      if (node.op == "Clip") return Clip(std::move(node));
      if (node.op == "LSTM" || node.op == "GRU") return Recurrent(std::move(node));
      if (node.op == "ConvTranspose") LQ_RETURN_IF_ERROR(SetTransposedPads(graph_, WeightShape(node), node));
      if (node.op == "GatherND") TakeRows(node);
      if (node.op == "Gemm" && node.Int("transA", 0) != 0) Turn(node);
      if (node.op == "Resize") SpreadAxes(node);
    }
    graph_.nodes.push_back(std::move(node));
    return OkStatus();
  }

  // The lengths of the parts: an attribute up to operator set 12, then an input, or all alike.
  Result<std::vector<int64_t>> LengthsOf(const Node& node) const {
    const std::string owner = graph_.Describe(node);
    if (HasInput(node, 1)) {
      const Constant* lengths = ConstantInput(graph_, node, 1);
      if (lengths != nullptr && lengths->s64.size() == node.outputs.size()) return lengths->s64.ToVector();
      return Unsupported(fmt::format("{}: its lengths '{}' are no constant of {} integers", owner,
                                     graph_.value(node.inputs[1]).name, node.outputs.size()));
    }
    if (node.attributes.count("split") != 0) {
      const std::vector<int64_t> lengths = node.Ints("split", {});
      if (lengths.size() == node.outputs.size()) return lengths;
      return InvalidArgument(fmt::format("{}: {} lengths for {} outputs", owner, lengths.size(), node.outputs.size()));
    }
    const std::optional<Shape>& shape = graph_.value(node.inputs[0]).shape;
    const int64_t axis = node.Int("axis", 0);
    const std::optional<size_t> at = shape.has_value() ? FindAxis(axis, shape->rank()) : std::nullopt;
    if (!at || (*shape)[*at] < 0) {
      return Unsupported(fmt::format(
          "{}: equal parts of '{}', of which the file does not say the length along axis {}; supported: lengths", owner,
          graph_.value(node.inputs[0]).name, axis));
    }
    const auto parts = static_cast<int64_t>(node.outputs.size());
    const int64_t length = (*shape)[*at], each = (length + parts - 1) / parts;
    std::vector<int64_t> lengths(node.outputs.size(), each);
    lengths.back() = length - each * (parts - 1);
    return lengths;
  }

  // A Slice for each part.
  Status Split(const Node& node) {
    LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> lengths, LengthsOf(node));
    int64_t start = 0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      if (lengths[i] < 0 || lengths[i] > Shape::kMaxDim) {
        return InvalidArgument(fmt::format("{}: part {} has length {}", graph_.Describe(node), i, lengths[i]));
      }
      const int64_t end = start + lengths[i];
      if (node.outputs[i] != kAbsent) {
        const std::string name = fmt::format("{}/{}", node.name, i);
        std::vector<ValueId> inputs{node.inputs[0]};
        for (const int64_t number : {start, end, node.Int("axis", 0)}) {
          inputs.push_back(AddIntegers(graph_, name, {number}));
        }
        graph_.nodes.push_back(MakeNode("Slice", name, std::move(inputs), node.outputs[i]));
      }
      start = end;
    }
    return OkStatus();
  }

  // op(a, b, c) = op(op(a, b), c); of one operand it is the operand.
  Status Fold(Node& node, const std::string& op) {
    if (node.inputs.size() == 2 && node.op == op) {
      graph_.nodes.push_back(std::move(node));
      return OkStatus();
    }
    if (node.outputs.size() != 1 || node.outputs[0] == kAbsent) {
      return InvalidArgument(fmt::format("{}: {} outputs; it has 1", graph_.Describe(node), node.outputs.size()));
    }
    if (node.inputs.size() == 1) {
      graph_.nodes.push_back(MakeNode("Identity", node.name, node.inputs, node.outputs[0]));
      return OkStatus();
    }
    ValueId left = node.inputs[0];
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      const bool last = i + 1 == node.inputs.size();
      const ValueId out =
          last ? node.outputs[0]
               : AddValue(graph_, fmt::format("{} of {} operands", graph_.value(node.outputs[0]).name, i + 1));
      graph_.nodes.push_back(MakeNode(op, node.name, {left, node.inputs[i]}, out));
      left = out;
    }
    return OkStatus();
  }

  // Elements and indices: a node for each that is read.
  Status TopK(Node node) {
    if (node.outputs.size() != 2) {
      return InvalidArgument(fmt::format("{}: {} outputs; it has 2", graph_.Describe(node), node.outputs.size()));
    }
    Node indices = node;
    indices.op = "TopKIndices";
    indices.outputs = {node.outputs[1]};
    node.outputs.pop_back();
    if (indices.outputs[0] != kAbsent) graph_.nodes.push_back(std::move(indices));
    if (IsRead(node.outputs[0])) graph_.nodes.push_back(std::move(node));
    return OkStatus();
  }

  Status Recurrent(Node node) {
    if (!IsRead(node.outputs[0])) node.outputs[0] = kAbsent;
    return ExpandRecurrent(graph_, std::move(node));
  }

  // Scales and sizes of some axes become those of all: 1, and -1 for a length that stays. Others than constants, and
  // forms that only fit their axes, are left to CheckOperators.
  void SpreadAxes(Node& node) {
    const std::vector<int64_t> axes = node.Ints("axes", {});
    const std::optional<Shape>& shape = graph_.value(node.inputs[0]).shape;
    const Constant *scales = ConstantInput(graph_, node, 2), *sizes = ConstantInput(graph_, node, 3);
    const std::string mode = node.String("coordinate_transformation_mode", "half_pixel");
    if (axes.empty() || !shape.has_value() || mode == "tf_crop_and_resize") return;
    Constant all{sizes != nullptr ? DType::kS64 : DType::kF32, Shape{static_cast<int64_t>(shape->rank())}, {}, {}};
    if (sizes != nullptr) all.s64 = std::vector<int64_t>(shape->rank(), -1);
    all.f32.assign(sizes != nullptr ? 0 : shape->rank(), 1);
    for (size_t i = 0; i < axes.size(); ++i) {
      const std::optional<size_t> at = FindAxis(axes[i], shape->rank());
      if (!at) return;
      if (sizes != nullptr ? i >= sizes->s64.size() : scales == nullptr || i >= scales->f32.size()) return;
      if (sizes != nullptr) all.s64.Set(*at, sizes->s64[i]);
      if (sizes == nullptr) all.f32[*at] = scales->f32[i];
    }
    const size_t input = sizes != nullptr ? 3 : 2;
    node.inputs[input] = AddConstant(graph_, graph_.value(node.inputs[input]).name, std::move(all));
    node.attributes.erase("axes");
  }

  // min(max(x, low), high) where a bound is computed.
  Status Clip(Node node) {
    bool computed = false;
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      computed = computed || (node.inputs[i] != kAbsent && !IsConstant(node.inputs[i]));
    }
    if (!computed) {
      graph_.nodes.push_back(std::move(node));
      return OkStatus();
    }
    node.inputs.resize(3, kAbsent);
    const ValueId low = node.inputs[1], high = node.inputs[2], result = node.outputs[0];
    const ValueId raised =
        high == kAbsent ? result : AddValue(graph_, graph_.value(result).name + " above its lower bound");
    if (low != kAbsent) graph_.nodes.push_back(MakeNode("Max", node.name, {node.inputs[0], low}, raised));
    if (high == kAbsent) return OkStatus();
    graph_.nodes.push_back(MakeNode("Min", node.name, {low == kAbsent ? node.inputs[0] : raised, high}, result));
    return OkStatus();
  }

  // GatherND by one index each is a Gather. Others are left to CheckOperators.
  void TakeRows(Node& node) {
    const Constant* indices = ConstantInput(graph_, node, 1);
    if (indices == nullptr || indices->dtype != DType::kS64 || node.Int("batch_dims", 0) != 0) return;
    const size_t rank = indices->shape.rank();
    if (rank < 2 || indices->shape[rank - 1] != 1) return;
    Constant list = *indices;
    list.shape = Shape(indices->shape.dims().first(rank - 1));
    node.inputs[1] = AddConstant(graph_, graph_.value(node.inputs[1]).name, std::move(list));
    node.op = "Gather";
    node.attributes.clear();
  }

  // The transposed operand of a Gemm.
  void Turn(Node& node) {
    const ValueId turned = AddValue(graph_, graph_.value(node.inputs[0]).name + " transposed");
    Node transpose = MakeNode("Transpose", node.name, {node.inputs[0]}, turned);
    transpose.attributes["perm"] = std::vector<int64_t>{1, 0};
    graph_.nodes.push_back(std::move(transpose));
    node.inputs[0] = turned;
    node.attributes.erase("transA");
  }

  // A constant, or what an Identity or a quantizer makes of one: CheckOperators judges those.
  void MarkConstant(const Node& node) {
    constexpr const char* kAliases[] = {"DequantizeLinear", "Identity", "QuantizeLinear"};
    if (std::find(std::begin(kAliases), std::end(kAliases), node.op) == std::end(kAliases)) return;
    if (node.inputs.empty() || node.outputs.empty() || node.outputs[0] == kAbsent) return;
    if (IsConstant(node.inputs[0])) of_constant_[node.outputs[0]] = SourceOf(node.inputs[0]);
  }
  bool IsConstant(ValueId id) const {
    return id != kAbsent && (graph_.value(id).constant.has_value() || of_constant_.count(id) != 0);
  }
  ValueId SourceOf(ValueId id) const {
    const auto found = of_constant_.find(id);
    return found != of_constant_.end() ? found->second : id;
  }
  std::optional<Shape> WeightShape(const Node& node) const {
    if (node.inputs.size() < 2 || !IsConstant(node.inputs[1])) return std::nullopt;
    return graph_.value(SourceOf(node.inputs[1])).constant->shape;
  }

  Graph& graph_;
  std::vector<bool> read_;                  // by value
  std::map<ValueId, ValueId> of_constant_;  // made by a quantizer or an Identity, of which constant
};

}  // namespace

Status ExpandOperators(Graph& graph) { return Expander(graph).Run(); }

}  // namespace lq
