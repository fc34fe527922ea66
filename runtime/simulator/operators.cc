#include "runtime/simulator/operators.h"

#include <fmt/format.h>

#include <cmath>

#include "kernels/reference/reference.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct Operator {
  const char* op;
  Result<RunNode> (*prepare)(const NodeContext&);
  size_t min_inputs, max_inputs;
  size_t first_taken, end_taken;  // inputs that are taken at preparation where they are constant
};

constexpr Operator kOperators[] = {
    {"Abs", PrepareFunction, 1, 1, 0, 0},
    {"Add", PrepareAdd, 2, 2, 0, 0},
    {"And", PrepareRelation, 2, 2, 0, 0},
    {"ArgMax", PrepareArgument, 1, 1, 0, 0},
    {"ArgMin", PrepareArgument, 1, 1, 0, 0},
    {"AveragePool", PrepareAveragePool, 1, 1, 0, 0},
    {"BFPQuantizeDequantize", PrepareBlockFormat, 1, 1, 0, 0},
    {"BatchNormalization", PrepareBatchNormalization, 5, 5, 1, 5},
    {"Cast", PrepareCast, 1, 1, 0, 0},
    {"Ceil", PrepareFunction, 1, 1, 0, 0},
    {"Celu", PrepareFunctionWithConstants, 1, 1, 0, 0},
    {"Clip", PrepareClip, 1, 3, 0, 0},
    {"Concat", PrepareConcat, 1, 64, 0, 0},
    {"ConstantOfShape", PrepareConstantOfShape, 1, 1, 0, 1},
    {"Conv", PrepareConv, 2, 3, 1, 3},
    {"ConvTranspose", PrepareConvTranspose, 2, 3, 1, 3},
    {"Cos", PrepareFunction, 1, 1, 0, 0},
    {"CumSum", PrepareCumSum, 2, 2, 1, 2},
    {"DepthToSpace", PrepareBlocks, 1, 1, 0, 0},
    {"Div", PrepareArithmetic, 2, 2, 0, 0},
    {"Dropout", PrepareIdentity, 1, 3, 1, 3},
    {"DynamicCodes", PrepareDynamic, 1, 1, 0, 0},
    {"DynamicScale", PrepareDynamic, 1, 1, 0, 0},
    {"Elu", PrepareFunctionWithConstants, 1, 1, 0, 0},
    {"Equal", PrepareRelation, 2, 2, 0, 0},
    {"Erf", PrepareFunction, 1, 1, 0, 0},
    {"Exp", PrepareFunction, 1, 1, 0, 0},
    {"Expand", PrepareExpand, 2, 2, 1, 2},
    {"Flatten", PrepareFlatten, 1, 1, 0, 0},
    {"Floor", PrepareFunction, 1, 1, 0, 0},
    {"GRU", PrepareRecurrence, 3, 6, 1, 4},
    {"Gather", PrepareGather, 2, 2, 1, 2},
    {"GatherElements", PrepareGatherElements, 2, 2, 0, 0},
    {"Gelu", PrepareFunctionWithConstants, 1, 1, 0, 0},
    {"Gemm", PrepareGemm, 2, 3, 1, 3},
    {"GlobalAveragePool", PrepareAveragePool, 1, 1, 0, 0},
    {"GlobalLpPool", PrepareLpPool, 1, 1, 0, 0},
    {"GlobalMaxPool", PrepareMaxPool, 1, 1, 0, 0},
    {"Greater", PrepareRelation, 2, 2, 0, 0},
    {"GreaterOrEqual", PrepareRelation, 2, 2, 0, 0},
    {"GroupNormalization", PrepareNormalization, 3, 3, 1, 3},
    {"HardSigmoid", PrepareFunctionWithConstants, 1, 1, 0, 0},
    {"HardSwish", PrepareFunction, 1, 1, 0, 0},
    {"Identity", PrepareIdentity, 1, 1, 0, 0},
    {"InstanceNormalization", PrepareNormalization, 3, 3, 1, 3},
    {"IsNaN", PreparePredicate, 1, 1, 0, 0},
    {"LSTM", PrepareRecurrence, 3, 8, 1, 4},
    {"LayerNormalization", PrepareNormalization, 2, 3, 1, 3},
    {"LeakyRelu", PrepareFunctionWithConstants, 1, 1, 0, 0},
    {"Less", PrepareRelation, 2, 2, 0, 0},
    {"LessOrEqual", PrepareRelation, 2, 2, 0, 0},
    {"Log", PrepareFunction, 1, 1, 0, 0},
    {"LogSoftmax", PrepareSoftmax, 1, 1, 0, 0},
    {"LpPool", PrepareLpPool, 1, 1, 0, 0},
    {"MatMul", PrepareMatMul, 2, 2, 1, 2},
    {"MXQuantizeDequantize", PrepareBlockFormat, 1, 1, 0, 0},
    {"Max", PrepareArithmetic, 2, 2, 0, 0},
    {"MaxPool", PrepareMaxPool, 1, 1, 0, 0},
    {"Min", PrepareArithmetic, 2, 2, 0, 0},
    {"Mish", PrepareFunction, 1, 1, 0, 0},
    {"Mul", PrepareArithmetic, 2, 2, 0, 0},
    {"Neg", PrepareFunction, 1, 1, 0, 0},
    {"Not", PreparePredicate, 1, 1, 0, 0},
    {"Or", PrepareRelation, 2, 2, 0, 0},
    {"PRelu", PreparePRelu, 2, 2, 1, 2},
    {"Pad", PreparePad, 1, 4, 1, 4},
    {"Positions", PreparePositions, 1, 2, 0, 0},
    {"Pow", PrepareArithmetic, 2, 2, 0, 0},
    {"RMSNormalization", PrepareNormalization, 2, 2, 1, 2},
    {"Range", PrepareRange, 3, 3, 0, 0},
    {"Reciprocal", PrepareFunction, 1, 1, 0, 0},
    {"ReduceL1", PrepareReduction, 1, 2, 1, 2},
    {"ReduceL2", PrepareReduction, 1, 2, 1, 2},
    {"ReduceMax", PrepareReduction, 1, 2, 1, 2},
    {"ReduceMean", PrepareReduction, 1, 2, 1, 2},
    {"ReduceMin", PrepareReduction, 1, 2, 1, 2},
    {"ReduceProd", PrepareReduction, 1, 2, 1, 2},
    {"ReduceSum", PrepareReduction, 1, 2, 1, 2},
    {"ReduceSumSquare", PrepareReduction, 1, 2, 1, 2},
    {"Relu", PrepareRelu, 1, 1, 0, 0},
    {"Reshape", PrepareReshape, 2, 2, 1, 2},
    {"Resize", PrepareResize, 1, 4, 1, 4},
    {"Round", PrepareFunction, 1, 1, 0, 0},
    {"RoundToBfloat16", PrepareFloatFormat, 1, 1, 0, 0},
    {"RoundToFloat16", PrepareFloatFormat, 1, 1, 0, 0},
    {"RoundToFloat32", PrepareDynamic, 1, 1, 0, 0},
    {"Selu", PrepareFunctionWithConstants, 1, 1, 0, 0},
    {"Sigmoid", PrepareFunction, 1, 1, 0, 0},
    {"Sign", PrepareFunction, 1, 1, 0, 0},
    {"Sin", PrepareFunction, 1, 1, 0, 0},
    {"Slice", PrepareSlice, 1, 5, 1, 5},
    {"Softmax", PrepareSoftmax, 1, 1, 0, 0},
    {"Softplus", PrepareFunction, 1, 1, 0, 0},
    {"Softsign", PrepareFunction, 1, 1, 0, 0},
    {"SpaceToDepth", PrepareBlocks, 1, 1, 0, 0},
    {"Sqrt", PrepareFunction, 1, 1, 0, 0},
    {"Squeeze", PrepareSqueeze, 1, 2, 1, 2},
    {"Sub", PrepareArithmetic, 2, 2, 0, 0},
    {"Tanh", PrepareFunction, 1, 1, 0, 0},
    {"Tile", PrepareTile, 2, 2, 1, 2},
    {"TopK", PrepareTopK, 1, 2, 1, 2},
    {"TopKIndices", PrepareTopK, 1, 2, 1, 2},
    {"Transpose", PrepareTranspose, 1, 1, 0, 0},
    {"Trilu", PrepareTrilu, 1, 2, 1, 2},
    {"Unsqueeze", PrepareSqueeze, 1, 2, 1, 2},
    {"Where", PrepareWhere, 3, 3, 0, 1},
    {"Xor", PrepareRelation, 2, 2, 0, 0},
};

const Operator* Find(const Node& node) {
  if (!node.domain.empty() && node.domain != "ai.onnx") return nullptr;
  for (const Operator& op : kOperators) {
    if (node.op == op.op) return &op;
  }
  return nullptr;
}

std::string Supported() {
  std::string names;
  for (const Operator& op : kOperators) names += (names.empty() ? "" : " ") + std::string(op.op);
  return names;
}

}  // namespace

bool NodeContext::Has(size_t input) const { return input < node.inputs.size() && node.inputs[input] != kAbsent; }

const GraphConstant* NodeContext::ConstantInput(size_t input) const {
  if (!Has(input)) return nullptr;
  const std::optional<GraphConstant>& constant = constants[static_cast<size_t>(node.inputs[input])];
  return constant.has_value() ? &*constant : nullptr;
}

std::string NodeContext::InputName(size_t input) const {
  return Has(input) ? graph.value(node.inputs[input]).name : std::string();
}

Result<RunNode> PrepareNode(const NodeContext& context) {
  const Node& node = context.node;
  const Operator* op = Find(node);
  if (op == nullptr) {
    return Unsupported(
        fmt::format("{}: the simulator does not run this operator, only {}", context.Name(), Supported()));
  }
  if (node.inputs.size() < op->min_inputs || node.inputs.size() > op->max_inputs) {
    return InvalidArgument(fmt::format("{}: {} inputs, but {} takes {} to {}", context.Name(), node.inputs.size(),
                                       node.op, op->min_inputs, op->max_inputs));
  }
  for (size_t i = 0; i < op->min_inputs; ++i) {
    if (!context.Has(i)) return InvalidArgument(fmt::format("{}: input {} is absent", context.Name(), i));
  }
  size_t outputs = 0;
  for (ValueId output : node.outputs) outputs += output != kAbsent;
  if (outputs != 1 || node.outputs[0] == kAbsent) {
    return Unsupported(
        fmt::format("{}: {} outputs are used, but only the first one is supported", context.Name(), outputs));
  }
  return op->prepare(context);
}

bool TakesConstant(const Node& node, size_t input) {
  const Operator* op = Find(node);
  return op != nullptr && input >= op->first_taken && input < op->end_taken;
}

Status CheckConstant(const NodeContext& context, size_t input) {
  const std::string name = context.InputName(input);
  const GraphConstant* constant = context.ConstantInput(input);
  if (constant == nullptr) {
    return Unsupported(fmt::format("{}: input {} '{}' must be a constant", context.Name(), input, name));
  }
  const Constant& data = *constant->data;
  if (data.dtype != DType::kF32) {
    return Unsupported(
        fmt::format("{}: constant '{}' is {}, but f32 is needed", context.Name(), name, NameOf(data.dtype)));
  }
  if (data.shape.NumElements() != static_cast<int64_t>(data.f32.size())) {
    return InvalidArgument(
        fmt::format("constant '{}': {} values, but shape {}", name, data.f32.size(), data.shape.ToString()));
  }
  return constant->encoding == nullptr ? OkStatus() : ValidateEncoding(name, *constant->encoding, data.shape);
}

std::vector<double> BiasSlack(const Constant& bias, const SimulatorOptions& options) {
  std::vector<double> slack(bias.f64.size(), 0.0);
  if (!options.any_float_bias) return slack;
  for (size_t i = 0; i < bias.step.size(); ++i) slack[i] = std::ldexp(0.5 * double{bias.step[i]}, 24) / 8;
  return slack;
}

Result<std::vector<double>> RealConstant(const NodeContext& context, size_t input) {
  const GraphConstant* bias = context.ConstantInput(input);
  if (bias != nullptr && bias->data->dtype == DType::kF64) return bias->data->f64;
  LQ_RETURN_IF_ERROR(CheckConstant(context, input));
  const GraphConstant& constant = *context.ConstantInput(input);
  const std::vector<float>& values = constant.data->f32;
  if (constant.encoding == nullptr) return std::vector<double>(values.begin(), values.end());
  return reference::RoundToGrid(values, constant.data->shape, *constant.encoding, context.options.profile);
}

Result<std::vector<int64_t>> IntegerConstant(const NodeContext& context, size_t input) {
  const GraphConstant* constant = context.ConstantInput(input);
  if (constant != nullptr && constant->data->dtype == DType::kS64) return constant->data->s64.ToVector();
  return Unsupported(
      fmt::format("{}: input {} '{}' must be an integer constant", context.Name(), input, context.InputName(input)));
}

Status CheckSize(const std::string& name, const Shape& shape) {
  constexpr int64_t kMaxElements = int64_t{1} << 26;  // half a GB of binary64
  const int64_t elements = shape.NumElements();
  if (elements >= 0 && elements <= kMaxElements) return OkStatus();
  return Unsupported(
      fmt::format("{}: output of shape {} has more than {} elements", name, shape.ToString(), kMaxElements));
}

}  // namespace lq::simulator
