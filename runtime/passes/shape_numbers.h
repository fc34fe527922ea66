// The integers that nodes compute from shapes: lists and scalars of lengths, of which some are dynamic.
#ifndef LANEQUANT_RUNTIME_PASSES_SHAPE_NUMBERS_H_
#define LANEQUANT_RUNTIME_PASSES_SHAPE_NUMBERS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "runtime/graph.h"
#include "runtime/passes/dims.h"
#include "runtime/passes/infer_shape.h"
#include "runtime/passes/shape_reals.h"

namespace lq {

// A list of integers or of floats, or without is_list a scalar.
struct Numbers {
  Dims values = {};
  bool is_list = true;
  bool is_real = false;
  Reals reals = {};  // instead of values

  size_t count() const { return is_real ? reals.size() : values.size(); }
  // The one integer that it holds.
  std::optional<int64_t> Only() const {
    return values.size() == 1 && values[0].is_number() ? std::optional(values[0].factor) : std::nullopt;
  }
  // Appends element i of others of the same kind.
  void Append(const Numbers& from, size_t i) {
    if (is_real) reals.push_back(from.reals[i]);
    if (!is_real) values.push_back(from.values[i]);
  }
};

class ShapeNumbers {
 public:
  ShapeNumbers(const Graph& graph, ShapeInference& shapes) : graph_(graph), shapes_(shapes) {}

  // What input i is known to be: computed here, or a constant of up to one dimension.
  std::optional<Numbers> Input(const Node& node, size_t i) const;
  // Whether it was computed here.
  bool IsComputed(const Node& node, size_t i) const { return i < node.inputs.size() && known_.count(node.inputs[i]); }
  const Numbers& At(ValueId id) const { return known_.at(id); }
  void Set(ValueId id, Numbers numbers) { known_[id] = std::move(numbers); }
  // The result of a node that computes such numbers. Nothing for other nodes, and for what is not known.
  std::optional<Numbers> Evaluate(const Node& node);

 private:
  bool Counts(const Node& node) const;
  std::optional<Numbers> EvaluateIntegers(const Node& node, const Numbers& in);
  std::optional<Numbers> ShapeOf(const Node& node);
  std::optional<Numbers> CountOf(const Node& node);
  std::optional<Numbers> Unsqueezed(const Node& node, const Numbers& in) const;
  std::optional<Numbers> Reshaped(const Node& node, const Numbers& in) const;
  std::optional<Numbers> Joined(const Node& node) const;
  std::optional<Numbers> Gathered(const Node& node, const Numbers& in) const;
  std::optional<int64_t> First(const Node& node, size_t input, const char* key, std::optional<int64_t> fallback) const;
  std::optional<Numbers> Sliced(const Node& node, const Numbers& in) const;
  std::optional<Numbers> Filled(const Node& node, const Numbers& dims) const;
  std::optional<Numbers> Counted(const Node& node, const Numbers& start) const;
  std::optional<Numbers> Chosen(const Node& node, const Numbers& condition) const;
  std::optional<Numbers> Elementwise(const Node& node, const Numbers& a);
  std::optional<Dim> Combine(const std::string& op, const Dim& x, const Dim& y);

  const Graph& graph_;
  ShapeInference& shapes_;
  std::map<ValueId, Numbers> known_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_SHAPE_NUMBERS_H_
