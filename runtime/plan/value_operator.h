// ValueOperator: an operator that runs on values, not codes: between dequantize and quantize, or between tensors that
// no encoding covers. Arrays are in ONNX's order; every sum runs in the order of its elements, one after the other, so
// that the bits are the same on every target and for any number of threads.
#ifndef LANEQUANT_RUNTIME_PLAN_VALUE_OPERATOR_H_
#define LANEQUANT_RUNTIME_PLAN_VALUE_OPERATOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/axis.h"
#include "runtime/graph.h"
#include "runtime/partition.h"
#include "runtime/plan/constants.h"

namespace lq {

// exact_simulator.md 1: which numbers stand for a tensor.
enum class ValueKind { kCoded, kF32, kReal };

// One operand; the pointer that goes with its kind is set.
struct ValueArray {
  Shape shape;
  const int32_t* centred = nullptr;  // q + offset
  double scale = 0;                  // of these
  const float* f32 = nullptr;
  const double* real = nullptr;
};

// f32 or real is set.
struct ValueResult {
  Shape shape;
  float* f32 = nullptr;
  double* real = nullptr;
  double* scratch = nullptr;  // ScratchBytes of them
};

class ValueOperator {
 public:
  // `form`: what all operands are brought to; `is_real`: the result is binary64, else float32.
  ValueOperator(ValueKind form, bool is_real) : form_(form), is_real_(is_real) {}
  virtual ~ValueOperator() = default;

  ValueKind form() const { return form_; }
  bool is_real() const { return is_real_; }

  // ONNX shapes. Errors name the node and the shapes.
  virtual Result<Shape> OutputShape(std::span<const Shape> in) const = 0;
  // How many pieces the work falls into: elements, rows, results. Ranges of them may run at the same time.
  virtual size_t Pieces(std::span<const ValueArray> in, const ValueResult& out) const = 0;
  // For all pieces of a run.
  virtual size_t ScratchBytes(std::span<const Shape>) const { return 0; }
  virtual void Run(std::span<const ValueArray> in, const ValueResult& out, Range pieces) const = 0;
  // In how many times the time of an elementwise operator an element of the operands or of the result is done.
  virtual size_t Effort(std::span<const Shape>) const { return 1; }

 private:
  ValueKind form_;
  bool is_real_;
};

// Whose pieces are the elements of the result.
class ElementOperator : public ValueOperator {
 public:
  using ValueOperator::ValueOperator;
  size_t Pieces(std::span<const ValueArray>, const ValueResult& out) const override {
    return static_cast<size_t>(out.shape.NumElements());
  }
};

// A node, with what its inputs are: inputs that are constant count as kF32 here, where the operator takes tensors.
struct ValueNode {
  const Graph& graph;
  const Node& node;
  const Constants& constants;
  const PrepareOptions& options;
  std::span<const ValueKind> kinds;

  bool AllCoded() const;
  bool AnyReal() const;
  std::string Name() const { return graph.Describe(node); }
};
using ValueOperatorResult = Result<std::unique_ptr<ValueOperator>>;

// Null where the operator is none of these.
ValueOperatorResult MakeElementwise(const ValueNode& node);  // functions of one tensor; arithmetic with broadcasting
ValueOperatorResult MakeSoftmax(const ValueNode& node);
ValueOperatorResult MakeNormalization(const ValueNode& node);
ValueOperatorResult MakeReduction(const ValueNode& node);
ValueOperatorResult MakeBatchNorm(const ValueNode& node);
ValueOperatorResult MakePooling(const ValueNode& node);    // averages, maxima and norms of windows
ValueOperatorResult MakeResizing(const ValueNode& node);   // linear, cubic
ValueOperatorResult MakeSelection(const ValueNode& node);  // Where; a constant condition is no operand
ValueOperatorResult MakeLogic(const ValueNode& node);      // comparisons, logic, Casts to integers and truths
ValueOperatorResult MakeChoice(const ValueNode& node);     // ArgMax, ArgMin, TopK, TopKIndices
ValueOperatorResult MakeCumSum(const ValueNode& node);
ValueOperatorResult MakePositions(const ValueNode& node);   // of FoldShapes
ValueOperatorResult MakeTriangle(const ValueNode& node);    // Trilu
ValueOperatorResult MakeDynamic(const ValueNode& node);     // of TranslateDynamicQuantizers
ValueOperatorResult MakeFormat(const ValueNode& node);      // block formats, float16 and bfloat16
ValueOperatorResult MakeRecurrence(const ValueNode& node);  // LSTM, GRU
// What those read in a run: the sequence and the states at its begin.
std::vector<ValueId> RecurrentOperands(const Node& node);
ValueOperatorResult MakeProduct(const ValueNode& node);  // MatMul of activations

// The value itself: on its way to another encoding, or to none.
std::unique_ptr<ValueOperator> MakePassing(ValueKind kind);

// The integers of input `input` of the node, or, where it has none, of the attribute. Error: computed, or no integers.
Result<std::vector<int64_t>> IntegersOf(const Graph& graph, const Node& node, const Constants& constants, size_t input,
                                        const char* attribute);
// Counted from the front. Error: the axis does not exist.
Result<size_t> AxisOf(const std::string& name, int64_t axis, size_t rank);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_VALUE_OPERATOR_H_
