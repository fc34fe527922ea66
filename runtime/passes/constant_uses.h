// Where constants come from and what reads them, through the Identity nodes that TorchScript exports put in between
// (`X_dup_0` is an Identity of initializer `X`).
#ifndef LANEQUANT_RUNTIME_PASSES_CONSTANT_USES_H_
#define LANEQUANT_RUNTIME_PASSES_CONSTANT_USES_H_

#include <cstddef>
#include <vector>

#include "runtime/graph.h"

namespace lq {

// Node number `node` reads the value as its input number `input`.
struct Use {
  size_t node;
  size_t input;
};

class ConstantUses {
 public:
  // `graph`: after SortNodes; must outlive this and keep its nodes.
  explicit ConstantUses(const Graph& graph);

  // The constant that the value holds or is an Identity of; null for activations.
  const Constant* Source(ValueId id) const;
  // All readers of the value; in place of an Identity the readers of its output.
  std::vector<Use> UsesOf(ValueId id) const;

 private:
  const Graph& graph_;
  std::vector<const Constant*> source_;  // by value
  std::vector<std::vector<Use>> users_;  // by value
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_CONSTANT_USES_H_
