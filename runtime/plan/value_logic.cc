// Comparisons, logic and Casts to integers and truths: operands in float32, or in binary64 as soon as one is real; the
// result is float32, truths are 1 and 0.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runtime/plan/combine.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

enum class Relation { kAnd, kEqual, kGreater, kGreaterOrEqual, kLess, kLessOrEqual, kOr, kXor };
constexpr std::pair<const char*, Relation> kRelations[] = {
    {"And", Relation::kAnd},         {"Equal", Relation::kEqual},
    {"Greater", Relation::kGreater}, {"GreaterOrEqual", Relation::kGreaterOrEqual},
    {"Less", Relation::kLess},       {"LessOrEqual", Relation::kLessOrEqual},
    {"Or", Relation::kOr},           {"Xor", Relation::kXor}};

template <class T>
bool Holds(Relation relation, T a, T b) {
  switch (relation) {
    case Relation::kAnd:
      return a != 0 && b != 0;
    case Relation::kEqual:
      return a == b;
    case Relation::kGreater:
      return a > b;
    case Relation::kGreaterOrEqual:
      return a >= b;
    case Relation::kLess:
      return a < b;
    case Relation::kLessOrEqual:
      return a <= b;
    case Relation::kOr:
      return a != 0 || b != 0;
    case Relation::kXor:
      break;
  }
  return (a != 0) != (b != 0);
}

class RelationOperator final : public ElementOperator {
 public:
  RelationOperator(std::string name, Relation relation, ValueKind form)
      : ElementOperator(form, false), name_(std::move(name)), relation_(relation) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return BroadcastOperands(name_, in[0], in[1]); }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    if (form() == ValueKind::kReal) {
      Compare<double>({in[0].real, in[0].shape}, {in[1].real, in[1].shape}, out, elements);
    } else {
      Compare<float>({in[0].f32, in[0].shape}, {in[1].f32, in[1].shape}, out, elements);
    }
  }

 private:
  template <class T>
  void Compare(BroadcastOperand<T> a, BroadcastOperand<T> b, const ValueResult& out, Range elements) const {
    CombineBroadcast(a, b, out.shape, elements, out.f32,
                     [this](T x, T y) { return Holds(relation_, x, y) ? 1.0f : 0.0f; });
  }

  std::string name_;
  Relation relation_;
};

enum class Reading { kNot, kIsNan, kTruth, kInteger };

template <class T>
float Read(Reading reading, T x) {
  switch (reading) {
    case Reading::kNot:
      return x == 0 ? 1.0f : 0.0f;
    case Reading::kIsNan:
      return x != x ? 1.0f : 0.0f;
    case Reading::kTruth:
      return x != 0 ? 1.0f : 0.0f;
    case Reading::kInteger:
      break;
  }
  return static_cast<float>(std::trunc(x));
}

class ReadingOperator final : public ElementOperator {
 public:
  ReadingOperator(Reading reading, ValueKind form) : ElementOperator(form, false), reading_(reading) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    for (size_t i = elements.begin; i < elements.end; ++i) {
      out.f32[i] = form() == ValueKind::kReal ? Read(reading_, in[0].real[i]) : Read(reading_, in[0].f32[i]);
    }
  }

 private:
  Reading reading_;
};

ValueOperatorResult MakeCast(const ValueNode& n, ValueKind form) {
  const int64_t to = n.node.Int("to", kOnnxFloat);
  if (to == kOnnxBool) return std::unique_ptr<ValueOperator>(std::make_unique<ReadingOperator>(Reading::kTruth, form));
  if (to == kOnnxInt32 || to == kOnnxInt64) {
    return std::unique_ptr<ValueOperator>(std::make_unique<ReadingOperator>(Reading::kInteger, form));
  }
  return Unsupported(fmt::format("{}: to ONNX data type {}; supported: {}, {}, {}, {}", n.Name(), to, kOnnxFloat,
                                 kOnnxInt32, kOnnxInt64, kOnnxBool));
}

}  // namespace

ValueOperatorResult MakeLogic(const ValueNode& n) {
  const std::string& op = n.node.op;
  const ValueKind form = n.AnyReal() ? ValueKind::kReal : ValueKind::kF32;
  if (op == "Cast") return MakeCast(n, form);
  if (op == "Not") return std::unique_ptr<ValueOperator>(std::make_unique<ReadingOperator>(Reading::kNot, form));
  if (op == "IsNaN") return std::unique_ptr<ValueOperator>(std::make_unique<ReadingOperator>(Reading::kIsNan, form));
  for (const auto& [name, relation] : kRelations) {
    if (op == name) {
      return std::unique_ptr<ValueOperator>(std::make_unique<RelationOperator>(n.Name(), relation, form));
    }
  }
  return std::unique_ptr<ValueOperator>();
}

}  // namespace lq
