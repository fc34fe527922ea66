// Shape -> Gather -> Concat -> Reshape and the like, as PyTorch exports them. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "runtime/passes/dynamic_operand.h"
#include "runtime/passes/infer_shape.h"
#include "runtime/passes/new_values.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kMostNumbers = 1024;  // far more than a shape has: lists must not double without end

// A list of lengths, or without is_list a scalar.
struct Numbers {
  Dims values;
  bool is_list = true;

  // The one number that it holds.
  std::optional<int64_t> Only() const {
    return values.size() == 1 && values[0].is_number() ? std::optional(values[0].factor) : std::nullopt;
  }
};

class ShapeFolder {
 public:
  explicit ShapeFolder(Graph& graph) : graph_(graph), shapes_(graph) {}

  Status Run() {
    std::vector<Node> kept;
    for (Node& node : graph_.nodes) {
      if (MakesZeros(node)) {
        zeros_.insert(node.outputs[0]);
        if (node.op == "QuantizeLinear") zero_points_[node.outputs[0]] = ZeroPoint(node);
        makers_[node.outputs[0]] = graph_.Describe(node);
        continue;
      }
      if (RepeatsConstant(node)) {
        repeated_.insert(node.outputs[0]);
        makers_[node.outputs[0]] = graph_.Describe(node);
        node = MakeNode("Identity", node.name, {node.inputs[0]}, node.outputs[0]);
      }
      std::optional<Numbers> result = Evaluate(node);
      if (result.has_value()) {
        known_[node.outputs[0]] = *std::move(result);
        makers_[node.outputs[0]] = graph_.Describe(node);
        continue;
      }
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
  // The states at the begin of a sequence, of which LSTM and GRU take zeros by themselves. Of a dynamic batch no
  // constant could hold them. Quantized they stay zeros: 0 is on every grid.
  bool MakesZeros(const Node& node) const {
    constexpr const char* kMovements[] = {"Cast",  "Expand",  "Identity",  "Reshape",
                                          "Slice", "Squeeze", "Transpose", "Unsqueeze"};
    if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kAbsent || node.inputs.empty()) {
      return false;
    }
    if (zeros_.count(node.inputs[0]) != 0) {
      if (node.op == "QuantizeLinear") return true;
      const auto codes = zero_points_.find(node.inputs[0]);
      if (codes != zero_points_.end()) return node.op == "DequantizeLinear" && codes->second == ZeroPoint(node);
      return std::find(std::begin(kMovements), std::end(kMovements), node.op) != std::end(kMovements);
    }
    const size_t shape = node.op == "Expand" ? 1 : 0;
    const std::optional<Numbers> dims = Input(node, shape);
    if (!IsComputed(node, shape) || std::none_of(dims->values.begin(), dims->values.end(), IsDynamic)) return false;
    const Constant* value = nullptr;
    if (node.op == "ConstantOfShape") {
      const auto found = node.attributes.find("value");
      if (found == node.attributes.end()) return true;
      value = std::get_if<Constant>(&found->second);
    } else if (node.op == "Expand" && graph_.value(node.inputs[0]).constant.has_value()) {
      value = &*graph_.value(node.inputs[0]).constant;
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
                         IsComputed(node, 1) && (IsConstant(node.inputs[0]) || repeated_.count(node.inputs[0]) != 0);
    const std::optional<Dims> x = expands ? shapes_.Of(node.inputs[0]) : std::nullopt;
    if (!x.has_value()) return false;
    const Dims& target = known_.at(node.inputs[1]).values;
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
      makers_[node.outputs[0]] = graph_.Describe(node);
      return OkStatus();
    }
    if (!all && node.op == "Concat") node.attributes["repeats"] = int64_t{1};
    if (!all && (node.op == "Concat" || is_one_of(kBroadcasting))) return OkStatus();
    return Unsupported(
        fmt::format("{}: a constant, repeated by {} for a dynamic batch; supported: with activations in "
                    "a Concat, Add and the like",
                    graph_.Describe(node), makers_.at(*repeated)));
  }

  // What input i is known to be: computed here, or a constant of up to one dimension.
  std::optional<Numbers> Input(const Node& node, size_t i) const {
    if (i >= node.inputs.size() || node.inputs[i] == kAbsent) return std::nullopt;
    if (const auto found = known_.find(node.inputs[i]); found != known_.end()) return found->second;
    const std::optional<Constant>& constant = graph_.value(node.inputs[i]).constant;
    if (!constant.has_value() || constant->dtype != DType::kS64 || constant->shape.rank() > 1) return std::nullopt;
    Numbers numbers;
    for (int64_t value : constant->s64) numbers.values.push_back({value});
    numbers.is_list = constant->shape.rank() == 1;
    return numbers;
  }

  bool IsComputed(const Node& node, size_t i) const { return i < node.inputs.size() && known_.count(node.inputs[i]); }

  std::optional<Numbers> Evaluate(const Node& node) {
    if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kAbsent) return std::nullopt;
    if (node.op == "Shape") return ShapeOf(node);
    if (node.op == "Size") return CountOf(node);
    bool computed = false;  // what holds constants only is no shape arithmetic: other nodes take it
    for (size_t i = 0; i < node.inputs.size(); ++i) computed = computed || IsComputed(node, i);
    if (!computed) return std::nullopt;
    const std::optional<Numbers> in = Input(node, 0);
    if (!in.has_value()) return std::nullopt;
    if (node.op == "Identity" || node.op == "Cast") return in;
    if (node.op == "Squeeze" && in->values.size() == 1) return Numbers{in->values, false};
    if (node.op == "Unsqueeze" && !in->is_list) return Numbers{in->values, true};
    if (node.op == "Reshape") return AsList(node, *in);
    if (node.op == "Concat") return Joined(node);
    if (node.op == "ReduceProd") return Multiplied(in->values, node.Int("keepdims", 1) != 0);
    if (node.op == "Gather") return Gathered(node, *in);
    if (node.op == "Slice") return Sliced(node, *in);
    if (node.op == "ConstantOfShape") return Filled(node, *in);
    if (node.op == "Range") return Counted(node, *in);
    if (node.op == "Where") return Chosen(node, *in);
    return Combined(node, *in);
  }

  // PyTorch writes torch.Size as a Reshape of joined numbers to (-1).
  std::optional<Numbers> AsList(const Node& node, const Numbers& in) const {
    const std::optional<Numbers> dims = Input(node, 1);
    const bool is_list = dims.has_value() && dims->is_list && dims->Only() == -1;
    return is_list ? std::optional(Numbers{in.values, true}) : std::nullopt;
  }

  std::optional<Numbers> ShapeOf(const Node& node) {
    std::optional<Dims> shape = node.inputs.empty() ? std::nullopt : shapes_.Of(node.inputs[0]);
    if (IsComputed(node, 0)) {
      const Numbers& numbers = known_.at(node.inputs[0]);
      shape = numbers.is_list ? Dims{Dim{static_cast<int64_t>(numbers.values.size())}} : Dims{};
    }
    if (!shape.has_value()) return std::nullopt;
    const auto rank = static_cast<int64_t>(shape->size());
    const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
    const int64_t begin = bound(node.Int("start", 0)), end = bound(node.Int("end", rank));
    return Numbers{Dims(shape->begin() + begin, shape->begin() + std::max(begin, end)), true};
  }

  std::optional<Numbers> CountOf(const Node& node) {
    if (IsComputed(node, 0)) return Numbers{{Dim{static_cast<int64_t>(Input(node, 0)->values.size())}}, false};
    const std::optional<Dims> shape = node.inputs.empty() ? std::nullopt : shapes_.Of(node.inputs[0]);
    return shape.has_value() ? Multiplied(*shape, false) : std::nullopt;
  }

  static std::optional<Numbers> Multiplied(const Dims& dims, bool is_list) {
    const std::optional<Dim> product = Product(dims);
    return product.has_value() ? std::optional(Numbers{{*product}, is_list}) : std::nullopt;
  }

  std::optional<Numbers> Joined(const Node& node) const {
    Numbers all;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const std::optional<Numbers> part = Input(node, i);
      if (!part.has_value() || !part->is_list) return std::nullopt;
      if (all.values.size() + part->values.size() > kMostNumbers) return std::nullopt;
      all.values.insert(all.values.end(), part->values.begin(), part->values.end());
    }
    return all;
  }

  std::optional<Numbers> Gathered(const Node& node, const Numbers& in) const {
    const std::optional<Numbers> indices = Input(node, 1);
    if (!indices.has_value() || !in.is_list || node.Int("axis", 0) != 0) return std::nullopt;
    Numbers out;
    out.is_list = indices->is_list;
    const auto length = static_cast<int64_t>(in.values.size());
    for (const Dim& index : indices->values) {
      const int64_t at = index.factor < 0 ? index.factor + length : index.factor;
      if (!index.is_number() || at < 0 || at >= length) return std::nullopt;
      out.values.push_back(in.values[static_cast<size_t>(at)]);
    }
    return out;
  }

  // The first of a list's numbers, or of the attribute.
  std::optional<int64_t> First(const Node& node, size_t input, const char* key, std::optional<int64_t> fallback) const {
    if (input < node.inputs.size() && node.inputs[input] != kAbsent) {
      const std::optional<Numbers> numbers = Input(node, input);
      return numbers.has_value() ? numbers->Only() : std::nullopt;
    }
    const std::vector<int64_t> attribute = node.Ints(key, {});
    return attribute.size() == 1 ? attribute[0] : fallback;
  }

  std::optional<Numbers> Sliced(const Node& node, const Numbers& in) const {
    const std::optional<int64_t> start = First(node, 1, "starts", std::nullopt),
                                 end = First(node, 2, "ends", std::nullopt), axis = First(node, 3, "axes", 0),
                                 step = First(node, 4, "", 1);
    if (!start || !end || axis != 0 || step != 1 || !in.is_list) return std::nullopt;
    const auto length = static_cast<int64_t>(in.values.size());
    const auto bound = [&](int64_t at) {
      return std::clamp<int64_t>(at < 0 ? std::max(at, -length) + length : at, 0, length);
    };
    Numbers out;
    for (int64_t i = bound(*start); i < bound(*end); ++i) out.values.push_back(in.values[static_cast<size_t>(i)]);
    return out;
  }

  // PyTorch expands by Where(dims == -1, shape of the input, dims), with the -1 made by ConstantOfShape and Mul.
  std::optional<Numbers> Filled(const Node& node, const Numbers& dims) const {
    const auto found = node.attributes.find("value");
    const auto* value = found != node.attributes.end() ? std::get_if<Constant>(&found->second) : nullptr;
    const std::optional<int64_t> count = dims.Only();
    if (value == nullptr || value->s64.size() != 1 || !count.has_value()) return std::nullopt;
    if (*count < 0 || *count > static_cast<int64_t>(kMostNumbers)) return std::nullopt;
    return Numbers{Dims(static_cast<size_t>(*count), Dim{value->s64[0]}), true};
  }

  std::optional<Numbers> Counted(const Node& node, const Numbers& start) const {
    const std::optional<Numbers> limit = Input(node, 1), delta = Input(node, 2);
    if (!limit || !delta) return std::nullopt;
    for (const Numbers* one : {&start, &*limit, &*delta}) {
      const int64_t number = one->Only().value_or(INT64_MAX), most = static_cast<int64_t>(kMostNumbers);
      if (number < -most || number > most) return std::nullopt;
    }
    const int64_t step = *delta->Only();
    if (step < 1) return std::nullopt;
    Numbers out;
    for (int64_t at = *start.Only(); at < *limit->Only() && out.values.size() < kMostNumbers; at += step) {
      out.values.push_back({at});
    }
    return out;
  }

  std::optional<Numbers> Chosen(const Node& node, const Numbers& condition) const {
    const std::optional<Numbers> a = Input(node, 1), b = Input(node, 2);
    if (!a || !b) return std::nullopt;
    const size_t n = condition.values.size();
    if (a->values.size() != n || b->values.size() != n) return std::nullopt;
    Numbers out;
    for (size_t i = 0; i < n; ++i) {
      if (!condition.values[i].is_number()) return std::nullopt;
      out.values.push_back(condition.values[i].factor != 0 ? a->values[i] : b->values[i]);
    }
    return out;
  }

  // Add, Sub, Mul, Div, Equal, element by element; a scalar or a list of one goes with every element.
  std::optional<Numbers> Combined(const Node& node, const Numbers& a) {
    const std::optional<Numbers> b = Input(node, 1);
    if (!b.has_value() || a.values.empty() || b->values.empty()) return std::nullopt;
    const size_t n = std::max(a.values.size(), b->values.size());
    if ((a.values.size() != n && a.values.size() != 1) || (b->values.size() != n && b->values.size() != 1)) {
      return std::nullopt;
    }
    Numbers out;
    out.is_list = a.is_list || b->is_list;
    for (size_t i = 0; i < n; ++i) {
      const Dim &x = a.values[a.values.size() == 1 ? 0 : i], &y = b->values[b->values.size() == 1 ? 0 : i];
      const std::optional<Dim> z = Combine(node.op, x, y);
      if (!z.has_value()) return std::nullopt;
      out.values.push_back(*z);
    }
    return out;
  }

  // Lengths are no negative numbers.
  std::optional<Dim> Combine(const std::string& op, const Dim& x, const Dim& y) {
    if (op == "Mul") return Times(x, y);
    if (x.is_number() && y.is_number()) return CombineNumbers(op, x.factor, y.factor);
    if (op == "Equal") {
      if (x == y) return Dim{1};
      const bool differ = (x.is_number() && x.factor < 0) || (y.is_number() && y.factor < 0);
      return differ ? std::optional(Dim{0}) : std::nullopt;
    }
    if (op == "Div") return Over(x, y);
    return op == "Add" || op == "Sub" ? std::optional(shapes_.Fresh()) : std::nullopt;
  }

  static std::optional<Dim> CombineNumbers(const std::string& op, int64_t x, int64_t y) {
    Dim z;
    if (op == "Equal") return Dim{x == y};
    if (op == "Add" && !__builtin_add_overflow(x, y, &z.factor)) return z;
    if (op == "Sub" && !__builtin_sub_overflow(x, y, &z.factor)) return z;
    if (op == "Div" && y > 0) return Dim{x / y};
    return std::nullopt;
  }

  // An operator takes the numbers as a constant. What is dynamic goes where the operator can say it.
  Status Replace(Node& node, size_t i) {
    if (node.inputs[i] != kAbsent && zeros_.count(node.inputs[i]) != 0) return ReplaceZeros(node, i);
    if (!IsComputed(node, i)) return OkStatus();
    const ValueId id = node.inputs[i];
    const Numbers& numbers = known_.at(id);
    std::optional<std::vector<int64_t>> values;
    if (std::none_of(numbers.values.begin(), numbers.values.end(), IsDynamic)) {
      values.emplace();
      for (const Dim& number : numbers.values) values->push_back(number.factor);
    } else if (const std::optional<Dims> x = i > 0 ? shapes_.Of(node.inputs[0]) : std::nullopt; i > 0) {
      const std::optional<Numbers> axes = Input(node, 3);
      values = DynamicOperand(graph_, node, i, {x, numbers.values, axes.has_value() ? axes->values : Dims()});
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
  std::map<ValueId, Numbers> known_;
  std::set<ValueId> rounded_;               // constants behind quantizers
  std::set<ValueId> repeated_;              // of a batch of 1 here
  std::set<ValueId> zeros_;                 // of a shape that is not known, or codes of them
  std::map<ValueId, ValueId> zero_points_;  // of codes of zeros: their quantizer's, the code itself
  std::map<ValueId, std::string> makers_;   // for messages
};

}  // namespace

Status FoldShapes(Graph& graph) { return ShapeFolder(graph).Run(); }

}  // namespace lq
