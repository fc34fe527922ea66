// Where: elements of one operand or of the other, as a constant says, or a first operand whose zeros are false.
#include <fmt/format.h>

#include <utility>

#include "runtime/plan/broadcast.h"
#include "runtime/plan/value_operator.h"

namespace lq {
namespace {

class SelectionOperator final : public ElementOperator {
 public:
  // `condition`: null where it is computed.
  SelectionOperator(std::string name, const Constant* condition, bool real)
      : ElementOperator(real ? ValueKind::kReal : ValueKind::kF32, real), name_(std::move(name)) {
    if (condition == nullptr) return;
    shape_ = condition->shape;
    condition_.assign(condition->s64.begin(), condition->s64.end());
    for (float value : condition->f32) condition_.push_back(value != 0);
  }

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape &condition = shape_ ? *shape_ : in[0], &a = in[in.size() - 2], &b = in[in.size() - 1];
    std::optional<Shape> shape = BroadcastShape(a, b);
    if (shape) shape = BroadcastShape(*shape, condition);
    if (shape) return *shape;
    return InvalidArgument(fmt::format("{}: shapes {}, {} and {} do not broadcast", name_, condition.ToString(),
                                       a.ToString(), b.ToString()));
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    if (shape_)
      return Choose(
          *shape_, [this](size_t i) { return bool{condition_[i]}; }, in, out, elements);
    const ValueArray& condition = in[0];
    if (is_real()) {
      Choose(
          condition.shape, [&](size_t i) { return condition.real[i] != 0; }, in.subspan(1), out, elements);
    } else {
      Choose(
          condition.shape, [&](size_t i) { return condition.f32[i] != 0; }, in.subspan(1), out, elements);
    }
  }

 private:
  template <class Condition>
  void Choose(const Shape& shape, Condition condition, std::span<const ValueArray> in, const ValueResult& out,
              Range elements) const {
    const std::span<const int64_t> dims = out.shape.dims();
    const Strides step = BroadcastStrides(shape, out.shape), step_a = BroadcastStrides(in[0].shape, out.shape),
                  step_b = BroadcastStrides(in[1].shape, out.shape);
    for (size_t i = elements.begin; i < elements.end; ++i) {
      const auto index = static_cast<int64_t>(i);
      const bool first = condition(static_cast<size_t>(OffsetOf(index, dims, step)));
      const ValueArray& from = in[first ? 0 : 1];
      const ptrdiff_t at = OffsetOf(index, dims, first ? step_a : step_b);
      if (is_real()) out.real[i] = from.real[at];
      if (!is_real()) out.f32[i] = from.f32[at];
    }
  }

  std::string name_;
  std::optional<Shape> shape_;  // of a constant condition
  std::vector<bool> condition_;
};

}  // namespace

ValueOperatorResult MakeSelection(const ValueNode& n) {
  if (n.node.op != "Where") return std::unique_ptr<ValueOperator>();
  const Constant* condition = n.constants.Find(n.node.inputs[0]);
  // Only what it chooses from decides the kind of the result.
  const bool real = n.kinds[n.kinds.size() - 2] == ValueKind::kReal || n.kinds.back() == ValueKind::kReal;
  return std::unique_ptr<ValueOperator>(std::make_unique<SelectionOperator>(n.Name(), condition, real));
}

}  // namespace lq
