// Nodes that make something of dynamic lengths, which are those of axes of tensors.
#ifndef LANEQUANT_RUNTIME_PASSES_LENGTH_NODES_H_
#define LANEQUANT_RUNTIME_PASSES_LENGTH_NODES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/passes/dims.h"
#include "runtime/passes/infer_shape.h"

namespace lq {

class LengthNodes {
 public:
  LengthNodes(Graph& graph, ShapeInference& shapes) : graph_(graph), shapes_(shapes) {}

  // An axis of a value.
  struct Place {
    ValueId value;
    int64_t axis;
  };
  // One of this dynamic length, of an input or of what these nodes make.
  std::optional<Place> PlaceOf(const Dim& length, const std::vector<Node>& nodes);
  // Not of this value: no run has it.
  void Exclude(ValueId id) { excluded_.insert(id); }

  // first, first + 1, ... below limit, as a node that makes `output`. Nothing where no tensor has that length.
  std::optional<Node> PositionsFrom(const Dim& first, const Dim& limit, ValueId output, const std::vector<Node>& nodes);

  // `sum` and zeros along the axes that the other dimensions of a result are as long as, of `rank` dimensions, one
  // after the other. Appends to `nodes`; the last of them makes `output`.
  struct Line {
    size_t d;
    Place place;
  };
  void AddLines(ValueId sum, const std::vector<Line>& lines, size_t rank, ValueId output, std::vector<Node>& nodes);

 private:
  ValueId ZerosAlong(const Place& place, size_t rank, const std::string& name, std::vector<Node>& nodes);

  Graph& graph_;
  ShapeInference& shapes_;
  std::set<ValueId> excluded_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_LENGTH_NODES_H_
