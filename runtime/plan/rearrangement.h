// Rearrangement: data movement in which every output element is one input element, or padding. Its place is a sum over
// the dimensions of the output, as in Transpose, Slice, Gather along an axis, Pad, Tile, Resize to the nearest.
#ifndef LANEQUANT_RUNTIME_PLAN_REARRANGEMENT_H_
#define LANEQUANT_RUNTIME_PLAN_REARRANGEMENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/graph.h"
#include "runtime/plan/broadcast.h"
#include "runtime/plan/constants.h"

namespace lq {

class Rearrangement {
 public:
  // What an index outside the input adds to a place: no sum with it reaches zero.
  static constexpr ptrdiff_t kPadding = -(ptrdiff_t{1} << 50);

  struct Input {
    const Shape& shape;      // ONNX
    const Strides& strides;  // of the elements in memory, by ONNX dimension
  };

  virtual ~Rearrangement() = default;
  // ONNX shapes. Errors name the node and the shape.
  virtual Result<Shape> OutputShape(const Shape& in) const = 0;
  // What index `i` along dimension `axis` of the output adds to the place of an element.
  virtual ptrdiff_t Place(const Input& in, size_t axis, int64_t i) const = 0;
};
using RearrangementResult = Result<std::unique_ptr<Rearrangement>>;

struct MovementNode {
  const Graph& graph;
  const Node& node;
  const Constants& constants;
};

// What a Pad of mode constant fills with. Error: it is computed.
Result<float> PadValueOf(const MovementNode& node);
// Null where the node is none. Errors: operands that are computed, forms that are not supported.
RearrangementResult MakeRearrangement(const MovementNode& node);

// Between the elements of an image stride - 1 zeros along each axis: what a ConvTranspose slides over.
std::unique_ptr<Rearrangement> MakeSpreading(int64_t stride_height, int64_t stride_width);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_REARRANGEMENT_H_
