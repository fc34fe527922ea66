// ArgMax, ArgMin, TopK: which elements along an axis are the largest or smallest. Of equal ones the first counts, of an
// ArgMax with select_last_index the last.
#include <fmt/format.h>

#include <utility>

#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int64_t kMostIndices = int64_t{1} << 24;  // float32 holds them all

struct ChoiceSpec {
  std::string name;
  int64_t axis;
  bool largest;
  bool indices = true;                  // the result, else the elements
  std::optional<int64_t> count{};       // of TopK; without it the axis is dropped or 1
  bool keep_dims = true, last = false;  // of ArgMax
};

class ChoiceOperator final : public ValueOperator {
 public:
  ChoiceOperator(ChoiceSpec spec, bool real)
      : ValueOperator(real ? ValueKind::kReal : ValueKind::kF32, real && !spec.indices), spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    LQ_ASSIGN_OR_RETURN(const size_t axis, AxisOf(spec_.name, spec_.axis, in[0].rank()));
    if (in[0].NumElements() < 1 || in[0][axis] > kMostIndices || spec_.count.value_or(0) > in[0][axis]) {
      return Unsupported(fmt::format("{}: {} of axis {} of shape {}; supported: 1 to {} elements", spec_.name,
                                     spec_.count.value_or(1), spec_.axis, in[0].ToString(), kMostIndices));
    }
    Shape out = in[0];
    out[axis] = spec_.count.value_or(1);
    if (spec_.keep_dims) return out;
    std::vector<int64_t> dims(out.dims().begin(), out.dims().end());
    dims.erase(dims.begin() + static_cast<ptrdiff_t>(axis));
    return Shape(dims);
  }

  // Lines along the axis.
  size_t Pieces(std::span<const ValueArray> in, const ValueResult&) const override {
    return static_cast<size_t>(in[0].shape.NumElements() / in[0].shape[FromFront(spec_.axis, in[0].shape.rank())]);
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range lines) const override {
    if (form() == ValueKind::kReal) {
      Choose(in[0].real, in[0].shape, out.real, out.f32, lines);
    } else {
      Choose(in[0].f32, in[0].shape, out.f32, out.f32, lines);
    }
  }

 private:
  template <class T>
  void Choose(const T* x, const Shape& shape, T* elements, float* indices, Range lines) const {
    const size_t axis = FromFront(spec_.axis, shape.rank());
    size_t inner = 1;
    for (size_t d = axis + 1; d < shape.rank(); ++d) inner *= static_cast<size_t>(shape[d]);
    const auto length = static_cast<size_t>(shape[axis]), count = static_cast<size_t>(spec_.count.value_or(1));
    for (size_t line = lines.begin; line < lines.end; ++line) {
      const size_t outer = line / inner, first = outer * length * inner + line % inner;
      const auto at = [&](size_t k) { return x[first + k * inner]; };
      size_t best = length;
      for (size_t k = 0; k < count; ++k) {
        best = spec_.count ? NextOf(at, length, best) : Extreme(at, length);
        const size_t to = (outer * count + k) * inner + line % inner;
        if (spec_.indices) indices[to] = static_cast<float>(best);
        if (!spec_.indices) elements[to] = at(best);
      }
    }
  }

  template <class At>
  size_t Extreme(At at, size_t length) const {
    size_t best = 0;
    for (size_t k = 1; k < length; ++k) {
      const auto a = at(k), b = at(best);
      if ((spec_.largest ? a > b : a < b) || (spec_.last && a == b)) best = k;
    }
    return best;
  }

  // The element that comes right behind element `previous` (`length`: the first of all) in descending or ascending
  // order, NaN last, equal ones as they stand: one walk over the line for each, no memory.
  template <class At>
  size_t NextOf(At at, size_t length, size_t previous) const {
    const auto before = [&](size_t i, size_t j) {
      const auto a = at(i), b = at(j);
      const bool a_nan = a != a, b_nan = b != b;
      if (a_nan || b_nan) return a_nan == b_nan ? i < j : b_nan;
      if (a == b) return i < j;
      return spec_.largest ? a > b : a < b;
    };
    size_t best = length;
    for (size_t k = 0; k < length; ++k) {
      const bool behind = previous == length || before(previous, k);
      if (behind && (best == length || before(k, best))) best = k;
    }
    return best;
  }

  ChoiceSpec spec_;
};

Result<int64_t> CountOf(const ValueNode& n) {
  if (n.node.inputs.size() < 2) return n.node.Int("k", 0);  // up to operator set 9
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> k, IntegersOf(n.graph, n.node, n.constants, 1, "k"));
  if (k.size() == 1 && k[0] >= 0) return k[0];
  return InvalidArgument(fmt::format("{}: {} numbers as k, the first {}; supported: one, not negative", n.Name(),
                                     k.size(), k.empty() ? 0 : k[0]));
}

}  // namespace

ValueOperatorResult MakeChoice(const ValueNode& n) {
  const Node& node = n.node;
  if (node.op == "ArgMax" || node.op == "ArgMin") {
    ChoiceSpec spec{.name = n.Name(), .axis = node.Int("axis", 0), .largest = node.op == "ArgMax"};
    spec.keep_dims = node.Int("keepdims", 1) != 0;
    spec.last = node.Int("select_last_index", 0) != 0;
    return std::unique_ptr<ValueOperator>(std::make_unique<ChoiceOperator>(std::move(spec), n.AnyReal()));
  }
  if (node.op != "TopK" && node.op != "TopKIndices") return std::unique_ptr<ValueOperator>();
  ChoiceSpec spec{.name = n.Name(), .axis = node.Int("axis", -1), .largest = node.Int("largest", 1) != 0};
  spec.indices = node.op == "TopKIndices";
  LQ_ASSIGN_OR_RETURN(spec.count, CountOf(n));
  return std::unique_ptr<ValueOperator>(std::make_unique<ChoiceOperator>(std::move(spec), n.AnyReal()));
}

}  // namespace lq
