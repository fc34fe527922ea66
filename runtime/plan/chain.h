// Chain: what follows a node without an encoded tensor in between (a supergroup): the node's step does all of it at
// once.
#ifndef LANEQUANT_RUNTIME_PLAN_CHAIN_H_
#define LANEQUANT_RUNTIME_PLAN_CHAIN_H_

#include <cstddef>
#include <string>
#include <vector>

#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/plan/constants.h"

namespace lq {

struct Chain {
  std::string ops;         // "Conv+BatchNormalization+Relu"
  ValueId bias = kAbsent;  // the constant of an Add that is the layer's bias
  const Node* batch_norm = nullptr;
  float clip_min = -__builtin_inff(), clip_max = __builtin_inff();
  // Nodes that move elements or choose among them (Flatten, MaxPool ..): quantizing first gives the same codes, because
  // it is the same monotone function of every element.
  std::vector<const Node*> movements;
  ValueId result = kAbsent;      // the first encoded tensor, a graph output, or what the chain cannot pass
  std::vector<size_t> absorbed;  // indices of the nodes that the chain holds beyond its first
};

// Nodes that move elements or choose among them; those that do not even move them.
bool IsMovement(const Node& node);
bool MovesNothing(const std::string& op);

// Composes clip(clip(y, min, max), low, high) into the chain's bounds.
void ComposeClip(float low, float high, Chain& chain);

// The bounds of a Relu or Clip node; quantized where the constants have encodings.
struct ClipBounds {
  float low = -__builtin_inff(), high = __builtin_inff();
};
Result<ClipBounds> BoundsOf(const Graph& graph, const Node& node, const Constants& constants,
                            const PrepareOptions& options);

// Who reads what.
class Consumers {
 public:
  explicit Consumers(const Graph& graph);
  // The only node that reads the value, if there is exactly one and the value is no graph output; else -1.
  ptrdiff_t Only(ValueId id) const { return only_[static_cast<size_t>(id)]; }
  bool IsGraphOutput(ValueId id) const { return output_[static_cast<size_t>(id)]; }

 private:
  std::vector<ptrdiff_t> only_;
  std::vector<bool> output_;
};

// What a weighted layer may take in besides clips and movements: a constant that an Add adds to each of `bias_channels`
// output channels (0: none), a batch normalization.
struct ChainRules {
  int64_t bias_channels = 0;
  bool image = false;  // channels are the second dimension of four, not the last one of two or three
  bool batch_norm = false;
};

struct ChainContext {
  const Graph& graph;
  const Consumers& consumers;
  const Constants& constants;
  const PrepareOptions& options;
};

// Follows the output of `start` to the next encoded tensor, graph output, or tensor of which something else reads
// values.
Result<Chain> FollowChain(const ChainContext& context, const Node& start, ChainRules rules);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_CHAIN_H_
