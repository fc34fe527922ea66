#include "runtime/passes/operator_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr AttributeRule kAutoPad{"auto_pad", AttributeKind::kAutoPad};
constexpr AttributeRule kCeilMode{"ceil_mode", AttributeKind::kInt, 0, 1};
constexpr AttributeRule kKernelShape{"kernel_shape", AttributeKind::kInts, 1, kMaxExtent, 2};
constexpr AttributeRule kStrides{"strides", AttributeKind::kInts, 1, kMaxExtent, 2};
constexpr AttributeRule kPads{"pads", AttributeKind::kInts, 0, kMaxExtent, 4};
constexpr AttributeRule kDilations{"dilations", AttributeKind::kInts, 1, kMaxExtent, 2};

constexpr AttributeRule kAveragePool[] = {
    kAutoPad, kCeilMode, {"count_include_pad", AttributeKind::kInt, 0, 1}, kDilations, kKernelShape, kPads, kStrides};
constexpr AttributeRule kPower{"p", AttributeKind::kInt, 1, kMaxExtent};
constexpr AttributeRule kGlobalLpPool[] = {kPower};
constexpr AttributeRule kLpPool[] = {kAutoPad, kCeilMode, kDilations, kKernelShape, kPower, kPads, kStrides};
constexpr AttributeRule kBatchNormalization[] = {{"epsilon", AttributeKind::kFloat},
                                                 {"momentum", AttributeKind::kFloat},  // of training
                                                 {"spatial", AttributeKind::kInt, 1, 1},
                                                 {"training_mode", AttributeKind::kInt, 0, 0}};
constexpr AttributeRule kBlockFormat[] = {{"axis", AttributeKind::kInt, -8, 8},  // ReadBlockFormat judges the others
                                          {"bfp_method", AttributeKind::kString},
                                          {"bit_width", AttributeKind::kInt, 0, kMaxExtent},
                                          {"block_size", AttributeKind::kInt, 1, kMaxExtent},
                                          {"convert_to_bfloat_before_bfp", AttributeKind::kInt, 0, 1},
                                          {"element_dtype", AttributeKind::kString},
                                          {"rounding_mode", AttributeKind::kInt, 0, 2},
                                          {"sub_block_shift_bits", AttributeKind::kInt, 0, kMaxExtent},
                                          {"sub_block_size", AttributeKind::kInt, 1, kMaxExtent},
                                          {"use_compiler_version_cpu_kernel", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kClip[] = {{"max", AttributeKind::kFloat}, {"min", AttributeKind::kFloat}};
constexpr AttributeRule kConv[] = {kAutoPad,     kDilations, {"group", AttributeKind::kInt, 1, INT32_MAX},
                                   kKernelShape, kPads,      kStrides};
constexpr AttributeRule kFlatten[] = {{"axis", AttributeKind::kInt, -8, 8}};
constexpr AttributeRule kGemm[] = {{"alpha", AttributeKind::kFloat},
                                   {"beta", AttributeKind::kFloat},
                                   {"transA", AttributeKind::kInt, 0, 0},  // ExpandOperators takes it away
                                   {"transB", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kMaxPool[] = {
    kAutoPad,   kCeilMode,
    kDilations, kKernelShape,
    kPads,      {"storage_order", AttributeKind::kInt, 0, 1},  // of the second output, which CheckOperators refuses
    kStrides};
constexpr AttributeRule kReshape[] = {{"allowzero", AttributeKind::kInt, 0, 1}};

constexpr AttributeRule kArgument[] = {{"axis", AttributeKind::kInt, -8, 8},
                                       {"keepdims", AttributeKind::kInt, 0, 1},
                                       {"select_last_index", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kCumSum[] = {{"exclusive", AttributeKind::kInt, 0, 1}, {"reverse", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kTopK[] = {{"axis", AttributeKind::kInt, -8, 8},
                                   {"k", AttributeKind::kInt, 0, INT32_MAX},
                                   {"largest", AttributeKind::kInt, 0, 1},
                                   {"sorted", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kTrilu[] = {{"upper", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kConstantOfShape[] = {{"value", AttributeKind::kConstant}};
constexpr AttributeRule kAlpha[] = {{"alpha", AttributeKind::kFloat}};
constexpr AttributeRule kAxis[] = {{"axis", AttributeKind::kInt, -8, 8}};
// repeats: what FoldShapes adds.
constexpr AttributeRule kConcat[] = {{"axis", AttributeKind::kInt, -8, 8}, {"repeats", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kAxes[] = {{"axes", AttributeKind::kInts, -8, 8}};
constexpr AttributeRule kBlocks[] = {{"blocksize", AttributeKind::kInt, 1, kMaxExtent},
                                     {"mode", AttributeKind::kString}};
constexpr AttributeRule kCast[] = {{"saturate", AttributeKind::kInt, 0, 1},
                                   {"to", AttributeKind::kInt, kOnnxFloat, kOnnxBool}};
constexpr AttributeRule kConvTranspose[] = {kAutoPad,
                                            kDilations,
                                            {"group", AttributeKind::kInt, 1, INT32_MAX},
                                            kKernelShape,
                                            {"output_padding", AttributeKind::kInts, 0, kMaxExtent, 2},
                                            kPads,
                                            kStrides};
constexpr AttributeRule kDropout[] = {{"ratio", AttributeKind::kFloat},
                                      {"seed", AttributeKind::kInt, INT64_MIN, INT64_MAX}};
constexpr AttributeRule kGelu[] = {{"approximate", AttributeKind::kString}};
constexpr AttributeRule kGroupNormalization[] = {{"epsilon", AttributeKind::kFloat},
                                                 {"num_groups", AttributeKind::kInt, 1, kMaxExtent},
                                                 {"stash_type", AttributeKind::kInt, 1, 1}};
// with_cells: what ExpandOperators adds.
constexpr AttributeRule kLstm[] = {{"direction", AttributeKind::kString},
                                   {"hidden_size", AttributeKind::kInt, 1, kMaxExtent},
                                   {"input_forget", AttributeKind::kInt, 0, 0},
                                   {"layout", AttributeKind::kInt, 0, 0},
                                   {"with_cells", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kGru[] = {{"direction", AttributeKind::kString},
                                  {"hidden_size", AttributeKind::kInt, 1, kMaxExtent},
                                  {"layout", AttributeKind::kInt, 0, 0},
                                  {"linear_before_reset", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kHardSigmoid[] = {{"alpha", AttributeKind::kFloat}, {"beta", AttributeKind::kFloat}};
constexpr AttributeRule kInstanceNormalization[] = {{"epsilon", AttributeKind::kFloat}};
constexpr AttributeRule kNormalization[] = {{"axis", AttributeKind::kInt, -8, 8},
                                            {"epsilon", AttributeKind::kFloat},
                                            {"stash_type", AttributeKind::kInt, 1, 1}};
constexpr AttributeRule kPad[] = {{"mode", AttributeKind::kString},
                                  {"pads", AttributeKind::kInts, -kMaxExtent, kMaxExtent},
                                  {"value", AttributeKind::kFloat}};
// What FoldShapes makes of a Range.
constexpr AttributeRule kPositions[] = {{"axis", AttributeKind::kInt, 0, 7}, {"start_axis", AttributeKind::kInt, 0, 7}};
constexpr AttributeRule kReduction[] = {{"axes", AttributeKind::kInts, -8, 8},
                                        {"keepdims", AttributeKind::kInt, 0, 1},
                                        {"noop_with_empty_axes", AttributeKind::kInt, 0, 1}};
// code_zero: what TranslateQOperators adds.
constexpr AttributeRule kResize[] = {{"antialias", AttributeKind::kInt, 0, 0},
                                     {"code_zero", AttributeKind::kInt, -(1 << 15), (1 << 16) - 1},
                                     {"coordinate_transformation_mode", AttributeKind::kString},
                                     {"cubic_coeff_a", AttributeKind::kFloat},  // of mode cubic
                                     {"exclude_outside", AttributeKind::kInt, 0, 1},
                                     {"extrapolation_value", AttributeKind::kFloat},
                                     {"keep_aspect_ratio_policy", AttributeKind::kString},
                                     {"mode", AttributeKind::kString},
                                     {"nearest_mode", AttributeKind::kString}};
constexpr AttributeRule kSelu[] = {{"alpha", AttributeKind::kFloat}, {"gamma", AttributeKind::kFloat}};
constexpr AttributeRule kSlice[] = {{"axes", AttributeKind::kInts, -8, 8},
                                    {"ends", AttributeKind::kInts, INT64_MIN, INT64_MAX},
                                    {"starts", AttributeKind::kInts, INT64_MIN, INT64_MAX}};
constexpr AttributeRule kSpaceToDepth[] = {{"blocksize", AttributeKind::kInt, 1, kMaxExtent}};
constexpr AttributeRule kTranspose[] = {{"perm", AttributeKind::kInts, 0, 7}};

constexpr OperatorRule kOperators[] = {
    {"Abs", 1, 1, {}},
    {"Add", 2, 2, {}},
    {"And", 2, 2, {}},
    {"ArgMax", 1, 1, kArgument},
    {"ArgMin", 1, 1, kArgument},
    {"AveragePool", 1, 1, kAveragePool},
    {"BFPQuantizeDequantize", 1, 1, kBlockFormat},
    {"BatchNormalization", 5, 5, kBatchNormalization},
    {"Cast", 1, 1, kCast},
    {"Ceil", 1, 1, {}},
    {"Celu", 1, 1, kAlpha},
    {"Clip", 1, 3, kClip},
    {"Concat", 1, 16, kConcat},
    {"ConstantOfShape", 1, 1, kConstantOfShape},
    {"Conv", 2, 3, kConv},
    {"ConvTranspose", 2, 3, kConvTranspose},
    {"Cos", 1, 1, {}},
    {"CumSum", 2, 2, kCumSum},
    {"DepthToSpace", 1, 1, kBlocks},
    {"Div", 2, 2, {}},
    {"Dropout", 1, 3, kDropout},
    {"DynamicCodes", 1, 1, {}},
    {"DynamicScale", 1, 1, {}},
    {"Elu", 1, 1, kAlpha},
    {"Equal", 2, 2, {}},
    {"Erf", 1, 1, {}},
    {"Exp", 1, 1, {}},
    {"Expand", 2, 2, {}},
    {"Flatten", 1, 1, kFlatten},
    {"Floor", 1, 1, {}},
    {"GRU", 3, 6, kGru},
    {"Gather", 2, 2, kAxis},
    {"GatherElements", 2, 2, kAxis},
    {"Gelu", 1, 1, kGelu},
    {"Gemm", 2, 3, kGemm},
    {"GlobalAveragePool", 1, 1, {}},
    {"GlobalLpPool", 1, 1, kGlobalLpPool},
    {"GlobalMaxPool", 1, 1, {}},
    {"Greater", 2, 2, {}},
    {"GreaterOrEqual", 2, 2, {}},
    {"GroupNormalization", 3, 3, kGroupNormalization},
    {"HardSigmoid", 1, 1, kHardSigmoid},
    {"HardSwish", 1, 1, {}},
    {"Identity", 1, 1, {}},
    {"InstanceNormalization", 3, 3, kInstanceNormalization},
    {"IsNaN", 1, 1, {}},
    {"LSTM", 3, 8, kLstm},
    {"LayerNormalization", 2, 3, kNormalization},
    {"LeakyRelu", 1, 1, kAlpha},
    {"Less", 2, 2, {}},
    {"LessOrEqual", 2, 2, {}},
    {"Log", 1, 1, {}},
    {"LogSoftmax", 1, 1, kAxis},
    {"LpPool", 1, 1, kLpPool},
    {"MatMul", 2, 2, {}},
    {"MXQuantizeDequantize", 1, 1, kBlockFormat},
    {"Max", 2, 2, {}},
    {"MaxPool", 1, 1, kMaxPool},
    {"Min", 2, 2, {}},
    {"Mish", 1, 1, {}},
    {"Mul", 2, 2, {}},
    {"Neg", 1, 1, {}},
    {"Not", 1, 1, {}},
    {"Or", 2, 2, {}},
    {"PRelu", 2, 2, {}},
    {"Pad", 1, 4, kPad},
    {"Positions", 1, 2, kPositions},
    {"Pow", 2, 2, {}},
    {"RMSNormalization", 2, 2, kNormalization},
    {"Range", 3, 3, {}},
    {"Reciprocal", 1, 1, {}},
    {"ReduceL1", 1, 2, kReduction},
    {"ReduceL2", 1, 2, kReduction},
    {"ReduceMax", 1, 2, kReduction},
    {"ReduceMean", 1, 2, kReduction},
    {"ReduceMin", 1, 2, kReduction},
    {"ReduceProd", 1, 2, kReduction},
    {"ReduceSum", 1, 2, kReduction},
    {"ReduceSumSquare", 1, 2, kReduction},
    {"Relu", 1, 1, {}},
    {"Reshape", 2, 2, kReshape},
    {"Resize", 1, 4, kResize},
    {"Round", 1, 1, {}},
    {"RoundToBfloat16", 1, 1, {}},
    {"RoundToFloat16", 1, 1, {}},
    {"RoundToFloat32", 1, 1, {}},
    {"Selu", 1, 1, kSelu},
    {"Sigmoid", 1, 1, {}},
    {"Sign", 1, 1, {}},
    {"Sin", 1, 1, {}},
    {"Slice", 1, 5, kSlice},
    {"Softmax", 1, 1, kAxis},
    {"Softplus", 1, 1, {}},
    {"Softsign", 1, 1, {}},
    {"SpaceToDepth", 1, 1, kSpaceToDepth},
    {"Sqrt", 1, 1, {}},
    {"Squeeze", 1, 2, kAxes},
    {"Sub", 2, 2, {}},
    {"Tanh", 1, 1, {}},
    {"Tile", 2, 2, {}},
    {"TopK", 1, 2, kTopK},
    {"TopKIndices", 1, 2, kTopK},
    {"Transpose", 1, 1, kTranspose},
    {"Trilu", 1, 2, kTrilu},
    {"Unsqueeze", 1, 2, kAxes},
    {"Where", 3, 3, {}},
    {"Xor", 2, 2, {}},
};

Status WrongType(const std::string& owner, std::string_view name, const char* expected) {
  return InvalidArgument(fmt::format("{}: attribute '{}' is not {}", owner, name, expected));
}

Status CheckRange(const std::string& owner, const AttributeRule& rule, int64_t value) {
  if (value >= rule.low && value <= rule.high) return OkStatus();
  return Unsupported(
      fmt::format("{}: attribute '{}' is {}; supported: {} to {}", owner, rule.name, value, rule.low, rule.high));
}

Status CheckInt(const std::string& owner, const AttributeRule& rule, const Attribute& attribute) {
  const int64_t* value = std::get_if<int64_t>(&attribute);
  return value != nullptr ? CheckRange(owner, rule, *value) : WrongType(owner, rule.name, "an integer");
}

Status CheckInts(const std::string& owner, const AttributeRule& rule, const Attribute& attribute) {
  const auto* values = std::get_if<std::vector<int64_t>>(&attribute);
  if (values == nullptr) return WrongType(owner, rule.name, "a list of integers");
  const size_t two = rule.count, one = two / 2, three = one * 3, size = values->size();
  if (two > 0 && size != one && size != two && size != three) {
    return Unsupported(
        fmt::format("{}: attribute '{}' has {} numbers; supported: {}, {} or {} (one to three spatial dimensions)",
                    owner, rule.name, size, one, two, three));
  }
  for (int64_t value : *values) LQ_RETURN_IF_ERROR(CheckRange(owner, rule, value));
  return OkStatus();
}

Status CheckAutoPad(const std::string& owner, const AttributeRule& rule, const Attribute& attribute) {
  constexpr std::string_view kModes[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
  const std::string* mode = std::get_if<std::string>(&attribute);
  if (mode == nullptr) return WrongType(owner, rule.name, "a string");
  if (std::find(std::begin(kModes), std::end(kModes), *mode) != std::end(kModes)) return OkStatus();
  return Unsupported(fmt::format("{}: attribute 'auto_pad' is '{}'; supported: {}", owner, mode->substr(0, 64),
                                 fmt::join(kModes, ", ")));
}

Status CheckAttribute(const std::string& owner, const AttributeRule& rule, const Attribute& attribute) {
  switch (rule.kind) {
    case AttributeKind::kInt:
      return CheckInt(owner, rule, attribute);
    case AttributeKind::kFloat:
      return std::holds_alternative<float>(attribute) ? OkStatus() : WrongType(owner, rule.name, "a float");
    case AttributeKind::kInts:
      return CheckInts(owner, rule, attribute);
    case AttributeKind::kAutoPad:
      return CheckAutoPad(owner, rule, attribute);
    case AttributeKind::kConstant:
      return std::holds_alternative<Constant>(attribute) ? OkStatus() : WrongType(owner, rule.name, "a tensor");
    case AttributeKind::kString:
      return std::holds_alternative<std::string>(attribute) ? OkStatus() : WrongType(owner, rule.name, "a string");
  }
  return OkStatus();
}

}  // namespace

const OperatorRule* FindOperatorRule(std::string_view op) {
  const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                   [op](const OperatorRule& rule) { return rule.op == op; });
  return found != std::end(kOperators) ? found : nullptr;
}

std::string SupportedOperators() {
  std::string names;
  for (const OperatorRule& rule : kOperators) names += fmt::format("{}{}", names.empty() ? "" : ", ", rule.op);
  return names + ", Constant, Einsum, Split, Sum, Shape and integers computed of it";
}

Status CheckAttributes(const std::string& owner, const Node& node, const OperatorRule& rule) {
  for (const auto& [name, attribute] : node.attributes) {
    const auto found = std::find_if(rule.attributes.begin(), rule.attributes.end(),
                                    [&name = name](const AttributeRule& known) { return known.name == name; });
    if (found == rule.attributes.end()) {
      std::string known;
      for (const AttributeRule& one : rule.attributes)
        known += fmt::format("{}{}", known.empty() ? "" : ", ", one.name);
      return Unsupported(fmt::format("{}: attribute '{}' is not supported; supported: {}", owner, name,
                                     known.empty() ? "none" : known));
    }
    LQ_RETURN_IF_ERROR(CheckAttribute(owner, *found, attribute));
  }
  return OkStatus();
}

}  // namespace lq
