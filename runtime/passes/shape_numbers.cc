#include "runtime/passes/shape_numbers.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace lq {
namespace {

constexpr size_t kMostNumbers = 1024;  // far more than a shape has: lists must not double without end

std::optional<Numbers> Multiplied(const Dims& dims, bool is_list) {
  const std::optional<Dim> product = Product(dims);
  return product.has_value() ? std::optional(Numbers{{*product}, is_list}) : std::nullopt;
}

std::optional<Dim> CombineNumbers(const std::string& op, int64_t x, int64_t y) {
  Dim z;
  if (op == "Equal") return Dim{x == y};
  if (op == "Add" && !__builtin_add_overflow(x, y, &z.factor)) return z;
  if (op == "Sub" && !__builtin_sub_overflow(x, y, &z.factor)) return z;
  if (op == "Mod" && x >= 0 && y > 0) return Dim{x % y};
  if (op == "Div" && y > 0) return Dim{x / y};
  return std::nullopt;
}

}  // namespace

// Nodes of constants alone are others' business, but for those that exporters compute ends and shapes with.
bool ShapeNumbers::Counts(const Node& node) const {
  constexpr const char* kArithmetic[] = {"Add", "Concat", "Div", "Mod", "Mul", "Reshape", "Sub", "Unsqueeze"};
  bool computed = false, known = true;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    computed = computed || IsComputed(node, i);
    const std::optional<Constant>* constant =
        node.inputs[i] != kAbsent ? &graph_.value(node.inputs[i]).constant : nullptr;
    const bool is_codes = constant != nullptr && constant->has_value() && (*constant)->file_type != DType::kS64;
    known = known && !is_codes && Input(node, i).has_value();
  }
  return computed ||
         (known && std::find(std::begin(kArithmetic), std::end(kArithmetic), node.op) != std::end(kArithmetic));
}

std::optional<Numbers> ShapeNumbers::Input(const Node& node, size_t i) const {
  if (i >= node.inputs.size() || node.inputs[i] == kAbsent) return std::nullopt;
  if (const auto found = known_.find(node.inputs[i]); found != known_.end()) return found->second;
  const std::optional<Constant>& constant = graph_.value(node.inputs[i]).constant;
  if (!constant.has_value() || constant->dtype != DType::kS64 || constant->shape.rank() > 1 ||
      constant->s64.size() > kMostNumbers) {
    return std::nullopt;
  }
  Numbers numbers;
  for (int64_t value : constant->s64) numbers.values.push_back({value});
  numbers.is_list = constant->shape.rank() == 1;
  return numbers;
}

std::optional<Numbers> ShapeNumbers::Evaluate(const Node& node) {
  if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kAbsent) return std::nullopt;
  if (node.op == "Shape") return ShapeOf(node);
  if (node.op == "Size") return CountOf(node);
  if (!Counts(node)) return std::nullopt;
  const std::optional<Numbers> in = Input(node, 0);
  if (!in.has_value()) return std::nullopt;
  if (node.op == "Identity" || node.op == "Cast") return in;
  if (node.op == "Squeeze" && in->values.size() == 1) return Numbers{in->values, false};
  if (node.op == "Unsqueeze" && !in->is_list) return Numbers{in->values, true};
  if (node.op == "Reshape") return Reshaped(node, *in);
  if (node.op == "Concat") return Joined(node);
  if (node.op == "ReduceProd") return Multiplied(in->values, node.Int("keepdims", 1) != 0);
  if (node.op == "Gather") return Gathered(node, *in);
  if (node.op == "Slice") return Sliced(node, *in);
  if (node.op == "ConstantOfShape") return Filled(node, *in);
  if (node.op == "Range") return Counted(node, *in);
  if (node.op == "Where") return Chosen(node, *in);
  return Combined(node, *in);
}

std::optional<Numbers> ShapeNumbers::ShapeOf(const Node& node) {
  std::optional<Dims> shape = node.inputs.empty() ? std::nullopt : shapes_.Of(node.inputs[0]);
  if (IsComputed(node, 0)) {
    const Numbers& in = At(node.inputs[0]);
    shape = in.is_list ? Dims{Dim{static_cast<int64_t>(in.values.size())}} : Dims();
  }
  if (!shape.has_value()) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape->size());
  const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t begin = bound(node.Int("start", 0)), end = bound(node.Int("end", rank));
  return Numbers{Dims(shape->begin() + begin, shape->begin() + std::max(begin, end)), true};
}

std::optional<Numbers> ShapeNumbers::CountOf(const Node& node) {
  if (IsComputed(node, 0)) return Numbers{{Dim{static_cast<int64_t>(Input(node, 0)->values.size())}}, false};
  const std::optional<Dims> shape = node.inputs.empty() ? std::nullopt : shapes_.Of(node.inputs[0]);
  return shape.has_value() ? Multiplied(*shape, false) : std::nullopt;
}

// To a list of all of them, or of one to a scalar.
std::optional<Numbers> ShapeNumbers::Reshaped(const Node& node, const Numbers& in) const {
  const std::optional<Numbers> target = Input(node, 1);
  if (!target.has_value() || !target->is_list || target->values.size() > 1) return std::nullopt;
  if (target->values.empty()) return in.values.size() == 1 ? std::optional(Numbers{in.values, false}) : std::nullopt;
  const Dim& count = target->values[0];
  const bool fits = count == Dim{-1} || count == Dim{static_cast<int64_t>(in.values.size())};
  return fits ? std::optional(Numbers{in.values, true}) : std::nullopt;
}

std::optional<Numbers> ShapeNumbers::Joined(const Node& node) const {
  Numbers all;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const std::optional<Numbers> part = Input(node, i);
    if (!part.has_value() || !part->is_list) return std::nullopt;
    if (all.values.size() + part->values.size() > kMostNumbers) return std::nullopt;
    all.values.insert(all.values.end(), part->values.begin(), part->values.end());
  }
  return all;
}

std::optional<Numbers> ShapeNumbers::Gathered(const Node& node, const Numbers& in) const {
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
std::optional<int64_t> ShapeNumbers::First(const Node& node, size_t input, const char* key,
                                           std::optional<int64_t> fallback) const {
  if (input < node.inputs.size() && node.inputs[input] != kAbsent) {
    const std::optional<Numbers> numbers = Input(node, input);
    return numbers.has_value() ? numbers->Only() : std::nullopt;
  }
  const std::vector<int64_t> attribute = node.Ints(key, {});
  return attribute.size() == 1 ? attribute[0] : fallback;
}

std::optional<Numbers> ShapeNumbers::Sliced(const Node& node, const Numbers& in) const {
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
std::optional<Numbers> ShapeNumbers::Filled(const Node& node, const Numbers& dims) const {
  const auto found = node.attributes.find("value");
  const auto* value = found != node.attributes.end() ? std::get_if<Constant>(&found->second) : nullptr;
  const std::optional<int64_t> count = dims.Only();
  if (value == nullptr || value->s64.size() != 1 || !count.has_value()) return std::nullopt;
  if (*count < 0 || *count > static_cast<int64_t>(kMostNumbers)) return std::nullopt;
  return Numbers{Dims(static_cast<size_t>(*count), Dim{value->s64[0]}), true};
}

std::optional<Numbers> ShapeNumbers::Counted(const Node& node, const Numbers& start) const {
  const std::optional<Numbers> limit = Input(node, 1), delta = Input(node, 2);
  if (!limit || !delta) return std::nullopt;
  for (const Numbers* one : {&start, &*limit, &*delta}) {
    const int64_t number = one->Only().value_or(INT64_MAX), most = static_cast<int64_t>(kMostNumbers);
    if (number < -most || number > most) return std::nullopt;
  }
  const int64_t first = *start.Only(), last = *limit->Only(), step = *delta->Only();
  if (step < 1 || last - first > static_cast<int64_t>(kMostNumbers)) return std::nullopt;
  Numbers out;
  for (int64_t at = first; at < last; at += step) out.values.push_back({at});
  return out;
}

std::optional<Numbers> ShapeNumbers::Chosen(const Node& node, const Numbers& condition) const {
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
std::optional<Numbers> ShapeNumbers::Combined(const Node& node, const Numbers& a) {
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
std::optional<Dim> ShapeNumbers::Combine(const std::string& op, const Dim& x, const Dim& y) {
  if (op == "Mul") return Times(x, y);
  if (x.is_number() && y.is_number()) return CombineNumbers(op, x.factor, y.factor);
  if (op == "Equal") {
    if (x == y) return Dim{1};
    const bool differ = (x.is_number() && x.factor < 0) || (y.is_number() && y.factor < 0);
    return differ ? std::optional(Dim{0}) : std::nullopt;
  }
  if (op == "Div") return Over(x, y);
  if (op == "Add") return shapes_.Sum(x, y);
  return op == "Sub" ? std::optional(shapes_.Difference(x, y)) : std::nullopt;
}

}  // namespace lq
