// A step that decodes its operands, runs an operator on the values, and encodes the result.
#ifndef LANEQUANT_RUNTIME_PLAN_VALUE_STEP_H_
#define LANEQUANT_RUNTIME_PLAN_VALUE_STEP_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/plan/step.h"
#include "runtime/plan/value_operator.h"

namespace lq {

// An operand: an activation (f32 and real are empty), or a constant in both forms with its ONNX shape.
struct ValueOperandSpec {
  std::optional<PerTensor> encoding;  // of an activation; absent: f32 or f64
  std::vector<float> f32;
  std::vector<double> real;
  Shape shape;
  bool is_constant = false;
};

struct ValueStepSpec {
  std::unique_ptr<ValueOperator> op;
  std::vector<ValueOperandSpec> operands;  // activations come in order from StepRun::in
  std::optional<PerTensor> encoding;       // of the result; absent: f32 or f64
  std::string why;                         // why it does not run on codes, for `inspect`
};
std::unique_ptr<Step> MakeValueStep(ValueStepSpec spec, const PrepareOptions& options);

// out = table[code]: values of a function of codes that no encoding covers. One of the tables is filled, 256 or 65536.
struct ValueTable {
  std::vector<float> f32;
  std::vector<double> real;
};
std::unique_ptr<Step> MakeValueLookupStep(ValueTable table);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_VALUE_STEP_H_
