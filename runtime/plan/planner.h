// Planner: from a graph to the steps of a session. Decides what is fused and in which form each tensor lives.
#ifndef LANEQUANT_RUNTIME_PLAN_PLANNER_H_
#define LANEQUANT_RUNTIME_PLAN_PLANNER_H_

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lanequant/model.h"
#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/plan/chain.h"
#include "runtime/plan/constants.h"
#include "runtime/plan/step.h"
#include "runtime/plan/steps.h"
#include "runtime/plan/value_step.h"
#include "runtime/plan/window_attributes.h"

namespace lq {

struct Plan {
  std::vector<PlanTensor> tensors;
  std::vector<PlannedStep> steps;  // in execution order
  std::vector<Shape> shapes;       // of the tensors, plan order, for the batch in the file (dynamic: 1)
  Layout layout;
};

class Planner {
 public:
  // Weights are packed and kernels chosen here. Errors name the node and the tensor.
  static Result<Plan> Build(const Graph& graph, const SessionOptions& options);

 private:
  Planner(const Graph& graph, const SessionOptions& options);

  Status PlanInputs();
  Status PlanOutputs();
  Status PlanNode(size_t index);
  Status PlanConv(const Node& node);
  Status PlanConv3d(const Node& node);
  Status PlanMatrix(const Node& node);   // Gemm, MatMul
  Status PlanProduct(const Node& node);  // MatMul of activations
  Result<Chain> ProductChain(const Node& node) const;
  bool IsWide(ValueId weight) const;
  Status PlanAdd(const Node& node);
  Status PlanAverage(const Node& node);
  Status PlanUnary(const Node& node);
  // Whether a BatchNormalization of codes is a table for each of the plan's last dimension: of codes of one byte.
  Result<bool> HasChannelTables(const Node& node, const Chain& chain) const;
  Status PlanMovement(const Node& node);
  // A Transpose of the last two dimensions of codes that only one MatMul reads, as its second operand: the product
  // reads the codes as they are.
  bool IsReadTurned(const Node& node) const;
  Status EmitMovement(const Node& node);
  Status PlanConcat(const Node& node);
  Status PlanGather(const Node& node);
  // By indices that are computed, of what is computed too: Gather, GatherElements.
  Status PlanSelection(const Node& node);
  // Registers what was moved as the node's result, under its encoding.
  Status EmitMoved(const Node& node, size_t tensor);  // of a constant, by indices that are computed
  Status PlanEmbedding(const Node& node, const EmbeddingSpec& spec, size_t indices);
  Status PlanConvTranspose(const Node& node);
  Status PlanElementwise(const Node& node);  // tables where they can be, else values
  Status PlanValues(const Node& node);       // operators that run on values

  bool IsCoded(ValueId value) const;
  // The tensor that holds a value, whatever its kind; a pending function is written out for it.
  Result<size_t> TensorOf(const Node& node, ValueId value);
  // What stands for a value at this point; constants are f32, or real where the file has 32-bit codes.
  Result<ValueKind> KindOf(const Node& node, ValueId value) const;
  Result<std::vector<ValueKind>> KindsOf(const Node& node, std::span<const ValueId> operands) const;
  // The encoding that an operator which only chooses among its operands' elements keeps; nothing where they differ.
  std::optional<PerTensor> ChosenEncoding(const Node& node, std::span<const ValueId> operands) const;
  static PlanTensor NewTensor(const std::optional<PerTensor>& encoding, bool is_real);
  const PerTensor& EncodingOf(size_t tensor) const { return *plan_.tensors[tensor].encoding; }

  // Takes the chain behind a node out of the graph.
  Result<Chain> TakeChain(const Node& node, ChainRules rules);
  // The same for a weighted layer: a bias and a batch normalization may join, and a clip behind the encoded tensor.
  Result<Chain> TakeWeightedChain(const Node& node, int64_t channels);
  // The encoding of a chain's result; nothing for a graph output without one. Error: not per tensor.
  Result<std::optional<PerTensor>> ResultEncoding(const Chain& chain) const;
  // Relu or Clip behind an encoded tensor is a clamp of its codes: takes it into the chain where that is proven.
  Status FuseClampBehind(Chain& chain);

  // The weight of a layer, a float constant. Its encoding, if it has one, is on grids of channels along the channel
  // axis, 0 or 1, and of blocks along the other one; of any other the floats nearest to its grid are taken.
  struct Weight {
    const Constant* constant;
    std::optional<Encoding> encoding;
    std::vector<float> floats;  // in the place of the constant's: of its codes, or rounded
    size_t dim(size_t i) const { return static_cast<size_t>(constant->shape[i]); }
    std::span<const float> values() const { return floats.empty() ? constant->f32 : floats; }
  };
  Result<Weight> FindWeight(const Node& node, size_t rank, size_t channel_axis) const;
  void RoundToFloats(Weight& weight) const;
  // What a layer multiplies with its weight: codes, or f32 and why.
  struct LayerInput {
    size_t tensor;
    std::optional<PerTensor> codes;  // on their unsigned grid
    std::string why;
  };
  Result<LayerInput> FindLayerInput(const Node& node, Weight& weight);
  // What a weighted layer's output stage points to.
  struct StageArrays {
    std::vector<float> bias, gamma, beta, mean, variance;
    std::vector<double> coded_bias;
  };
  Result<OutputStage> MakeStage(const Node& node, const Chain& chain, size_t channels, StageArrays& arrays) const;
  // What the node's own attributes say; channels and weight are the caller's.
  Conv2dSpec MakeConvSpec(const Node& node, const WindowAttributes& window, const LayerInput& input,
                          const OutputStage& stage) const;
  Status SetBias(const Node& node, ValueId bias, size_t channels, OutputStage& stage, StageArrays& arrays) const;
  Status SetBatchNorm(const Node& node, size_t channels, OutputStage& stage, StageArrays& arrays) const;

  // The codes of a coded tensor after a function of it: one table of 256 (u8 codes) or 65536, or, of u8 codes, one for
  // each channel.
  std::vector<uint16_t> Table(const PerTensor& in, const Chain& clip, const PerTensor& out) const;
  std::unique_ptr<Step> MakeTableStep(const PerTensor& in, const Chain& clip, const PerTensor& out) const;
  Result<std::vector<uint8_t>> ChannelTables(const PerTensor& in, const Node& batch_norm, const Chain& clip,
                                             const PerTensor& out) const;

  // An element-wise function of the codes of one tensor, as a table of 256 or 65536 values. Until an encoding or
  // another operator needs it, it is not written out: a whole chain of such nodes is one lookup.
  struct Function {
    size_t source;
    ValueTable table;
    bool is_real() const { return !table.real.empty(); }
  };
  // The tensor of codes of which all operands are functions; nothing if there is none, or more than one. Where a tensor
  // was looked up itself, so may be what it was looked up from: x * erf(x / sqrt(2)) is a function of x though the
  // quotient has an encoding.
  std::optional<size_t> CommonSource(std::span<const ValueId> operands) const;
  // The tensor of whose codes this operand is a function; nothing for values.
  std::optional<size_t> SourceOf(ValueId operand) const;
  size_t RootOf(size_t tensor) const;
  // A table over the codes of `from`, as one over the codes of its root.
  ValueOperandSpec OverRoot(const ValueOperandSpec& table, size_t from) const;
  Result<Function> Evaluate(const ValueOperator& op, std::span<const ValueId> operands, size_t source) const;
  // Every code of the tensor's grid in its turn, as values.
  ValueOperandSpec AllCodes(size_t tensor) const;
  // As reals, and as floats unless the operator reads reals (those may have a scale for each channel).
  Result<ValueOperandSpec> ConstantOperand(ValueId value, ValueKind form) const;
  Status EmitFunction(const Node& node, Function function);
  // Decodes the operands, runs the operator, encodes the result.
  Status EmitValues(std::unique_ptr<ValueOperator> op, const Node& node, std::span<const ValueId> operands);
  std::vector<ValueId> ValueOperands(const Node& node) const;
  std::string WhyValues(const Node& node, std::span<const ValueId> operands) const;
  // The tensor as values of this kind.
  Result<size_t> AsValues(const Node& node, size_t tensor, ValueKind kind);
  // Parts of a Concat as codes of one encoding, or as values of one kind: that of its result.
  Status ToOneKind(const Node& node, const std::optional<PerTensor>& out, std::vector<size_t>& parts);
  // A constant as a tensor of the plan: codes where it has an encoding per tensor, else floats or reals.
  Result<std::vector<std::byte>> ElementsOf(const Node& node, ValueId constant, PlanTensor& tensor) const;
  // The tensor under another encoding: a table, or the quantizer of values.
  Result<size_t> Requantized(const Node& node, size_t tensor, const PerTensor& encoding);
  // The encoding of a value, if it has one. Error: not per tensor.
  Result<std::optional<PerTensor>> EncodingOfValue(ValueId value) const;

  // Appends a step; returns its output tensor.
  Result<size_t> Emit(std::unique_ptr<Step> step, const std::string& op, const Node& node, std::vector<size_t> inputs,
                      PlanTensor output);
  // A weighted layer's step, its movements and its result.
  Status EmitLayer(std::unique_ptr<Step> step, const Node& node, const Chain& chain, const LayerInput& input);
  // Appends a chain's movements behind the tensor that a step wrote, and registers the chain's result.
  Status EmitMovements(const Chain& chain, size_t tensor);
  Result<std::unique_ptr<Step>> MakeMovement(const Node& node, size_t tensor) const;
  // A MaxPool on values, which become the same codes again.
  Result<std::unique_ptr<Step>> MakeMaximum(const Node& node, size_t tensor) const;
  // What a Gather took by indices of several dimensions, as one list, in the shape that ONNX gives it.
  Result<size_t> WithIndexShape(const Node& node, size_t in, size_t gathered);
  // Whether the kernels of pools run this one: over images of codes, averages without dilation.
  bool PoolsCodes(const Node& node, size_t tensor) const;
  Result<PoolSpec> MakePoolSpec(const Node& node, size_t tensor) const;
  ChainContext context() const { return {graph_, consumers_, constants_, options_}; }

  const Graph& graph_;
  const SessionOptions& options_;
  Constants constants_;
  Consumers consumers_;
  std::vector<bool> absorbed_;
  std::map<ValueId, size_t> tensor_of_;
  std::map<ValueId, Function> functions_;
  std::map<ValueId, const Node*> turned_;  // outputs of transposes that IsReadTurned, by the node
  // Tensors that were looked up from another one: its codes' codes.
  struct Lookup {
    size_t source;
    std::vector<uint16_t> codes;
  };
  std::map<size_t, Lookup> lookups_;
  Plan plan_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_PLANNER_H_
