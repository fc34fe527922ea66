// Positions: the numbers of the elements of an axis, behind those of another tensor's axis: what positions and causal
// masks of dynamic sequences are made of.
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class PositionsOperator final : public ElementOperator {
 public:
  struct Spec {
    std::string name;
    int64_t axis, start_axis;
  };
  PositionsOperator(Spec spec, ValueKind form) : ElementOperator(form, false), spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    LQ_ASSIGN_OR_RETURN(const size_t axis, AxisOf(spec_.name, spec_.axis, in[0].rank()));
    if (in.size() > 1) LQ_RETURN_IF_ERROR(AxisOf(spec_.name, spec_.start_axis, in[1].rank()).status());
    return Shape{in[0][axis]};
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    const size_t first = in.size() > 1 ? static_cast<size_t>(in[1].shape[static_cast<size_t>(spec_.start_axis)]) : 0;
    for (size_t i = elements.begin; i < elements.end; ++i) out.f32[i] = static_cast<float>(first + i);
  }

 private:
  Spec spec_;
};

}  // namespace

ValueOperatorResult MakePositions(const ValueNode& n) {
  if (n.node.op != "Positions") return std::unique_ptr<ValueOperator>();
  const ValueKind form = n.AllCoded() ? ValueKind::kCoded : n.AnyReal() ? ValueKind::kReal : ValueKind::kF32;
  PositionsOperator::Spec spec{n.Name(), n.node.Int("axis", 0), n.node.Int("start_axis", 0)};
  return std::unique_ptr<ValueOperator>(std::make_unique<PositionsOperator>(std::move(spec), form));
}

}  // namespace lq
