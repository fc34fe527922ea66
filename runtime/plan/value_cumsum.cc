// CumSum: for each element the sum of those up to it along an axis.
#include <fmt/format.h>

#include <utility>

#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class CumSumOperator final : public ValueOperator {
 public:
  struct Spec {
    std::string name;
    int64_t axis;
    bool exclusive, reverse;
  };
  CumSumOperator(Spec spec, ValueKind form) : ValueOperator(form, true), spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    LQ_RETURN_IF_ERROR(AxisOf(spec_.name, spec_.axis, in[0].rank()).status());
    if (in[0].NumElements() > 0) return in[0];
    return Unsupported(fmt::format("{}: an input of shape {} is empty", spec_.name, in[0].ToString()));
  }

  // Lines along the axis.
  size_t Pieces(std::span<const ValueArray> in, const ValueResult&) const override {
    return static_cast<size_t>(in[0].shape.NumElements() / in[0].shape[FromFront(spec_.axis, in[0].shape.rank())]);
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range lines) const override {
    if (form() == ValueKind::kCoded) {
      AddUp<int64_t>(in[0].centred, in[0].shape, in[0].scale, out.real, lines);
    } else {
      AddUp<double>(in[0].real, in[0].shape, 1, out.real, lines);  // times 1 changes nothing
    }
  }

 private:
  // Sum: int64_t, exact, or double in the order of the elements.
  template <class Sum, class T>
  void AddUp(const T* x, const Shape& shape, double scale, double* y, Range lines) const {
    const size_t axis = FromFront(spec_.axis, shape.rank());
    size_t inner = 1;
    for (size_t d = axis + 1; d < shape.rank(); ++d) inner *= static_cast<size_t>(shape[d]);
    const auto length = static_cast<size_t>(shape[axis]);
    for (size_t line = lines.begin; line < lines.end; ++line) {
      const size_t first = line / inner * length * inner + line % inner;
      Sum sum = 0;
      for (size_t k = 0; k < length; ++k) {
        const size_t at = first + (spec_.reverse ? length - 1 - k : k) * inner;
        if (spec_.exclusive) y[at] = static_cast<double>(sum) * scale;
        sum += x[at];
        if (!spec_.exclusive) y[at] = static_cast<double>(sum) * scale;
      }
    }
  }

  Spec spec_;
};

}  // namespace

ValueOperatorResult MakeCumSum(const ValueNode& n) {
  if (n.node.op != "CumSum") return std::unique_ptr<ValueOperator>();
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, IntegersOf(n.graph, n.node, n.constants, 1, ""));
  if (axes.size() != 1) return InvalidArgument(fmt::format("{}: {} axes, not 1", n.Name(), axes.size()));
  CumSumOperator::Spec spec{n.Name(), axes[0], n.node.Int("exclusive", 0) != 0, n.node.Int("reverse", 0) != 0};
  const ValueKind form = n.AllCoded() ? ValueKind::kCoded : ValueKind::kReal;
  return std::unique_ptr<ValueOperator>(std::make_unique<CumSumOperator>(std::move(spec), form));
}

}  // namespace lq
