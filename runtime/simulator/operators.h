// Operators of the simulator: each node is prepared once into a function of its inputs.
#ifndef LANEQUANT_RUNTIME_SIMULATOR_OPERATORS_H_
#define LANEQUANT_RUNTIME_SIMULATOR_OPERATORS_H_

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/simulator/simulator.h"
#include "runtime/simulator/tensor.h"

namespace lq::simulator {

struct GraphConstant {
  const Constant* data;
  const Encoding* encoding;  // null: none
};

struct NodeContext {
  const Graph& graph;
  const Node& node;
  const SimulatorOptions& options;
  std::span<const std::optional<GraphConstant>> constants;  // by ValueId

  bool Has(size_t input) const;
  // Null where the input is absent or not constant.
  const GraphConstant* ConstantInput(size_t input) const;
  // The tensor's name, "" where the input is absent.
  std::string InputName(size_t input) const;
  // "Conv 'conv1' of tensor 'y'", for messages.
  std::string Name() const { return graph.Describe(node); }
};

// One pointer for each input of the node; null where the input is absent or is a constant that the operator took at
// preparation (weights and biases).
using Inputs = std::span<const SimTensor* const>;
using RunNode = std::function<Result<SimTensor>(Inputs)>;

// Errors: an operator or attribute that is not known here, by node and name.
Result<RunNode> PrepareNode(const NodeContext& context);
// Weights, biases and statistics are taken from `constants` by the operator itself; everything else arrives as a
// tensor.
bool TakesConstant(const Node& node, size_t input);

// The constant of this input as exact reals, on the grid of its encoding if it has one. Error: absent, not float, or an
// encoding that does not fit.
Result<std::vector<double>> RealConstant(const NodeContext& context, size_t input);
// What the magnitude of a bias in codes grows by under any_float_bias, for each value: NearTie makes half a step of it.
std::vector<double> BiasSlack(const Constant& bias, const SimulatorOptions& options);
// Error: not a float constant with as many values as its shape says and an encoding that fits it.
Status CheckConstant(const NodeContext& context, size_t input);
// The integers of this input. Error: absent, computed, not integers.
Result<std::vector<int64_t>> IntegerConstant(const NodeContext& context, size_t input);
// Error: more elements than this program is willing to hold.
Status CheckSize(const std::string& name, const Shape& shape);

// The families, for the table in operators.cc.
Result<RunNode> PrepareConv(const NodeContext& context);
Result<RunNode> PrepareConv3d(const NodeContext& context);  // of a weight of 5 dimensions
Result<RunNode> PrepareGemm(const NodeContext& context);
Result<RunNode> PrepareMatMul(const NodeContext& context);
Result<RunNode> PrepareConvTranspose(const NodeContext& context);
Result<RunNode> PrepareAdd(const NodeContext& context);
Result<RunNode> PrepareArithmetic(const NodeContext& context);  // Sub, Mul, Div, Min, Max, Pow
Result<RunNode> PreparePRelu(const NodeContext& context);
Result<RunNode> PrepareFunction(const NodeContext& context);               // Sigmoid, Tanh, ...
Result<RunNode> PrepareFunctionWithConstants(const NodeContext& context);  // Elu, Gelu, ...
Result<RunNode> PrepareSoftmax(const NodeContext& context);
Result<RunNode> PrepareNormalization(const NodeContext& context);  // Layer, RMS, Instance, Group
Result<RunNode> PrepareReduction(const NodeContext& context);      // ReduceMean, ReduceSum, ReduceMax, ...
Result<RunNode> PrepareRelation(const NodeContext& context);       // Equal, Less, And, ...
Result<RunNode> PreparePredicate(const NodeContext& context);      // Not, IsNaN
Result<RunNode> PrepareArgument(const NodeContext& context);       // ArgMax, ArgMin
Result<RunNode> PrepareTopK(const NodeContext& context);           // and TopKIndices
Result<RunNode> PrepareCumSum(const NodeContext& context);
Result<RunNode> PrepareRecurrence(const NodeContext& context);  // LSTM, GRU
Result<RunNode> PreparePositions(const NodeContext& context);
Result<RunNode> PrepareTrilu(const NodeContext& context);
Result<RunNode> PrepareRange(const NodeContext& context);
Result<RunNode> PrepareConstantOfShape(const NodeContext& context);
Result<RunNode> PrepareRelu(const NodeContext& context);
Result<RunNode> PrepareClip(const NodeContext& context);
Result<RunNode> PrepareBatchNormalization(const NodeContext& context);
Result<RunNode> PrepareAveragePool(const NodeContext& context);  // and the global ones of these three
Result<RunNode> PrepareMaxPool(const NodeContext& context);
Result<RunNode> PrepareLpPool(const NodeContext& context);
Result<RunNode> PrepareFlatten(const NodeContext& context);
Result<RunNode> PrepareIdentity(const NodeContext& context);
Result<RunNode> PrepareCast(const NodeContext& context);
Result<RunNode> PrepareReshape(const NodeContext& context);
Result<RunNode> PrepareBlocks(const NodeContext& context);  // DepthToSpace, SpaceToDepth
Result<RunNode> PrepareConcat(const NodeContext& context);
Result<RunNode> PrepareExpand(const NodeContext& context);
Result<RunNode> PrepareGatherElements(const NodeContext& context);
Result<RunNode> PrepareGather(const NodeContext& context);
Result<RunNode> PreparePad(const NodeContext& context);
Result<RunNode> PrepareResize(const NodeContext& context);
Result<RunNode> PrepareSlice(const NodeContext& context);
Result<RunNode> PrepareSqueeze(const NodeContext& context);  // and Unsqueeze
Result<RunNode> PrepareTile(const NodeContext& context);
Result<RunNode> PrepareTranspose(const NodeContext& context);
Result<RunNode> PrepareInterpolation(const NodeContext& context);  // Resize, linear
Result<RunNode> PrepareWhere(const NodeContext& context);
Result<RunNode> PrepareDynamic(const NodeContext& context);      // of TranslateDynamicQuantizers
Result<RunNode> PrepareFloatFormat(const NodeContext& context);  // of TranslateExtendedQuantizers
Result<RunNode> PrepareBlockFormat(const NodeContext& context);  // BFP- and MXQuantizeDequantize

}  // namespace lq::simulator

#endif  // LANEQUANT_RUNTIME_SIMULATOR_OPERATORS_H_
