// What this version runs: operators, the number of their inputs and the attributes that they may have.
#ifndef LANEQUANT_RUNTIME_PASSES_OPERATOR_RULES_H_
#define LANEQUANT_RUNTIME_PASSES_OPERATOR_RULES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// Of a kernel, stride, dilation or padding, and other sizes in attributes: bounds every window's size and position well
// inside 32 bits.
constexpr int64_t kMaxExtent = 32767;

enum class AttributeKind { kInt, kFloat, kInts, kAutoPad, kString, kConstant };

struct AttributeRule {
  std::string_view name;
  AttributeKind kind;
  int64_t low = 0, high = 0;  // of the integer, or of each one of a list
  size_t count = 0;           // length of a list for two spatial dimensions, half of it for each; 0: any
};

struct OperatorRule {
  std::string_view op;
  size_t min_inputs, max_inputs;  // inputs below min_inputs must be present, later ones may be kAbsent
  std::span<const AttributeRule> attributes;
};

// Null for an operator that is not supported.
const OperatorRule* FindOperatorRule(std::string_view op);
// "Add, AveragePool, ..."
std::string SupportedOperators();

// Checks the node's attributes against the rule; `owner` names it in messages.
Status CheckAttributes(const std::string& owner, const Node& node, const OperatorRule& rule);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_OPERATOR_RULES_H_
