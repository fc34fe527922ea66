// Where (exact_simulator.md 1, 5): the kind stays where both operands have it. The condition is a constant, or a tensor
// whose zeros are false.
#include <fmt/format.h>

#include "runtime/simulator/broadcast.h"
#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct Condition {
  Shape shape;
  std::vector<bool> values;
};

Condition ConditionOf(const SimTensor& x) {
  Condition condition{x.shape, {}};
  for (size_t i = 0; i < x.size(); ++i) condition.values.push_back(x.Real(i) != 0);
  return condition;
}

Result<SimTensor> RunWhere(const std::string& name, const Condition& condition, const SimTensor& a,
                           const SimTensor& b) {
  LQ_ASSIGN_OR_RETURN(const Shape operands, BroadcastShape(name, a.shape, b.shape));
  LQ_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(name, operands, condition.shape));
  LQ_RETURN_IF_ERROR(CheckSize(name, shape));
  const std::vector<size_t> from = BroadcastIndices(condition.shape, shape), from_a = BroadcastIndices(a.shape, shape),
                            from_b = BroadcastIndices(b.shape, shape);
  SimTensor out;
  out.shape = shape;
  out.encoding = a.encoding;
  out.of_function = a.of_function || b.of_function;
  const bool same = a.kind == Kind::kCoded && b.kind == Kind::kCoded && a.encoding == b.encoding;
  const bool real = a.kind == Kind::kReal || b.kind == Kind::kReal;
  out.kind = same ? Kind::kCoded : real ? Kind::kReal : Kind::kF32;
  for (size_t i = 0; i < from.size(); ++i) {
    const bool first = condition.values[from[i]];
    const SimTensor& x = first ? a : b;
    const size_t at = first ? from_a[i] : from_b[i];
    if (out.kind == Kind::kCoded) out.w.push_back(x.w[at]);
    if (out.kind == Kind::kF32) out.f32.push_back(x.F32(at));
    if (out.kind == Kind::kReal) out.real.push_back(x.Real(at));
  }
  return out;
}

}  // namespace

Result<RunNode> PrepareWhere(const NodeContext& context) {
  const GraphConstant* constant = context.ConstantInput(0);
  if (constant == nullptr) {
    return RunNode([name = context.Name()](Inputs in) { return RunWhere(name, ConditionOf(*in[0]), *in[1], *in[2]); });
  }
  Condition condition{constant->data->shape, {}};
  if (constant->data->dtype == DType::kF32 && constant->encoding == nullptr) {  // computed of constants
    for (float value : constant->data->f32) condition.values.push_back(value != 0);
  } else {
    LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> values, IntegerConstant(context, 0));
    for (int64_t value : values) condition.values.push_back(value != 0);
  }
  return RunNode([name = context.Name(), condition](Inputs in) { return RunWhere(name, condition, *in[1], *in[2]); });
}

}  // namespace lq::simulator
