// Shape -> Gather -> Concat -> Reshape and the like, as PyTorch exports them. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "runtime/passes/infer_shape.h"
#include "runtime/passes/new_values.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kMostNumbers = 1024;  // far more than a shape has: lists must not double without end

// An integer of a shape: a number, or the batch, which only a run knows.
struct Number {
  int64_t value = 0;
  bool is_batch = false;
};

// A list, or without is_list a scalar.
struct Numbers {
  std::vector<Number> values;
  bool is_list = true;
};

class ShapeFolder {
 public:
  explicit ShapeFolder(Graph& graph) : graph_(graph) {}

  Status Run() {
    std::vector<Node> kept;
    for (Node& node : graph_.nodes) {
      std::optional<Numbers> result = Evaluate(node);
      if (result.has_value()) {
        known_[node.outputs[0]] = *std::move(result);
        makers_[node.outputs[0]] = graph_.Describe(node);
        continue;
      }
      for (size_t i = 0; i < node.inputs.size(); ++i) LQ_RETURN_IF_ERROR(Replace(node, i));
      DeclareShape(node);
      kept.push_back(std::move(node));
    }
    graph_.nodes = std::move(kept);
    return OkStatus();
  }

 private:
  void DeclareShape(const Node& node) {
    if (node.outputs.empty() || node.outputs[0] == kAbsent || graph_.value(node.outputs[0]).shape.has_value()) return;
    graph_.value(node.outputs[0]).shape = InferShape(graph_, node);
  }

  // What input i is known to be: computed here, or a constant of up to one dimension.
  std::optional<Numbers> Input(const Node& node, size_t i) const {
    if (i >= node.inputs.size() || node.inputs[i] == kAbsent) return std::nullopt;
    if (const auto found = known_.find(node.inputs[i]); found != known_.end()) return found->second;
    const std::optional<Constant>& constant = graph_.value(node.inputs[i]).constant;
    if (!constant.has_value() || constant->dtype != DType::kS64 || constant->shape.rank() > 1) return std::nullopt;
    Numbers numbers;
    for (int64_t value : constant->s64) numbers.values.push_back({value, false});
    numbers.is_list = constant->shape.rank() == 1;
    return numbers;
  }

  bool IsComputed(const Node& node, size_t i) const { return i < node.inputs.size() && known_.count(node.inputs[i]); }

  std::optional<Numbers> Evaluate(const Node& node) const {
    if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kAbsent) return std::nullopt;
    if (node.op == "Shape") return ShapeOf(node);
    bool computed = false;  // what holds constants only is no shape arithmetic: other nodes take it
    for (size_t i = 0; i < node.inputs.size(); ++i) computed = computed || IsComputed(node, i);
    if (!computed) return std::nullopt;
    const std::optional<Numbers> in = Input(node, 0);
    if (!in.has_value()) return std::nullopt;
    if (node.op == "Identity" || node.op == "Cast") return in;
    if (node.op == "Squeeze" && in->values.size() == 1) return Numbers{in->values, false};
    if (node.op == "Unsqueeze" && !in->is_list) return Numbers{in->values, true};
    if (node.op == "Concat") return Joined(node);
    if (node.op == "Gather") return Gathered(node, *in);
    if (node.op == "Slice") return Sliced(node, *in);
    if (node.op == "ConstantOfShape") return Filled(node, *in);
    if (node.op == "Range") return Counted(node, *in);
    if (node.op == "Where") return Chosen(node, *in);
    return Combined(node, *in);
  }

  std::optional<Numbers> ShapeOf(const Node& node) const {
    if (node.inputs.empty() || node.inputs[0] == kAbsent) return std::nullopt;
    const Value& value = graph_.value(node.inputs[0]);
    const Shape* shape = value.constant.has_value() ? &value.constant->shape : value.shape ? &*value.shape : nullptr;
    if (shape == nullptr) return std::nullopt;
    const auto rank = static_cast<int64_t>(shape->rank());
    const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
    Numbers numbers;
    for (int64_t d = bound(node.Int("start", 0)); d < bound(node.Int("end", rank)); ++d) {
      const int64_t length = (*shape)[static_cast<size_t>(d)];
      if (length < 0 && d > 0) return std::nullopt;
      numbers.values.push_back({length, length < 0});
    }
    return numbers;
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
    for (const Number& index : indices->values) {
      const int64_t at = index.value < 0 ? index.value + length : index.value;
      if (index.is_batch || at < 0 || at >= length) return std::nullopt;
      out.values.push_back(in.values[static_cast<size_t>(at)]);
    }
    return out;
  }

  // The first of a list's numbers, or of the attribute.
  std::optional<int64_t> First(const Node& node, size_t input, const char* key, std::optional<int64_t> fallback) const {
    if (input < node.inputs.size() && node.inputs[input] != kAbsent) {
      const std::optional<Numbers> numbers = Input(node, input);
      if (!numbers.has_value() || numbers->values.size() != 1 || numbers->values[0].is_batch) return std::nullopt;
      return numbers->values[0].value;
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
    if (value == nullptr || value->s64.size() != 1 || dims.values.size() != 1) return std::nullopt;
    const Number count = dims.values[0];
    if (count.is_batch || count.value < 0 || count.value > static_cast<int64_t>(kMostNumbers)) return std::nullopt;
    return Numbers{std::vector<Number>(static_cast<size_t>(count.value), {value->s64[0], false}), true};
  }

  std::optional<Numbers> Counted(const Node& node, const Numbers& start) const {
    const std::optional<Numbers> limit = Input(node, 1), delta = Input(node, 2);
    if (!limit || !delta) return std::nullopt;
    for (const Numbers* one : {&start, &*limit, &*delta}) {
      const bool fits = one->values.size() == 1 && !one->values[0].is_batch &&
                        std::abs(one->values[0].value) <= static_cast<int64_t>(kMostNumbers);
      if (!fits) return std::nullopt;
    }
    const int64_t step = delta->values[0].value, end = limit->values[0].value;
    if (step < 1) return std::nullopt;
    Numbers out;
    for (int64_t at = start.values[0].value; at < end && out.values.size() < kMostNumbers; at += step) {
      out.values.push_back({at, false});
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
      if (condition.values[i].is_batch) return std::nullopt;
      out.values.push_back(condition.values[i].value != 0 ? a->values[i] : b->values[i]);
    }
    return out;
  }

  // Add, Sub, Mul, Div, Equal, element by element; a scalar or a list of one goes with every element.
  std::optional<Numbers> Combined(const Node& node, const Numbers& a) const {
    const std::optional<Numbers> b = Input(node, 1);
    if (!b.has_value() || a.values.empty() || b->values.empty()) return std::nullopt;
    const size_t n = std::max(a.values.size(), b->values.size());
    if ((a.values.size() != n && a.values.size() != 1) || (b->values.size() != n && b->values.size() != 1)) {
      return std::nullopt;
    }
    Numbers out;
    out.is_list = a.is_list || b->is_list;
    for (size_t i = 0; i < n; ++i) {
      const Number x = a.values[a.values.size() == 1 ? 0 : i], y = b->values[b->values.size() == 1 ? 0 : i];
      const std::optional<Number> z = Combine(node.op, x, y);
      if (!z.has_value()) return std::nullopt;
      out.values.push_back(*z);
    }
    return out;
  }

  static std::optional<Number> Combine(const std::string& op, Number x, Number y) {
    if (op == "Equal") {  // the batch is no negative number
      if (x.is_batch || y.is_batch) {
        return (x.is_batch && y.is_batch) || std::max(x.value, y.value) >= 0 ? std::nullopt
                                                                             : std::optional(Number{0, false});
      }
      return Number{x.value == y.value, false};
    }
    if (x.is_batch || y.is_batch) {  // times one it stays the batch
      const bool one = x.is_batch ? !y.is_batch && y.value == 1 : x.value == 1 && op == "Mul";
      if (one && (op == "Mul" || op == "Div")) return Number{-1, true};
      return std::nullopt;
    }
    Number z;
    if (op == "Add" && !__builtin_add_overflow(x.value, y.value, &z.value)) return z;
    if (op == "Sub" && !__builtin_sub_overflow(x.value, y.value, &z.value)) return z;
    if (op == "Mul" && !__builtin_mul_overflow(x.value, y.value, &z.value)) return z;
    if (op == "Div" && y.value > 0) return Number{x.value / y.value, false};
    return std::nullopt;
  }

  // An operator takes the numbers as a constant. The batch is the one dimension of a Reshape that follows from the
  // others; where -1 asks for that already, the file must say what it comes to.
  Status Replace(Node& node, size_t i) {
    if (!IsComputed(node, i)) return OkStatus();
    const ValueId id = node.inputs[i];
    const Numbers& numbers = known_.at(id);
    const bool is_reshape = node.op == "Reshape" && i == 1 && node.outputs.size() == 1 && node.outputs[0] != kAbsent;
    const std::optional<Shape> declared = is_reshape ? graph_.value(node.outputs[0]).shape : std::nullopt;
    const bool has_batch = std::any_of(numbers.values.begin(), numbers.values.end(), IsBatch);
    std::vector<int64_t> values;
    for (const Number& number : numbers.values) {
      const size_t k = values.size();
      const bool is_open = has_batch && !number.is_batch && number.value == -1;
      const bool says = is_open && declared.has_value() && declared->rank() == numbers.values.size();
      values.push_back(number.is_batch ? -1 : says ? (*declared)[k] : number.value);
    }
    if (has_batch && (!is_reshape || std::count(values.begin(), values.end(), -1) != 1)) {
      return Unsupported(
          fmt::format("{}: its input {}, made by {}, holds the batch, which is dynamic; supported: once, "
                      "in the shape of a Reshape, with all other dimensions known",
                      graph_.Describe(node), i, makers_.at(id)));
    }
    node.inputs[i] = AddIntegers(graph_, graph_.value(id).name, std::move(values));
    if (!numbers.is_list) graph_.value(node.inputs[i]).constant->shape = Shape{};
    return OkStatus();
  }

  static bool IsBatch(const Number& number) { return number.is_batch; }

  Graph& graph_;
  std::map<ValueId, Numbers> known_;
  std::map<ValueId, std::string> makers_;  // for messages
};

}  // namespace

Status FoldShapes(Graph& graph) { return ShapeFolder(graph).Run(); }

}  // namespace lq
