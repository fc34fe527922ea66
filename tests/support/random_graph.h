// Random small networks: images through convolutions, pools, adds and clips into linear layers, with encodings wherever
// AIMET may put them.
#ifndef LANEQUANT_TESTS_SUPPORT_RANDOM_GRAPH_H_
#define LANEQUANT_TESTS_SUPPORT_RANDOM_GRAPH_H_

#include <optional>
#include <utility>
#include <vector>

#include "tests/support/graph_builder.h"
#include "tests/support/random.h"

namespace lq::testing {

class RandomGraph {
 public:
  explicit RandomGraph(Random& random) : random_(random) {}

  // A graph of one input of shape (batch, channels, height, width) and one output, about `length` layers long.
  GraphBuilder Draw(int64_t batch, size_t length);
  const Shape& input_shape() const { return input_shape_; }

 private:
  struct Tensor {
    ValueId id;
    Shape shape;
    bool encoded;
  };

  PerTensor Activation(float scale);
  std::optional<Encoding> Weight(const Shape& shape);
  // Sometimes a function of x that no encoding covers: then a layer adds up floats.
  Tensor MaybeUnencoded(Tensor x);
  std::vector<float> Floats(int64_t count, float low, float high);

  Tensor Conv(Tensor x);
  Tensor Linear(Tensor x);
  Tensor Add(Tensor x, const Shape& constant, bool encoded);
  Tensor Pool(Tensor x);
  Tensor Clip(Tensor x);
  Tensor AddOrKeep(Tensor x);
  Tensor Flatten(Tensor x);
  // What may stand behind a weighted layer without an encoding in between; the last one is encoded.
  Tensor Finish(Tensor x, bool batch_norm);
  Tensor Emit(const std::string& op, std::vector<ValueId> inputs, GraphBuilder::Attributes attributes,
              const Shape& shape, bool encoded, float scale);

  Random& random_;
  GraphBuilder builder_;
  Shape input_shape_;
  std::vector<Tensor> images_;  // encoded tensors that a later Add may take
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_RANDOM_GRAPH_H_
