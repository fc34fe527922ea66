#include <fmt/format.h>

#include <array>
#include <map>
#include <string>
#include <utility>

#include "runtime/axis.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/chain.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int64_t kHeightAxis = 2;

// What the attributes are in the dimension of height 1; lists of twice the length hold begins and ends.
struct Widened {
  const char* name;
  int64_t value;
  size_t ends;
};
constexpr Widened kAttributes[] = {
    {"dilations", 1, 1}, {"kernel_shape", 1, 1}, {"output_padding", 0, 1}, {"pads", 0, 2}, {"strides", 1, 1}};

bool HasWindow(const Node& node) {
  return node.domain.empty() &&
         (node.op == "Conv" || node.op == "ConvTranspose" || node.op == "MaxPool" || node.op == "AveragePool");
}

class Widener {
 public:
  explicit Widener(Graph& graph) : graph_(graph), consumers_(graph) {}

  Status Run() {
    std::vector<Node> nodes;
    nodes.reserve(graph_.nodes.size());
    for (Node& node : graph_.nodes) {
      if (FoldsToConstant(node)) continue;
      if (const auto image = images_.find(node.inputs[0]); image != images_.end()) {
        node.inputs[0] = image->second;
      } else if (HasWindow(node) && IsOneDimensional(node)) {
        LQ_RETURN_IF_ERROR(Widen(node));
        nodes.push_back(Change("Unsqueeze", node.inputs[0], NewValue(node.inputs[0])));
        node.inputs[0] = nodes.back().outputs[0];
      } else {
        nodes.push_back(std::move(node));
        continue;
      }
      const ValueId result = node.outputs[0], image = NewValue(result);
      node.outputs[0] = image;
      nodes.push_back(std::move(node));
      if (IsNormalized(result)) {
        images_[result] = image;
      } else {
        nodes.push_back(Change("Squeeze", image, result));
      }
    }
    graph_.nodes = std::move(nodes);
    return OkStatus();
  }

 private:
  bool IsNormalized(ValueId id) const {
    const ptrdiff_t reader = consumers_.Only(id);
    return reader >= 0 && !graph_.value(id).encoding.has_value() &&
           graph_.nodes[static_cast<size_t>(reader)].op == "BatchNormalization";
  }

  // Looked up in the graph as it is now: nodes before this one may have made constants.
  const Constant* ConstantOf(ValueId id) const {
    return id == kAbsent || !graph_.value(id).constant.has_value() ? nullptr : &*graph_.value(id).constant;
  }

  bool IsOneDimensional(const Node& node) const {
    if (node.op == "MaxPool" || node.op == "AveragePool") return node.Ints("kernel_shape", {}).size() == 1;
    const Constant* weight = ConstantOf(node.inputs[1]);
    return weight != nullptr && weight->shape.rank() == 3;
  }

  Status Widen(Node& node) {
    for (const Widened& attribute : kAttributes) {
      const auto found = node.attributes.find(attribute.name);
      if (found == node.attributes.end()) continue;
      auto* values = std::get_if<std::vector<int64_t>>(&found->second);
      if (values == nullptr || values->size() != attribute.ends) {
        return InvalidArgument(fmt::format("{}: attribute '{}' is not one for one spatial dimension",
                                           graph_.Describe(node), attribute.name));
      }
      std::vector<int64_t> wide;
      for (int64_t value : *values) wide.insert(wide.end(), {attribute.value, value});
      *values = std::move(wide);
    }
    if (node.op == "MaxPool" || node.op == "AveragePool") return OkStatus();
    const ValueId wide = NewValue(node.inputs[1]);
    graph_.value(wide).constant = graph_.value(node.inputs[1]).constant;
    graph_.value(wide).encoding = graph_.value(node.inputs[1]).encoding;  // its axes are 0 and 1
    Shape& shape = graph_.value(wide).constant->shape;
    shape = {shape[0], shape[1], 1, shape[2]};
    node.inputs[1] = wide;
    return OkStatus();
  }

  static bool CanMove(const std::optional<Encoding>& encoding) {
    return !encoding.has_value() || std::holds_alternative<PerTensor>(*encoding) ||
           std::holds_alternative<PerChannel>(*encoding);
  }

  // An Unsqueeze of a constant.
  bool FoldsToConstant(const Node& node) {
    if (node.op != "Unsqueeze" || !node.domain.empty()) return false;
    std::optional<Encoding> encoding = graph_.value(node.inputs[0]).encoding;
    const Constant* constant = ConstantOf(node.inputs[0]);
    const Constant* axes = node.inputs.size() > 1 ? ConstantOf(node.inputs[1]) : nullptr;
    if (constant == nullptr || !CanMove(encoding)) return false;
    const std::vector<int64_t> list = axes != nullptr ? axes->s64.ToVector() : node.Ints("axes", {});
    const size_t rank = constant->shape.rank() + list.size();
    std::array<bool, Shape::kMaxRank> fresh{};
    for (int64_t axis : list) {
      const std::optional<size_t> at = FindAxis(axis, rank);
      if (rank > Shape::kMaxRank || !at || fresh[*at]) return false;  // the node says so itself when it is prepared
      fresh[*at] = true;
    }
    std::vector<int64_t> dims;
    std::vector<size_t> moved;  // where the constant's dimensions went
    for (size_t d = 0; d < rank; ++d) {
      dims.push_back(fresh[d] ? 1 : constant->shape[moved.size()]);
      if (!fresh[d]) moved.push_back(d);
    }
    if (auto* channels = encoding.has_value() ? std::get_if<PerChannel>(&*encoding) : nullptr; channels != nullptr) {
      channels->axis = moved[channels->axis];
    }
    Value& out = graph_.value(node.outputs[0]);
    if (!out.encoding.has_value()) out.encoding = std::move(encoding);
    Constant copy = *constant;
    copy.shape = Shape(dims);
    out.constant = std::move(copy);
    return true;
  }

  ValueId NewValue(ValueId like) {
    Value value;
    value.name = graph_.value(like).name + " as an image";
    graph_.values.push_back(std::move(value));
    return static_cast<ValueId>(graph_.values.size() - 1);
  }

  Node Change(const char* op, ValueId in, ValueId out) {
    Node node;
    node.name = graph_.value(out).name;
    node.op = op;
    node.inputs = {in};
    node.outputs = {out};
    node.attributes["axes"] = std::vector<int64_t>{kHeightAxis};
    return node;
  }

  Graph& graph_;
  const Consumers consumers_;          // in the graph as it was
  std::map<ValueId, ValueId> images_;  // of results that a BatchNormalization alone reads: it fuses with the layer
};

}  // namespace

Status WidenImages(Graph& graph) { return Widener(graph).Run(); }

}  // namespace lq
