// Trilu: one side of a diagonal of each matrix, zeros on the other.
#include <fmt/format.h>

#include <utility>

#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class TriangleOperator final : public ElementOperator {
 public:
  TriangleOperator(std::string name, bool upper, int64_t diagonal, bool real)
      : ElementOperator(real ? ValueKind::kReal : ValueKind::kF32, real),
        name_(std::move(name)),
        upper_(upper),
        diagonal_(diagonal) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    if (in[0].rank() >= 2 && in[0].NumElements() >= 1) return in[0];
    return Unsupported(fmt::format("{}: an input of shape {} holds no matrices", name_, in[0].ToString()));
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    const size_t rank = out.shape.rank();
    const int64_t rows = out.shape[rank - 2], columns = out.shape[rank - 1];
    for (size_t i = elements.begin; i < elements.end; ++i) {
      const auto at = static_cast<int64_t>(i);
      const int64_t above = at % columns - at / columns % rows;
      const bool keeps = upper_ ? above >= diagonal_ : above <= diagonal_;
      if (is_real()) out.real[i] = keeps ? in[0].real[i] : 0;
      if (!is_real()) out.f32[i] = keeps ? in[0].f32[i] : 0;
    }
  }

 private:
  std::string name_;
  bool upper_;
  int64_t diagonal_;
};

}  // namespace

ValueOperatorResult MakeTriangle(const ValueNode& n) {
  if (n.node.op != "Trilu") return std::unique_ptr<ValueOperator>();
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> diagonal, IntegersOf(n.graph, n.node, n.constants, 1, ""));
  if (diagonal.size() > 1) {
    return InvalidArgument(fmt::format("{}: {} diagonals; it has 1", n.Name(), diagonal.size()));
  }
  return std::unique_ptr<ValueOperator>(std::make_unique<TriangleOperator>(
      n.Name(), n.node.Int("upper", 1) != 0, diagonal.empty() ? 0 : diagonal[0], n.AnyReal()));
}

}  // namespace lq
