// Comparisons and logic: truths are 1 and 0, of kind f32. Coded and f32 operands are compared as float32, as every tool
// does; in binary64 as soon as one of them is real.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runtime/simulator/broadcast.h"
#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

// Widened to binary64, float32 numbers compare as they are.
double NumberAt(const SimTensor& x, size_t i, bool real) { return real ? x.Real(i) : double{x.F32(i)}; }

using Relation = bool (*)(double a, double b);

Result<SimTensor> RunRelation(const std::string& name, Relation relation, const SimTensor& a, const SimTensor& b) {
  LQ_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(name, a.shape, b.shape));
  LQ_RETURN_IF_ERROR(CheckSize(name, shape));
  const std::vector<size_t> from_a = BroadcastIndices(a.shape, shape), from_b = BroadcastIndices(b.shape, shape);
  const bool real = a.kind == Kind::kReal || b.kind == Kind::kReal;
  std::vector<float> truths;
  for (size_t i = 0; i < from_a.size(); ++i) {
    truths.push_back(relation(NumberAt(a, from_a[i], real), NumberAt(b, from_b[i], real)) ? 1.0f : 0.0f);
  }
  return MakeF32(shape, std::move(truths));
}

constexpr std::pair<const char*, Relation> kRelations[] = {
    {"And", [](double a, double b) { return a != 0 && b != 0; }},
    {"Equal", [](double a, double b) { return a == b; }},
    {"Greater", [](double a, double b) { return a > b; }},
    {"GreaterOrEqual", [](double a, double b) { return a >= b; }},
    {"Less", [](double a, double b) { return a < b; }},
    {"LessOrEqual", [](double a, double b) { return a <= b; }},
    {"Or", [](double a, double b) { return a != 0 || b != 0; }},
    {"Xor", [](double a, double b) { return (a != 0) != (b != 0); }}};

}  // namespace

Result<RunNode> PrepareRelation(const NodeContext& context) {
  for (const auto& [op, relation] : kRelations) {
    if (context.node.op != op) continue;
    return RunNode(
        [name = context.Name(), compare = relation](Inputs in) { return RunRelation(name, compare, *in[0], *in[1]); });
  }
  return Unsupported(fmt::format("{}: no comparison of that name", context.Name()));
}

Result<RunNode> PreparePredicate(const NodeContext& context) {
  const bool nan = context.node.op == "IsNaN";
  return RunNode([nan](Inputs in) -> Result<SimTensor> {
    const SimTensor& x = *in[0];
    std::vector<float> truths;
    for (size_t i = 0; i < x.size(); ++i) {
      const double value = NumberAt(x, i, x.kind == Kind::kReal);
      truths.push_back((nan ? std::isnan(value) : value == 0) ? 1.0f : 0.0f);
    }
    return MakeF32(x.shape, std::move(truths));
  });
}

}  // namespace lq::simulator
