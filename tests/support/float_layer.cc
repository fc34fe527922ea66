#include "tests/support/float_layer.h"

#include <algorithm>
#include <cmath>

#include "kernels/reference/reference.h"

namespace lq::testing {
namespace {

constexpr PerTensor kInputCodes = {{8, false}, 0.03f, -128};

std::vector<int32_t> DrawOffsets(Random& random, const Grid& grid, size_t count) {
  std::vector<int32_t> offsets(count, 0);
  for (int32_t& offset : offsets) offset = grid.is_signed ? 0 : -static_cast<int32_t>(random.Int(0, grid.qmax()));
  return offsets;
}

// Of two sizes: none is constant along the sum.
std::vector<float> DrawScales(Random& random, const Grid& grid, size_t count) {
  std::vector<float> scales(count);
  for (size_t i = 0; i < count; ++i) {
    scales[i] = std::ldexp(random.Float(1, 2), 1 - grid.bitwidth) * (i % 2 == 0 ? 3.0f : 1.0f);
  }
  return scales;
}

size_t Size(int64_t value) { return static_cast<size_t>(value); }

}  // namespace

FloatLayer::FloatLayer(Random& random) {
  input_ = static_cast<Input>(random.Int(0, 2));
  const int64_t kind = random.Int(0, 9);
  if (kind < 4) {
    DrawLinear(random);
  } else {
    DrawConv(random, kind == 9 ? 3 : 2, kind >= 7 && kind < 9);
  }
  DrawWeights(random);
  DrawInput(random);
  if (random.Chance(0.5)) {
    output_ = PerTensor{{random.Chance(0.7) ? 8 : 16, random.Chance(0.5)}, 0, 0};
    output_->scale = std::ldexp(random.Float(4, 8), -output_->grid.bitwidth);
    output_->offset = static_cast<int32_t>(-random.Int(output_->grid.qmin(), output_->grid.qmax()));
  }
}

void FloatLayer::DrawLinear(Random& random) {
  const int64_t block = static_cast<int64_t>(random.LogSize(1, 70)), k = block * random.Int(1, 6);
  const int64_t n = static_cast<int64_t>(random.LogSize(1, 150));
  op_ = random.Chance(0.5) ? "Gemm" : "MatMul";
  if (op_ == "Gemm") attributes_["transB"] = int64_t{1};
  channel_axis_ = op_ == "Gemm" ? 0 : 1;
  weight_shape_ = op_ == "Gemm" ? Shape{n, k} : Shape{k, n};
  input_shape_ = {static_cast<int64_t>(random.LogSize(1, 20)), k};
  if (op_ == "MatMul" && random.Chance(0.3)) input_shape_ = {random.Int(1, 2), random.Int(1, 3), random.Int(1, 4), k};
  channels_ = Size(n);
  k_ = Size(k);
}

void FloatLayer::DrawConv(Random& random, size_t dimensions, bool transposed) {
  op_ = transposed ? "ConvTranspose" : "Conv";
  channel_axis_ = transposed ? 1 : 0;
  const bool depthwise = random.Chance(0.3);
  const int64_t groups = depthwise ? random.Int(1, 70) : random.Int(1, 3);
  const int64_t in = depthwise ? 1 : random.Int(1, 8),
                out = depthwise ? 1 : static_cast<int64_t>(random.LogSize(1, 70));
  std::vector<int64_t> weight = transposed ? std::vector{in * groups, out} : std::vector{out * groups, in};
  std::vector<int64_t> shape = {random.Int(1, 2), in * groups}, stride, dilation, pads(2 * dimensions);
  for (size_t i = 0; i < dimensions; ++i) {
    weight.push_back(random.Int(1, 3));
    stride.push_back(random.Int(1, 2));
    dilation.push_back(random.Int(1, 2));
    const int64_t reach = (weight.back() - 1) * dilation.back();
    pads[i] = random.Int(0, transposed ? reach : 2);
    pads[i + dimensions] = random.Int(0, transposed ? reach : 2);
    shape.push_back(random.Int(reach + 1, dimensions == 3 ? 5 : 9));
    taps_ *= Size(weight.back());
  }
  attributes_ = {{"group", groups}, {"strides", stride}, {"dilations", dilation}, {"pads", pads}};
  weight_shape_ = Shape(weight);
  input_shape_ = Shape(shape);
  channels_ = Size(out * groups);
  k_ = Size(in) * taps_;
}

void FloatLayer::DrawWeights(Random& random) {
  encoding_ = DrawEncoding(random);
  for (int64_t i = 0; i < weight_shape_.NumElements(); ++i) weight_.push_back(random.Float(-1, 1));
  if (op_ == "MatMul" || random.Chance(0.5)) return;
  for (size_t c = 0; c < channels_; ++c) bias_.push_back(random.Float(-1, 1));
}

std::optional<Encoding> FloatLayer::DrawEncoding(Random& random) {
  const size_t sum_axis = 1 - channel_axis_, n = Size(weight_shape_[channel_axis_]), k = Size(weight_shape_[sum_axis]);
  const Grid grid = {random.Chance(0.2) ? 16 : static_cast<int>(random.Int(2, 8)), random.Chance(0.5)};
  const int64_t kind = input_ == Input::kCodes ? random.Int(0, 2) : random.Int(0, 5);
  if (kind == 0) return std::nullopt;
  if (kind == 1 && k > 1) {
    return PerChannel{grid, sum_axis, DrawScales(random, grid, k), DrawOffsets(random, grid, k)};
  }
  size_t block = random.LogSize(1, k);
  while (k % block != 0 || (kind == 2 && k > 1 && block == k)) --block;
  const size_t count = n * (k / block);
  if (kind <= 2 && k > 1) {
    return PerBlock{grid,
                    channel_axis_,
                    sum_axis,
                    static_cast<int64_t>(block),
                    DrawScales(random, grid, count),
                    DrawOffsets(random, grid, count)};
  }
  if (kind <= 2) return std::nullopt;
  if (kind == 3) return PerTensor{grid, DrawScales(random, grid, 1)[0], DrawOffsets(random, grid, 1)[0]};
  if (kind == 4) {
    return PerChannel{grid, channel_axis_, DrawScales(random, grid, n), DrawOffsets(random, grid, n)};
  }
  Lpbq e{4, 8, channel_axis_, sum_axis, static_cast<int64_t>(block), DrawScales(random, {8, true}, n), {}};
  for (size_t i = 0; i < count; ++i) e.per_block_int_scale.push_back(static_cast<uint32_t>(random.Int(1, 16)));
  return e;
}

void FloatLayer::DrawInput(Random& random) {
  for (int64_t i = 0; i < input_shape_.NumElements(); ++i) {
    const float x = random.Float(-3, 3);
    const float code = std::clamp(std::nearbyint(x / kInputCodes.scale) + 128.0f, 0.0f, 255.0f);
    x_.push_back(x);
    magnitudes_.push_back(input_ == Input::kFloats  ? std::abs(x)
                          : input_ == Input::kReals ? 1 / (1 + std::exp(-x))
                                                    : std::abs(code - 128) * kInputCodes.scale);
  }
}

size_t FloatLayer::IndexAlong(size_t element, size_t axis) const {
  size_t inner = 1;
  for (size_t d = axis + 1; d < weight_shape_.rank(); ++d) inner *= Size(weight_shape_[d]);
  return element / inner % Size(weight_shape_[axis]);
}

// |offset * scale| of the signed codes that kernels multiply.
double FloatLayer::OffsetOf(size_t element) const {
  const auto of = [](const auto& e, double scale, int32_t offset) {
    return std::abs(offset + (e.grid.is_signed ? 0 : 1 << (e.grid.bitwidth - 1))) * scale;
  };
  if (const auto* e = std::get_if<PerTensor>(&*encoding_)) return of(*e, e->scale, e->offset);
  if (const auto* e = std::get_if<PerChannel>(&*encoding_)) {
    const size_t at = IndexAlong(element, e->axis);
    return of(*e, e->scale[at], e->offset[at]);
  }
  const auto* e = std::get_if<PerBlock>(&*encoding_);
  if (e == nullptr) return 0;
  const size_t blocks = e->scale.size() / Size(weight_shape_[e->channel_axis]);
  const size_t at =
      IndexAlong(element, e->channel_axis) * blocks + IndexAlong(element, e->block_axis) / Size(e->block_size);
  return of(*e, e->scale[at], e->offset[at]);
}

// Bounds |q| + |offset|, not |q + offset|.
std::vector<float> FloatLayer::WeightMagnitudes() const {
  std::vector<double> w(weight_.begin(), weight_.end());
  if (encoding_) w = reference::RoundToGrid(weight_, weight_shape_, *encoding_, RoundingProfile::kAimetDiv);
  std::vector<float> magnitudes;
  for (size_t i = 0; i < w.size(); ++i) {
    magnitudes.push_back(static_cast<float>(std::abs(w[i]) + (encoding_ ? 2 * OffsetOf(i) : 0)));
  }
  return magnitudes;
}

std::shared_ptr<const Graph> FloatLayer::MakeGraph(Form form) const {
  const bool magnitudes = form == Form::kMagnitudes;
  GraphBuilder builder;
  const bool coded = input_ == Input::kCodes && !magnitudes;
  ValueId x = builder.Input(input_shape_, coded ? std::optional<Encoding>(kInputCodes) : std::nullopt);
  if (input_ == Input::kReals && !magnitudes) x = builder.Node("Sigmoid", {x});
  std::vector<ValueId> inputs{x, magnitudes ? builder.Floats(weight_shape_, WeightMagnitudes())
                                            : builder.Floats(weight_shape_, weight_, encoding_)};
  if (!bias_.empty()) {
    std::vector<float> bias = bias_;
    for (float& value : bias) value = magnitudes ? std::abs(value) : value;
    inputs.push_back(builder.Floats({static_cast<int64_t>(channels_)}, bias));
  }
  const bool encoded = form == Form::kAsItIs && output_.has_value();
  builder.Output(builder.Node(op_, inputs, attributes_, encoded ? std::optional<Encoding>(*output_) : std::nullopt));
  return builder.Share();
}

double FloatLayer::Bound(double magnitude) const {
  double block = static_cast<double>(k_);  // one scale for a whole sum
  const auto take = [&](int64_t size) { block = static_cast<double>(size); };
  if (const auto* e = encoding_ ? std::get_if<PerBlock>(&*encoding_) : nullptr) take(e->block_size);
  if (const auto* e = encoding_ ? std::get_if<Lpbq>(&*encoding_) : nullptr) take(e->block_size);
  const double k = static_cast<double>(k_);
  // Weights that become floats are added up in blocks of 64: whichever of the two is larger.
  const auto roundings = [k](double size) { return std::min(size, k) + std::ceil(k / size) + 6; };
  return 1.01 * std::max(roundings(block), roundings(64)) * std::exp2(-24) * magnitude + std::exp2(-140);
}

std::string FloatLayer::Describe() const {
  return op_ + " of " + input_shape_.ToString() + " by " + weight_shape_.ToString() + ", " +
         (encoding_ ? lq::Describe(*encoding_) : "no encoding") + ", input " + std::to_string(static_cast<int>(input_));
}

}  // namespace lq::testing
