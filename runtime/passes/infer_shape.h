// Shapes that files do not declare: AIMET's exports name none of the tensors that it quantizes.
#ifndef LANEQUANT_RUNTIME_PASSES_INFER_SHAPE_H_
#define LANEQUANT_RUNTIME_PASSES_INFER_SHAPE_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/passes/dims.h"

namespace lq {

// The shapes of a graph's values, learnt node by node in their order. Dynamic dimensions are symbols: one for each name
// that the file gives them, which is one length wherever it is (shared_lengths.h); without a name each is one of its
// own.
class ShapeInference {
 public:
  explicit ShapeInference(Graph& graph);

  // What is known of a value: a constant's shape, what Infer found, what the file declares.
  std::optional<Dims> Of(ValueId id);
  // Finds the shapes of the node's outputs from those of its inputs, and declares them in the graph. Nothing where they
  // are not known: other operators, inputs of unknown shape, attributes that do not fit. It is no check of the node.
  void Infer(const Node& node);
  // A length that nothing else has.
  Dim Fresh() { return {1, {next_symbol_++}}; }
  // The same length for the same two, in either order.
  Dim Sum(const Dim& a, const Dim& b);
  // What is to be added to `part` for `sum`; a number of its own where that is not known.
  Dim Difference(const Dim& sum, const Dim& part);
  // Whether it is 0 or more in any run: differences may be below.
  bool IsLength(const Dim& dim) const;

 private:
  struct Parts {
    Dim result, a, b;
  };

  Dim Symbol(const Value& value, size_t d);
  void Set(ValueId id, Dims dims);
  std::optional<Dims> Input(const Node& node, size_t i);
  std::optional<Dims> OutputOf(const Node& node);
  void InferSplit(const Node& node);
  void InferRecurrent(const Node& node);
  Dim Longer(const Dim& a, const Dim& b);
  std::optional<Dims> BroadcastDims(const Dims& a, const Dims& b);
  std::optional<Dims> Broadcast(const Node& node, Dims x);
  std::optional<Dims> Window(const Node& node, Dims x, const std::vector<int64_t>& kernel);
  std::optional<Dims> Conv(const Node& node, const Dims& x);
  std::optional<Dims> Spread(const Node& node, Dims x, const Dims& weight);
  std::optional<Dims> Gathered(const Node& node, const Dims& x);
  std::optional<Dims> Matrix(const Node& node, const Dims& x);
  std::optional<Dims> Joined(const Node& node, const Dims& x);
  std::optional<Dims> Einsum(const Node& node);

  Graph& graph_;
  std::map<ValueId, Dims> known_;
  std::map<std::string, int> symbols_;  // by the file's names
  std::vector<Parts> sums_, longer_;
  std::set<int> signed_;  // symbols that may be below 0
  int next_symbol_ = 0;
};

// x in the dimensions that a Reshape asks for: 0 copies one of x unless `allow_zero`, one may be -1. Nothing where that
// is no product of what x has.
std::optional<Dims> ReshapedDims(const Dims& x, Dims target, bool allow_zero);

// The shape of what moves, drops or repeats elements of x along its axes: Transpose, Squeeze, Slice, Gather, Expand,
// reductions and the like. Nothing for other operators, or operands that are not constant.
std::optional<Dims> MovedDims(const Graph& graph, const Node& node, const Dims& x);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_INFER_SHAPE_H_
