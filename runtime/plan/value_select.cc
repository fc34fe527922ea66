// Where: elements of one operand or of the other, as a constant says.
#include <fmt/format.h>

#include <utility>

#include "runtime/plan/broadcast.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class SelectionOperator final : public ElementOperator {
 public:
  SelectionOperator(std::string name, const Constant& condition, bool real)
      : ElementOperator(real ? ValueKind::kReal : ValueKind::kF32, real),
        name_(std::move(name)),
        shape_(condition.shape),
        condition_(condition.s64.begin(), condition.s64.end()) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    std::optional<Shape> shape = BroadcastShape(in[0], in[1]);
    if (shape) shape = BroadcastShape(*shape, shape_);
    if (shape) return *shape;
    return InvalidArgument(fmt::format("{}: shapes {}, {} and {} do not broadcast", name_, shape_.ToString(),
                                       in[0].ToString(), in[1].ToString()));
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    const std::span<const int64_t> dims = out.shape.dims();
    const Strides step = BroadcastStrides(shape_, out.shape), step_a = BroadcastStrides(in[0].shape, out.shape),
                  step_b = BroadcastStrides(in[1].shape, out.shape);
    for (size_t i = elements.begin; i < elements.end; ++i) {
      const auto index = static_cast<int64_t>(i);
      const bool first = condition_[static_cast<size_t>(OffsetOf(index, dims, step))];
      const ValueArray& from = in[first ? 0 : 1];
      const ptrdiff_t at = OffsetOf(index, dims, first ? step_a : step_b);
      if (is_real()) out.real[i] = from.real[at];
      if (!is_real()) out.f32[i] = from.f32[at];
    }
  }

 private:
  std::string name_;
  Shape shape_;
  std::vector<bool> condition_;
};

}  // namespace

ValueOperatorResult MakeSelection(const ValueNode& n) {
  if (n.node.op != "Where") return std::unique_ptr<ValueOperator>();
  const Constant* condition = n.constants.Find(n.node.inputs[0]);
  if (condition != nullptr && condition->dtype == DType::kS64) {
    return std::unique_ptr<ValueOperator>(std::make_unique<SelectionOperator>(n.Name(), *condition, n.AnyReal()));
  }
  return Unsupported(fmt::format("{}: its condition '{}' is computed; supported: a constant", n.Name(),
                                 n.graph.value(n.node.inputs[0]).name));
}

}  // namespace lq
