// Random weighted layers that add up floats: their inputs have no codes, or their weights no scale for each channel.
#ifndef LANEQUANT_TESTS_SUPPORT_FLOAT_LAYER_H_
#define LANEQUANT_TESTS_SUPPORT_FLOAT_LAYER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/graph_builder.h"
#include "tests/support/random.h"

namespace lq::testing {

class FloatLayer {
 public:
  explicit FloatLayer(Random& random);

  enum class Form {
    kWithoutOutputEncoding,
    kAsItIs,
    kMagnitudes,  // every product replaced by what its rounding errors are measured by: |x| * (|q| + |offset|) * scale
  };
  std::shared_ptr<const Graph> MakeGraph(Form form) const;
  const std::vector<float>& InputOf(Form form) const { return form == Form::kMagnitudes ? magnitudes_ : x_; }
  const Shape& input_shape() const { return input_shape_; }
  const std::optional<PerTensor>& output() const { return output_; }

  // |kernel's real output - simulator's| for a magnitude: the roundings that float_linear.h counts, and one each for a
  // real input or the float of a code, a weight that becomes a float, LPBQ's float scale, and the output's float.
  double Bound(double magnitude) const;
  std::string Describe() const;

 private:
  enum class Input { kFloats, kReals, kCodes };

  void DrawLinear(Random& random);
  void DrawConv(Random& random, size_t dimensions, bool transposed);
  void DrawWeights(Random& random);
  std::optional<Encoding> DrawEncoding(Random& random);
  void DrawInput(Random& random);
  std::vector<float> WeightMagnitudes() const;
  double OffsetOf(size_t element) const;
  size_t IndexAlong(size_t element, size_t axis) const;

  std::string op_;
  GraphBuilder::Attributes attributes_;
  Input input_;
  Shape input_shape_, weight_shape_;
  size_t channel_axis_ = 0, channels_ = 0;  // channels: of the output
  size_t k_ = 0, taps_ = 1;                 // products of a sum
  std::optional<Encoding> encoding_;
  std::optional<PerTensor> output_;
  std::vector<float> weight_, bias_, x_, magnitudes_;
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_FLOAT_LAYER_H_
