#include "runtime/passes/operator_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "runtime/status_macros.h"

namespace lq {
namespace {

// Bounds every window's size and position well inside 32 bits.
constexpr int64_t kMaxExtent = 32767;

constexpr AttributeRule kAutoPad{"auto_pad", AttributeKind::kAutoPad};
constexpr AttributeRule kCeilMode{"ceil_mode", AttributeKind::kInt, 0, 1};
constexpr AttributeRule kKernelShape{"kernel_shape", AttributeKind::kInts, 1, kMaxExtent, 2};
constexpr AttributeRule kStrides{"strides", AttributeKind::kInts, 1, kMaxExtent, 2};
constexpr AttributeRule kPads{"pads", AttributeKind::kInts, 0, kMaxExtent, 4};
constexpr AttributeRule kDilations{"dilations", AttributeKind::kInts, 1, kMaxExtent, 2};

constexpr AttributeRule kAveragePool[] = {kAutoPad,
                                          kCeilMode,
                                          {"count_include_pad", AttributeKind::kInt, 0, 1},
                                          {"dilations", AttributeKind::kInts, 1, 1, 2},  // operator set 19 has them
                                          kKernelShape,
                                          kPads,
                                          kStrides};
constexpr AttributeRule kBatchNormalization[] = {{"epsilon", AttributeKind::kFloat},
                                                 {"momentum", AttributeKind::kFloat},  // of training
                                                 {"spatial", AttributeKind::kInt, 1, 1},
                                                 {"training_mode", AttributeKind::kInt, 0, 0}};
constexpr AttributeRule kClip[] = {{"max", AttributeKind::kFloat}, {"min", AttributeKind::kFloat}};
constexpr AttributeRule kConv[] = {kAutoPad,     kDilations, {"group", AttributeKind::kInt, 1, INT32_MAX},
                                   kKernelShape, kPads,      kStrides};
constexpr AttributeRule kFlatten[] = {{"axis", AttributeKind::kInt, -8, 8}};
constexpr AttributeRule kGemm[] = {{"alpha", AttributeKind::kFloat},
                                   {"beta", AttributeKind::kFloat},
                                   {"transA", AttributeKind::kInt, 0, 0},
                                   {"transB", AttributeKind::kInt, 0, 1}};
constexpr AttributeRule kMaxPool[] = {
    kAutoPad,   kCeilMode,
    kDilations, kKernelShape,
    kPads,      {"storage_order", AttributeKind::kInt, 0, 1},  // of the second output, which CheckOperators refuses
    kStrides};
constexpr AttributeRule kReshape[] = {{"allowzero", AttributeKind::kInt, 0, 1}};

constexpr OperatorRule kOperators[] = {
    {"Add", 2, 2, {}},
    {"AveragePool", 1, 1, kAveragePool},
    {"BatchNormalization", 5, 5, kBatchNormalization},
    {"Clip", 1, 3, kClip},
    {"Conv", 2, 3, kConv},
    {"Flatten", 1, 1, kFlatten},
    {"Gemm", 2, 3, kGemm},
    {"GlobalAveragePool", 1, 1, {}},
    {"Identity", 1, 1, {}},
    {"MatMul", 2, 2, {}},
    {"MaxPool", 1, 1, kMaxPool},
    {"Relu", 1, 1, {}},
    {"Reshape", 2, 2, kReshape},
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
  if (values->size() != rule.count) {
    return Unsupported(fmt::format("{}: attribute '{}' has {} numbers; supported: {} (two spatial dimensions)", owner,
                                   rule.name, values->size(), rule.count));
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
  return names + ", Constant";
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
