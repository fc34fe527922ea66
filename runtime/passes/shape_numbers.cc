#include "runtime/passes/shape_numbers.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "runtime/passes/node_inputs.h"

namespace lq {
namespace {

constexpr size_t kMostNumbers = 1024;  // far more than a shape has: lists must not double without end

std::optional<Dim> CombineNumbers(const std::string& op, int64_t x, int64_t y) {
  Dim z;
  if (op == "Equal") return Dim{x == y};
  if (op == "Add" && !__builtin_add_overflow(x, y, &z.factor)) return z;
  if (op == "Sub" && !__builtin_sub_overflow(x, y, &z.factor)) return z;
  if (op == "Max") return Dim{std::max(x, y)};
  if (op == "Min") return Dim{std::min(x, y)};
  if (op == "Mod" && x >= 0 && y > 0) return Dim{x % y};
  if (op == "Div" && y > 0) return Dim{x / y};
  return std::nullopt;
}

Numbers AsScalar(Numbers one) {
  one.is_list = false;
  return one;
}

// All elements of `in`, by a function of one of them; nothing where that gives nothing.
template <class From, class To, class Function>
bool ForAll(const std::vector<From>& in, const Function& function, std::vector<To>& out) {
  for (const From& element : in) {
    std::optional<To> result = function(element);
    if (!result.has_value()) return false;
    out.push_back(*std::move(result));
  }
  return true;
}

// Of floats towards 0. Of a dynamic length it is not known whether it is 0, which is false.
std::optional<Numbers> CastTo(int64_t type, const Numbers& in) {
  Numbers out{{}, in.is_list, type == kOnnxFloat, {}};
  const auto truth = [](const Dim& x) { return x.is_number() ? std::optional(Dim{x.factor != 0}) : std::nullopt; };
  bool known = false;
  if (type == kOnnxBool) {
    known = !in.is_real && ForAll(in.values, truth, out.values);
  } else if (type == kOnnxFloat && in.is_real) {
    return in;
  } else if (type == kOnnxFloat) {
    known = ForAll(in.values, RealOf, out.reals);
  } else if (type == kOnnxInt32 || type == kOnnxInt64) {
    if (!in.is_real) return in;
    known = ForAll(in.reals, WholeOf, out.values);
  }
  return known ? std::optional(out) : std::nullopt;
}

std::optional<Numbers> AllRounded(const std::string& op, const Numbers& in) {
  Numbers out{{}, in.is_list, true, {}};
  const bool known = ForAll(
      in.reals, [&](const Real& x) { return Rounded(op, x); }, out.reals);
  return known ? std::optional(out) : std::nullopt;
}

std::optional<Numbers> ProductOf(const Node& node, const Numbers& in) {
  const std::optional<Dim> product = Product(in.values);
  if (!product.has_value() || node.Int("noop_with_empty_axes", 0) != 0) return std::nullopt;
  return Numbers{{*product}, in.is_list && node.Int("keepdims", 1) != 0};
}

// Of lists, of which one may be a scalar or hold one number for all elements, that of the element-wise result.
std::optional<size_t> CommonCount(std::span<const Numbers* const> all) {
  size_t n = 1;
  for (const Numbers* one : all) n = one->count() == 1 ? n : one->count();
  const bool fit =
      std::all_of(all.begin(), all.end(), [n](const Numbers* one) { return one->count() == n || one->count() == 1; });
  return fit && n > 0 ? std::optional(n) : std::nullopt;
}

size_t IndexOf(const Numbers& numbers, size_t i) { return numbers.count() == 1 ? 0 : i; }

}  // namespace

// Nodes of constants alone are others' business, but for those that exporters compute ends and shapes with.
bool ShapeNumbers::Counts(const Node& node) const {
  constexpr const char* kArithmetic[] = {"Add", "Concat", "Div", "Mod", "Mul", "Reshape", "Sub", "Unsqueeze"};
  bool computed = false, known = true;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    computed = computed || IsComputed(node, i);
    const Constant* constant = ConstantInput(graph_, node, i);
    const bool is_other = constant != nullptr && (constant->file_type != DType::kS64 || constant->dtype != DType::kS64);
    known = known && !is_other && Input(node, i).has_value();
  }
  return computed ||
         (known && std::find(std::begin(kArithmetic), std::end(kArithmetic), node.op) != std::end(kArithmetic));
}

std::optional<Numbers> ShapeNumbers::Input(const Node& node, size_t i) const {
  if (!HasInput(node, i)) return std::nullopt;
  if (const auto found = known_.find(node.inputs[i]); found != known_.end()) return found->second;
  const Constant* constant = ConstantInput(graph_, node, i);
  if (constant == nullptr || constant->shape.rank() > 1) return std::nullopt;
  if (constant->s64.size() > kMostNumbers || constant->f32.size() > kMostNumbers) return std::nullopt;
  Numbers numbers;
  numbers.is_list = constant->shape.rank() == 1;
  numbers.is_real = constant->dtype == DType::kF32;
  if (!numbers.is_real && constant->dtype != DType::kS64) return std::nullopt;
  for (int64_t value : constant->s64) numbers.values.push_back({value});
  for (float value : constant->f32) numbers.reals.push_back({value});
  return numbers;
}

std::optional<Numbers> ShapeNumbers::Evaluate(const Node& node) {
  if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kAbsent) return std::nullopt;
  if (node.op == "Shape") return ShapeOf(node);
  if (node.op == "Size") return CountOf(node);
  if (!Counts(node)) return std::nullopt;
  const std::optional<Numbers> in = Input(node, 0);
  if (!in.has_value()) return std::nullopt;
  if (node.op == "Identity") return in;
  if (node.op == "Cast") return CastTo(node.Int("to", 0), *in);
  if (node.op == "Squeeze" && in->count() == 1) return AsScalar(*in);
  if (node.op == "Unsqueeze") return Unsqueezed(node, *in);
  if (node.op == "Reshape") return Reshaped(node, *in);
  if (node.op == "Concat") return Joined(node);
  if (node.op == "Gather") return Gathered(node, *in);
  if (node.op == "Slice") return Sliced(node, *in);
  if (node.inputs.size() == 2 && node.op != "ReduceProd") return Elementwise(node, *in);
  return in->is_real ? AllRounded(node.op, *in) : EvaluateIntegers(node, *in);
}

std::optional<Numbers> ShapeNumbers::EvaluateIntegers(const Node& node, const Numbers& in) {
  if (node.op == "ReduceProd") return ProductOf(node, in);
  if (node.op == "ConstantOfShape") return Filled(node, in);
  if (node.op == "Range") return Counted(node, in);
  return node.op == "Where" ? Chosen(node, in) : std::nullopt;
}

std::optional<Numbers> ShapeNumbers::ShapeOf(const Node& node) {
  std::optional<Dims> shape = node.inputs.empty() ? std::nullopt : shapes_.Of(node.inputs[0]);
  if (IsComputed(node, 0)) {
    const Numbers& in = At(node.inputs[0]);
    shape = in.is_list ? Dims{Dim{static_cast<int64_t>(in.count())}} : Dims();
  }
  if (!shape.has_value()) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape->size());
  const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t begin = bound(node.Int("start", 0)), end = bound(node.Int("end", rank));
  return Numbers{Dims(shape->begin() + begin, shape->begin() + std::max(begin, end)), true};
}

std::optional<Numbers> ShapeNumbers::CountOf(const Node& node) {
  if (IsComputed(node, 0)) return Numbers{{Dim{static_cast<int64_t>(At(node.inputs[0]).count())}}, false};
  const std::optional<Dims> shape = node.inputs.empty() ? std::nullopt : shapes_.Of(node.inputs[0]);
  const std::optional<Dim> product = shape.has_value() ? Product(*shape) : std::nullopt;
  return product.has_value() ? std::optional(Numbers{{*product}, false}) : std::nullopt;
}

// A scalar as a list of one. Lists become matrices, which are not followed.
std::optional<Numbers> ShapeNumbers::Unsqueezed(const Node& node, const Numbers& in) const {
  const std::optional<Numbers> axes = HasInput(node, 1) ? Input(node, 1) : std::nullopt;
  const size_t fresh = HasInput(node, 1) ? axes.has_value() ? axes->count() : 0 : node.Ints("axes", {}).size();
  if (in.is_list || fresh != 1) return std::nullopt;
  Numbers out = in;
  out.is_list = true;
  return out;
}

// To a list of all of them, or of one to a scalar.
std::optional<Numbers> ShapeNumbers::Reshaped(const Node& node, const Numbers& in) const {
  const std::optional<Numbers> target = Input(node, 1);
  if (!target.has_value() || target->is_real || !target->is_list || target->values.size() > 1) return std::nullopt;
  if (target->values.empty()) return in.count() == 1 ? std::optional(AsScalar(in)) : std::nullopt;
  const Dim& count = target->values[0];
  if (count != Dim{-1} && count != Dim{static_cast<int64_t>(in.count())}) return std::nullopt;
  Numbers out = in;
  out.is_list = true;
  return out;
}

std::optional<Numbers> ShapeNumbers::Joined(const Node& node) const {
  Numbers all;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const std::optional<Numbers> part = Input(node, i);
    if (i == 0 && part.has_value()) all.is_real = part->is_real;
    if (!part.has_value() || !part->is_list || part->is_real != all.is_real) return std::nullopt;
    if (all.count() + part->count() > kMostNumbers) return std::nullopt;
    for (size_t k = 0; k < part->count(); ++k) all.Append(*part, k);
  }
  return all;
}

std::optional<Numbers> ShapeNumbers::Gathered(const Node& node, const Numbers& in) const {
  const std::optional<Numbers> indices = Input(node, 1);
  const int64_t axis = node.Int("axis", 0);
  if (!indices.has_value() || indices->is_real || !in.is_list || (axis != 0 && axis != -1)) return std::nullopt;
  Numbers out{{}, indices->is_list, in.is_real, {}};
  const auto length = static_cast<int64_t>(in.count());
  for (const Dim& index : indices->values) {
    const int64_t at = index.factor < 0 ? index.factor + length : index.factor;
    if (!index.is_number() || at < 0 || at >= length) return std::nullopt;
    out.Append(in, static_cast<size_t>(at));
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
  if (!start || !end || (axis != 0 && axis != -1) || step != 1 || !in.is_list) return std::nullopt;
  const auto length = static_cast<int64_t>(in.count());
  const auto bound = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? std::max(at, -length) + length : at, 0, length);
  };
  Numbers out{{}, true, in.is_real, {}};
  for (int64_t i = bound(*start); i < bound(*end); ++i) out.Append(in, static_cast<size_t>(i));
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
  if (!a || !b || a->is_real != b->is_real) return std::nullopt;
  const Numbers* all[] = {&condition, &*a, &*b};
  const std::optional<size_t> n = CommonCount(all);
  if (!n.has_value()) return std::nullopt;
  Numbers out{{}, condition.is_list || a->is_list || b->is_list, a->is_real, {}};
  for (size_t i = 0; i < *n; ++i) {
    const Dim& which = condition.values[IndexOf(condition, i)];
    if (!which.is_number()) return std::nullopt;
    const Numbers& from = which.factor != 0 ? *a : *b;
    out.Append(from, IndexOf(from, i));
  }
  return out;
}

// Add, Sub, Mul, Div, and of integers Equal, Max, Min and Mod; a scalar or a list of one goes with every element.
std::optional<Numbers> ShapeNumbers::Elementwise(const Node& node, const Numbers& a) {
  const std::optional<Numbers> b = Input(node, 1);
  if (!b.has_value() || a.is_real != b->is_real) return std::nullopt;
  const Numbers* all[] = {&a, &*b};
  const std::optional<size_t> n = CommonCount(all);
  if (!n.has_value()) return std::nullopt;
  Numbers out{{}, a.is_list || b->is_list, a.is_real, {}};
  for (size_t i = 0; i < *n; ++i) {
    const size_t x = IndexOf(a, i), y = IndexOf(*b, i);
    const std::optional<Real> real = a.is_real ? Combined(node.op, a.reals[x], b->reals[y]) : std::nullopt;
    const std::optional<Dim> whole = !a.is_real ? Combine(node.op, a.values[x], b->values[y]) : std::nullopt;
    if (!real.has_value() && !whole.has_value()) return std::nullopt;
    if (real.has_value()) out.reals.push_back(*real);
    if (whole.has_value()) out.values.push_back(*whole);
  }
  return out;
}

std::optional<Dim> ShapeNumbers::Combine(const std::string& op, const Dim& x, const Dim& y) {
  if (op == "Mul") return Times(x, y);
  if (x.is_number() && y.is_number()) return CombineNumbers(op, x.factor, y.factor);
  if (op == "Equal") {
    if (x == y) return Dim{1};
    const auto is_negative = [](const Dim& dim) { return dim.is_number() && dim.factor < 0; };
    const bool differ = (is_negative(x) && shapes_.IsLength(y)) || (is_negative(y) && shapes_.IsLength(x));
    return differ ? std::optional(Dim{0}) : std::nullopt;
  }
  if (op == "Div") return Over(x, y);
  if (op == "Add") return shapes_.Sum(x, y);
  return op == "Sub" ? std::optional(shapes_.Difference(x, y)) : std::nullopt;
}

}  // namespace lq
