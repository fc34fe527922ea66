#include "runtime/plan/value_operator.h"

#include <fmt/format.h>

#include <algorithm>

namespace lq {
namespace {

class Passing final : public ElementOperator {
 public:
  using ElementOperator::ElementOperator;
  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    const auto [begin, end] = elements;
    if (is_real()) {
      std::copy(in[0].real + begin, in[0].real + end, out.real + begin);
    } else {
      std::copy(in[0].f32 + begin, in[0].f32 + end, out.f32 + begin);
    }
  }
};

}  // namespace

bool ValueNode::AllCoded() const {
  return std::all_of(kinds.begin(), kinds.end(), [](ValueKind kind) { return kind == ValueKind::kCoded; });
}

bool ValueNode::AnyReal() const { return std::find(kinds.begin(), kinds.end(), ValueKind::kReal) != kinds.end(); }

std::unique_ptr<ValueOperator> MakePassing(ValueKind kind) {
  const bool real = kind == ValueKind::kReal;
  return std::make_unique<Passing>(real ? ValueKind::kReal : ValueKind::kF32, real);
}

Result<std::vector<int64_t>> IntegersOf(const Graph& graph, const Node& node, const Constants& constants, size_t input,
                                        const char* attribute) {
  if (input >= node.inputs.size() || node.inputs[input] == kAbsent) return node.Ints(attribute, {});
  const Constant* constant = constants.Find(node.inputs[input]);
  if (constant != nullptr && constant->dtype == DType::kS64) return constant->s64.ToVector();
  return Unsupported(
      fmt::format("{}: '{}' is no constant of integers", graph.Describe(node), graph.value(node.inputs[input]).name));
}

Result<size_t> AxisOf(const std::string& name, int64_t axis, size_t rank) {
  if (const std::optional<size_t> at = FindAxis(axis, rank)) return *at;
  return InvalidArgument(fmt::format("{}: axis {}, but there are {} dimensions", name, axis, rank));
}

}  // namespace lq
