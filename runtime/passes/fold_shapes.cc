// Shape -> Gather -> Concat -> Reshape and the like, as PyTorch exports them. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "runtime/axis.h"
#include "runtime/passes/dynamic_operand.h"
#include "runtime/passes/length_nodes.h"
#include "runtime/passes/new_values.h"
#include "runtime/passes/node_inputs.h"
#include "runtime/passes/passes.h"
#include "runtime/passes/shape_numbers.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int64_t kMostFilled = 1 << 20;  // numbers of a constant that a dynamic shape is filled from

class ShapeFolder {
 public:
  explicit ShapeFolder(Graph& graph)
      : graph_(graph), shapes_(graph), numbers_(graph, shapes_), lengths_(graph, shapes_) {}

  Status Run() {
    FindStates();
    std::vector<Node> kept;
    for (Node& node : graph_.nodes) {
      ExpandTile(node);
      if (MakesZeros(node)) {
        zeros_.insert(node.outputs[0]);
        lengths_.Exclude(node.outputs[0]);
        if (node.op == "QuantizeLinear") zero_points_[node.outputs[0]] = ZeroPoint(node);
        makers_[node.outputs[0]] = graph_.Describe(node);
        continue;
      }
      if (!FillsMatrix(node) && RepeatsConstant(node)) {
        repeated_.insert(node.outputs[0]);
        lengths_.Exclude(node.outputs[0]);
        makers_[node.outputs[0]] = graph_.Describe(node);
        node = MakeNode("Identity", node.name, {node.inputs[0]}, node.outputs[0]);
      }
      std::optional<Numbers> result = numbers_.Evaluate(node);
      if (result.has_value()) {
        numbers_.Set(node.outputs[0], *std::move(result));
        makers_[node.outputs[0]] = graph_.Describe(node);
        continue;
      }
      if (Fill(node, kept) || AddZeros(node, kept)) continue;
      GatherSlice(node, kept);
      if (std::optional<Node> positions = PositionsOf(node, kept); positions.has_value()) node = *std::move(positions);
      for (size_t i = 0; i < node.inputs.size(); ++i) LQ_RETURN_IF_ERROR(Replace(node, i));
      LQ_RETURN_IF_ERROR(FollowRepeated(node));
      shapes_.Infer(node);
      if (IsRoundedConstant(node)) rounded_.insert(node.outputs[0]);
      kept.push_back(std::move(node));
    }
    graph_.nodes = std::move(kept);
    return OkStatus();
  }

 private:
  static bool MovesState(const Node& node) {
    constexpr const char* kMovements[] = {"Cast",  "Expand",  "Identity",  "Reshape",
                                          "Slice", "Squeeze", "Transpose", "Unsqueeze"};
    return std::find(std::begin(kMovements), std::end(kMovements), node.op) != std::end(kMovements);
  }

  // What becomes the first states of LSTM and GRU.
  void FindStates() {
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      const bool quantizes = node->op == "QuantizeLinear" || node->op == "DequantizeLinear";
      if (node->op == "LSTM" || node->op == "GRU") {
        for (size_t i = 5; i < 7 && i < node->inputs.size(); ++i) states_.insert(node->inputs[i]);
      } else if ((quantizes || MovesState(*node)) && !node->inputs.empty() && !node->outputs.empty() &&
                 states_.count(node->outputs[0]) != 0) {
        states_.insert(node->inputs[0]);
      }
    }
    states_.erase(kAbsent);
  }

  // The states at the begin of a sequence, of which LSTM and GRU take zeros by themselves. Of a dynamic batch no
  // constant could hold them. Quantized they stay zeros: 0 is on every grid.
  bool MakesZeros(const Node& node) const {
    if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kAbsent || node.inputs.empty() ||
        states_.count(node.outputs[0]) == 0) {
      return false;
    }
    if (zeros_.count(node.inputs[0]) != 0) {
      if (node.op == "QuantizeLinear") return true;
      const auto codes = zero_points_.find(node.inputs[0]);
      if (codes != zero_points_.end()) return node.op == "DequantizeLinear" && codes->second == ZeroPoint(node);
      return MovesState(node);
    }
    const size_t shape = node.op == "Expand" ? 1 : 0;
    const std::optional<Numbers> dims = numbers_.Input(node, shape);
    if (!numbers_.IsComputed(node, shape) || std::none_of(dims->values.begin(), dims->values.end(), IsDynamic))
      return false;
    const Constant* value = nullptr;
    if (node.op == "ConstantOfShape") {
      const auto found = node.attributes.find("value");
      if (found == node.attributes.end()) return true;
      value = std::get_if<Constant>(&found->second);
    } else if (node.op == "Expand") {
      value = ConstantInput(graph_, node, 0);
    }
    return value != nullptr && value->dtype == DType::kF32 && !value->f32.empty() &&
           std::all_of(value->f32.begin(), value->f32.end(), [](float v) { return v == 0; });
  }

  static ValueId ZeroPoint(const Node& node) { return node.inputs.size() > 2 ? node.inputs[2] : kAbsent; }
  bool IsConstant(ValueId id) const {
    return id != kAbsent && (graph_.value(id).constant.has_value() || rounded_.count(id) != 0);
  }

  bool IsRoundedConstant(const Node& node) const {
    return (node.op == "QuantizeLinear" || node.op == "DequantizeLinear") && node.outputs.size() == 1 &&
           !node.inputs.empty() && IsConstant(node.inputs[0]);
  }

  // An Expand of a constant to a dynamic batch, as of the token that transformers of images begin with: a Concat
  // repeats it, other operators broadcast it.
  bool RepeatsConstant(const Node& node) {
    const bool expands = node.op == "Expand" && node.domain.empty() && node.outputs.size() == 1 &&
                         numbers_.IsComputed(node, 1) &&
                         (IsConstant(node.inputs[0]) || repeated_.count(node.inputs[0]) != 0);
    const std::optional<Dims> x = expands ? shapes_.Of(node.inputs[0]) : std::nullopt;
    if (!x.has_value()) return false;
    const Dims& target = numbers_.At(node.inputs[1]).values;
    bool repeats = target.size() == x->size() && std::any_of(target.begin(), target.end(), IsDynamic);
    for (size_t d = 0; repeats && d < target.size(); ++d) {
      repeats = target[d].is_number() ? target[d] == Dim{1} || target[d] == (*x)[d] : (*x)[d] == Dim{1};
    }
    return repeats;
  }

  Status FollowRepeated(Node& node) {
    constexpr const char* kQuantizers[] = {"Cast", "DequantizeLinear", "Identity", "QuantizeLinear",
                                           "quantize_dequantize"};
    constexpr const char* kBroadcasting[] = {"Add", "Div", "Max", "Min", "Mul", "Sub", "Where"};
    const auto is_one_of = [&node](const auto& names) {
      return std::find(std::begin(names), std::end(names), node.op) != std::end(names);
    };
    const auto repeated =
        std::find_if(node.inputs.begin(), node.inputs.end(), [this](ValueId id) { return repeated_.count(id) != 0; });
    if (repeated == node.inputs.end() || node.outputs.empty()) return OkStatus();
    const bool all = std::all_of(node.inputs.begin(), node.inputs.end(), [this](ValueId id) {
      return id == kAbsent || IsConstant(id) || repeated_.count(id) != 0;
    });
    if (all && (is_one_of(kQuantizers) || is_one_of(kBroadcasting))) {
      repeated_.insert(node.outputs[0]);
      lengths_.Exclude(node.outputs[0]);
      makers_[node.outputs[0]] = graph_.Describe(node);
      return OkStatus();
    }
    const bool joins = node.op == "Concat" || node.op == "QLinearConcat";
    if (!all && joins) node.attributes["repeats"] = int64_t{1};
    if (!all && (joins || is_one_of(kBroadcasting))) return OkStatus();
    return Unsupported(
        fmt::format("{}: a constant, repeated by {} for a dynamic batch; supported: with activations in "
                    "a Concat, Add and the like",
                    graph_.Describe(node), makers_.at(*repeated)));
  }

  // A Range over a dynamic length: that of an axis of some tensor, and it may begin with another one.
  std::optional<Node> PositionsOf(const Node& node, const std::vector<Node>& before) {
    if (node.op != "Range" || !node.domain.empty() || node.inputs.size() != 3 || node.outputs.size() != 1) {
      return std::nullopt;
    }
    const std::optional<Numbers> start = numbers_.Input(node, 0), limit = numbers_.Input(node, 1),
                                 delta = numbers_.Input(node, 2);
    if (!start || !limit || !delta || start->values.size() != 1 || limit->values.size() != 1 || delta->Only() != 1) {
      return std::nullopt;
    }
    return lengths_.PositionsFrom(start->values[0], limit->values[0], node.outputs[0], before);
  }

  // The lengths that an Expand of one number, or a ConstantOfShape, fills: of masks. Null for other nodes, and where
  // all are numbers.
  const Numbers* FilledLengths(const Node& node) const {
    const size_t shape = node.op == "Expand" ? 1 : 0;
    if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kAbsent ||
        !numbers_.IsComputed(node, shape)) {
      return nullptr;
    }
    const Constant* number = node.op == "Expand" ? ConstantInput(graph_, node, 0) : nullptr;
    const bool fills = number != nullptr ? number->shape.NumElements() == 1 : node.op == "ConstantOfShape";
    if (!fills) return nullptr;
    const Numbers& lengths = numbers_.At(node.inputs[shape]);
    const bool dynamic = lengths.is_list && lengths.values.size() <= Shape::kMaxRank &&
                         std::any_of(lengths.values.begin(), lengths.values.end(), IsDynamic);
    return dynamic ? &lengths : nullptr;
  }
  bool FillsMatrix(const Node& node) const {
    const Numbers* lengths = FilledLengths(node);
    return lengths != nullptr && std::count_if(lengths->values.begin(), lengths->values.end(), IsDynamic) > 1;
  }

  // As a constant, to which zeros of the dynamic lengths are added. False: another node, or lengths that no tensor has.
  bool Fill(const Node& node, std::vector<Node>& kept) {
    const Numbers* lengths = FilledLengths(node);
    if (lengths == nullptr) return false;
    const Constant* value = node.op == "Expand" ? &*graph_.value(node.inputs[0]).constant : nullptr;
    if (const auto found = node.attributes.find("value"); found != node.attributes.end() && value == nullptr) {
      value = std::get_if<Constant>(&found->second);
    }
    const Dims dims = lengths->values;
    if (value != nullptr && (value->f32.size() + value->s64.size() != 1 || value->shape.rank() > dims.size())) {
      return false;
    }
    std::vector<int64_t> fixed;
    std::vector<LengthNodes::Line> lines;
    for (size_t d = 0; d < dims.size(); ++d) {
      fixed.push_back(IsDynamic(dims[d]) ? 1 : dims[d].factor);
      if (!IsDynamic(dims[d])) continue;
      const std::optional<LengthNodes::Place> place = lengths_.PlaceOf(dims[d], kept);
      if (!place.has_value()) return false;
      lines.push_back({d, *place});
    }
    const Shape shape(fixed);
    if (shape.NumElements() < 0 || shape.NumElements() > kMostFilled) return false;
    float number = 0;  // of a ConstantOfShape that names none
    if (value != nullptr) number = value->f32.empty() ? static_cast<float>(value->s64[0]) : value->f32[0];
    Constant filled{DType::kF32, shape, std::vector<float>(static_cast<size_t>(shape.NumElements()), number), {}};
    const ValueId constant = AddConstant(graph_, node.name + " filled", std::move(filled));
    lengths_.AddLines(constant, lines, dims.size(), node.outputs[0], kept);
    return true;
  }

  // A Tile of axes of length 1 is an Expand.
  void ExpandTile(Node& node) {
    if (node.op != "Tile" || !node.domain.empty() || node.outputs.size() != 1 || !numbers_.IsComputed(node, 1)) return;
    const std::optional<Dims> x = shapes_.Of(node.inputs[0]);
    Dims target = numbers_.At(node.inputs[1]).values;
    if (!x.has_value() || x->size() != target.size() || std::none_of(target.begin(), target.end(), IsDynamic)) return;
    for (size_t d = 0; d < target.size(); ++d) {
      if (target[d] != Dim{1} && (*x)[d] != Dim{1}) return;
      if (target[d] == Dim{1}) target[d] = (*x)[d];
    }
    node.op = "Expand";
    node.inputs[1] = AddValue(graph_, node.name + " lengths");
    makers_[node.inputs[1]] = graph_.Describe(node);
    numbers_.Set(node.inputs[1], Numbers{std::move(target), true});
  }

  // The begin of an axis, up to a dynamic length that is not its own, as of a table of positions: rows that a Gather
  // takes.
  void GatherSlice(Node& node, std::vector<Node>& kept) {
    if (node.op != "Slice" || !node.domain.empty() || node.outputs.size() != 1 || !numbers_.IsComputed(node, 2)) return;
    const std::optional<Dims> x = shapes_.Of(node.inputs[0]);
    const std::optional<Numbers> starts = numbers_.Input(node, 1), ends = numbers_.Input(node, 2),
                                 axes = numbers_.Input(node, 3), steps = numbers_.Input(node, 4);
    const bool has_step = HasInput(node, 4), steps_by_one = !has_step || (steps.has_value() && steps->Only() == 1);
    if (!x || !starts || !axes || !axes->Only() || starts->values.size() != 1 || ends->values.size() != 1) return;
    const std::optional<size_t> axis = FindAxis(*axes->Only(), x->size());
    const Dim &begin = starts->values[0], &end = ends->values[0];
    if (!axis.has_value() || !steps_by_one || !IsDynamic(end) || !shapes_.IsLength(end) || end == (*x)[*axis]) return;
    const ValueId rows = AddValue(graph_, node.name + " rows");
    std::optional<Node> positions = lengths_.PositionsFrom(begin, end, rows, kept);
    if (!positions.has_value()) return;
    shapes_.Infer(*positions);
    kept.push_back(*std::move(positions));
    node = MakeNode("Gather", node.name, {node.inputs[0], rows}, node.outputs[0]);
    node.attributes["axis"] = static_cast<int64_t>(*axis);
  }

  // An Expand of axes of length 1 to dynamic lengths: zeros of them are added. False: another node, or lengths that no
  // tensor has.
  bool AddZeros(const Node& node, std::vector<Node>& kept) {
    if (node.op != "Expand" || !node.domain.empty() || node.outputs.size() != 1 || !numbers_.IsComputed(node, 1)) {
      return false;
    }
    const std::optional<Dims> x = shapes_.Of(node.inputs[0]);
    const Dims target = numbers_.At(node.inputs[1]).values;
    if (!x.has_value() || x->size() > target.size() || target.size() > Shape::kMaxRank) return false;
    std::vector<LengthNodes::Line> lines;
    std::vector<int64_t> fixed;
    for (size_t d = 0; d < target.size(); ++d) {
      const size_t missing = target.size() - x->size();
      const Dim own = d < missing ? Dim{1} : (*x)[d - missing];
      fixed.push_back(IsDynamic(target[d]) ? 1 : target[d].factor);
      if (!IsDynamic(target[d]) || target[d] == own) continue;
      const std::optional<LengthNodes::Place> place = lengths_.PlaceOf(target[d], kept);
      if (own != Dim{1} || !place.has_value()) return false;
      lines.push_back({d, *place});
    }
    if (lines.empty()) return false;
    const ValueId shape = AddIntegers(graph_, node.name + " fixed lengths", std::move(fixed)),
                  expanded = AddValue(graph_, node.name + " of fixed lengths");
    kept.push_back(MakeNode("Expand", node.name, {node.inputs[0], shape}, expanded));
    shapes_.Infer(kept.back());
    lengths_.AddLines(expanded, lines, target.size(), node.outputs[0], kept);
    return true;
  }

  // An operator takes the numbers as a constant. What is dynamic goes where the operator can say it.
  Status Replace(Node& node, size_t i) {
    if (node.inputs[i] != kAbsent && zeros_.count(node.inputs[i]) != 0) return ReplaceZeros(node, i);
    if (!numbers_.IsComputed(node, i)) return OkStatus();
    const ValueId id = node.inputs[i];
    const Numbers& numbers = numbers_.At(id);
    const bool is_known = std::none_of(numbers.values.begin(), numbers.values.end(), IsDynamic);
    std::optional<std::vector<int64_t>> values;
    if (numbers.is_real && std::all_of(numbers.reals.begin(), numbers.reals.end(), IsNumber)) {
      node.inputs[i] = AddFloats(id, numbers);
      return OkStatus();
    }
    if (!numbers.is_real && is_known) {
      values.emplace();
      for (const Dim& number : numbers.values) values->push_back(number.factor);
    } else if (const std::optional<Dims> x = i > 0 ? shapes_.Of(node.inputs[0]) : std::nullopt;
               i > 0 && !numbers.is_real) {
      const std::optional<Numbers> axes = numbers_.Input(node, 3);
      values = DynamicOperand(graph_, node, i, {x, numbers.values, axes.has_value() ? axes->values : Dims()});
    }
    if (values.has_value() && node.op == "Reshape" && i == 1 &&
        std::none_of(numbers.values.begin(), numbers.values.end(), [](const Dim& dim) { return dim == Dim{0}; })) {
      node.attributes.erase("allowzero");  // a 0 copies a length
    }
    if (!values.has_value()) {
      return Unsupported(fmt::format(
          "{}: its input {}, made by {}, holds the batch or another length that is dynamic; supported: once in the "
          "shape of a Reshape, and where the input of a Reshape, Expand, Resize or Slice has it in the same place",
          graph_.Describe(node), i, makers_.at(id)));
    }
    node.inputs[i] = AddIntegers(graph_, graph_.value(id).name, *std::move(values));
    if (!numbers.is_list) graph_.value(node.inputs[i]).constant->shape = Shape{};
    return OkStatus();
  }

  static bool IsNumber(const Real& real) { return real.is_number(); }
  ValueId AddFloats(ValueId id, const Numbers& numbers) {
    Constant floats{DType::kF32, numbers.is_list ? Shape{static_cast<int64_t>(numbers.count())} : Shape(), {}, {}};
    for (const Real& real : numbers.reals) floats.f32.push_back(real.factor);
    return AddConstant(graph_, graph_.value(id).name, std::move(floats));
  }

  Status ReplaceZeros(Node& node, size_t i) {
    const bool is_state = (node.op == "LSTM" && (i == 5 || i == 6)) || (node.op == "GRU" && i == 5);
    if (is_state) {
      node.inputs[i] = kAbsent;
      return OkStatus();
    }
    return Unsupported(
        fmt::format("{}: its input {}, made by {}, are zeros of a dynamic shape; supported: the first "
                    "states of LSTM and GRU",
                    graph_.Describe(node), i, makers_.at(node.inputs[i])));
  }

  Graph& graph_;
  ShapeInference shapes_;
  ShapeNumbers numbers_;
  LengthNodes lengths_;
  std::set<ValueId> rounded_;               // constants behind quantizers
  std::set<ValueId> repeated_;              // of a batch of 1 here
  std::set<ValueId> states_;                // at the begin of a sequence
  std::set<ValueId> zeros_;                 // of a shape that is not known, or codes of them
  std::map<ValueId, ValueId> zero_points_;  // of codes of zeros: their quantizer's, the code itself
  std::map<ValueId, std::string> makers_;   // for messages
};

}  // namespace

Status FoldShapes(Graph& graph) { return ShapeFolder(graph).Run(); }

}  // namespace lq
