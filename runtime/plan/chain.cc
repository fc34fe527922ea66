#include "runtime/plan/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr ptrdiff_t kNobody = -1, kMany = -2;

// Movements that quantize first with the same codes: no element is added, nor chosen by another tensor.
bool KeepsElements(const Node& node, const Constants& constants) {
  if (node.op == "Gather" && constants.Find(node.inputs[1]) == nullptr) return false;
  return IsMovement(node) && node.op != "Pad";
}

// Does an added constant of this shape hold one value for each channel of the layer's output, or one for all? It
// broadcasts from the last dimension: along the width of an image, unless it has three dimensions.
bool IsChannelBias(const Shape& shape, const ChainRules& rules) {
  if (shape.rank() > (rules.image ? 4u : 2u)) return false;
  if (shape.NumElements() == 1) return true;
  if (shape.NumElements() != rules.bias_channels) return false;
  if (!rules.image) return shape[shape.rank() - 1] == rules.bias_channels;
  return shape.rank() >= 3 && shape[shape.rank() - 3] == rules.bias_channels;
}

// The constant operand of an Add whose other operand is `value`, if it is a bias of the layer; else kAbsent.
ValueId BiasOperand(const Node& add, ValueId value, const ChainRules& rules, const Constants& constants) {
  const ValueId other = add.inputs[0] == value ? add.inputs[1] : add.inputs[0];
  const Constant* constant = constants.Find(other);
  return constant != nullptr && IsChannelBias(constant->shape, rules) ? other : kAbsent;
}

// Takes `node` into the chain; false if it must stay outside.
Result<bool> Absorb(const ChainContext& context, const Node& node, ValueId value, ChainRules rules, Chain& chain) {
  const bool first = chain.clip_min == -__builtin_inff() && chain.clip_max == __builtin_inff() &&
                     chain.movements.empty() && chain.batch_norm == nullptr;
  if (node.op == "Relu" || node.op == "Clip") {
    LQ_ASSIGN_OR_RETURN(const ClipBounds bounds, BoundsOf(context.graph, node, context.constants, context.options));
    ComposeClip(bounds.low, bounds.high, chain);
  } else if (KeepsElements(node, context.constants)) {
    chain.movements.push_back(&node);
  } else if (rules.batch_norm && first && node.op == "BatchNormalization") {
    chain.batch_norm = &node;
  } else if (rules.bias_channels > 0 && first && node.op == "Add" && chain.bias == kAbsent &&
             BiasOperand(node, value, rules, context.constants) != kAbsent) {
    chain.bias = BiasOperand(node, value, rules, context.constants);
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool IsMovement(const Node& node) {
  constexpr const char* kMovements[] = {"Cast",         "DepthToSpace", "Dropout", "Expand",    "Flatten",  "Gather",
                                        "Identity",     "MaxPool",      "Pad",     "Reshape",   "Resize",   "Slice",
                                        "SpaceToDepth", "Squeeze",      "Tile",    "Transpose", "Unsqueeze"};
  if (node.op == "Resize" && node.String("mode", "nearest") != "nearest") return false;  // it makes values of its own
  if (node.op == "Cast" && node.Int("to", kOnnxFloat) != kOnnxFloat) return false;
  return std::find(std::begin(kMovements), std::end(kMovements), node.op) != std::end(kMovements);
}

bool MovesNothing(const std::string& op) { return op == "Identity" || op == "Dropout" || op == "Cast"; }

void ComposeClip(float low, float high, Chain& chain) {
  chain.clip_min = std::min(std::max(chain.clip_min, low), high);
  chain.clip_max = std::min(std::max(chain.clip_max, low), high);
}

Result<ClipBounds> BoundsOf(const Graph& graph, const Node& node, const Constants& constants,
                            const PrepareOptions& options) {
  ClipBounds bounds;
  if (node.op == "Relu") {
    bounds.low = 0;
    return bounds;
  }
  bounds.low = node.Float("min", bounds.low);  // up to opset 10
  bounds.high = node.Float("max", bounds.high);
  for (size_t i = 1; i < node.inputs.size() && i <= 2; ++i) {
    if (node.inputs[i] == kAbsent) continue;
    LQ_ASSIGN_OR_RETURN(const std::vector<float> values, constants.Floats(node.inputs[i], options));
    if (values.size() != 1) {
      return InvalidArgument(fmt::format("{}: bound '{}' has {} values, not 1", graph.Describe(node),
                                         graph.value(node.inputs[i]).name, values.size()));
    }
    (i == 1 ? bounds.low : bounds.high) = values[0];
  }
  return bounds;
}

Consumers::Consumers(const Graph& graph) : only_(graph.values.size(), kNobody), output_(graph.values.size(), false) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId id : graph.nodes[i].inputs) {
      if (id == kAbsent) continue;
      ptrdiff_t& only = only_[static_cast<size_t>(id)];
      only = only == kNobody ? static_cast<ptrdiff_t>(i) : kMany;
    }
  }
  for (ValueId id : graph.outputs) {
    output_[static_cast<size_t>(id)] = true;
    only_[static_cast<size_t>(id)] = kMany;
  }
  std::replace(only_.begin(), only_.end(), kMany, kNobody);
}

Result<Chain> FollowChain(const ChainContext& context, const Node& start, ChainRules rules) {
  const Graph& graph = context.graph;
  Chain chain;
  chain.ops = start.op;
  ValueId value = start.outputs[0];
  while (!graph.value(value).encoding && !context.consumers.IsGraphOutput(value)) {
    const ptrdiff_t next = context.consumers.Only(value);
    bool absorbed = false;
    if (next != kNobody) {
      LQ_ASSIGN_OR_RETURN(absorbed, Absorb(context, graph.nodes[static_cast<size_t>(next)], value, rules, chain));
    }
    if (!absorbed) break;
    const Node& node = graph.nodes[static_cast<size_t>(next)];
    chain.absorbed.push_back(static_cast<size_t>(next));
    chain.ops += "+" + node.op;
    value = node.outputs[0];
  }
  chain.result = value;
  return chain;
}

}  // namespace lq
