#include "tests/support/random_graph.h"

#include <algorithm>
#include <cmath>

namespace lq::testing {
namespace {

constexpr float kActivationScale = 0.03f;

// Length of an output along one dimension, 0 if the window does not fit.
int64_t OutputLength(int64_t length, int64_t kernel, int64_t stride, int64_t dilation, int64_t pads) {
  const int64_t free = length + pads - ((kernel - 1) * dilation + 1);
  return free < 0 ? 0 : free / stride + 1;
}

}  // namespace

std::vector<float> RandomGraph::Floats(int64_t count, float low, float high) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = random_.Float(low, high);
  return values;
}

PerTensor RandomGraph::Activation(float scale) {
  const int64_t bitwidth = random_.Chance(0.6) ? 8 : random_.Chance(0.6) ? 16 : random_.Int(3, 15);
  PerTensor e{{static_cast<int>(bitwidth), random_.Chance(0.2)}, scale * random_.Float(0.5f, 2), 0};
  if (bitwidth > 8) e.scale = std::ldexp(e.scale, static_cast<int>(8 - bitwidth));
  // Scales that are powers of two put sums on exact ties.
  if (random_.Chance(0.2)) e.scale = std::exp2(std::round(std::log2(e.scale)));
  e.offset = static_cast<int32_t>(-random_.Int(e.grid.qmin(), e.grid.qmax()));
  return e;
}

std::optional<Encoding> RandomGraph::Weight(const Shape& shape) {
  const auto channels = static_cast<size_t>(shape[0]);
  if (random_.Chance(0.05)) return std::nullopt;
  if (random_.Chance(0.2)) return PerTensor{{8, true}, 0.01f, 0};
  if (random_.Chance(0.1)) {
    const auto offset = static_cast<int32_t>(-random_.Int(0, 255));
    return PerChannel{{8, false}, 0, Floats(shape[0], 0.004f, 0.02f), std::vector<int32_t>(channels, offset)};
  }
  if (random_.Chance(0.5)) {
    return PerChannel{{8, true}, 0, Floats(shape[0], 0.004f, 0.02f), std::vector<int32_t>(channels, 0)};
  }
  std::vector<int64_t> divisors;
  for (int64_t b = 1; b <= shape[1]; ++b) {
    if (shape[1] % b == 0) divisors.push_back(b);
  }
  const int64_t block = divisors[random_.Size(0, divisors.size() - 1)];
  const int64_t count = shape[0] * (shape[1] / block);
  if (random_.Chance(0.1)) {
    return PerBlock{
        {4, true}, 0, 1, block, Floats(count, 0.02f, 0.05f), std::vector<int32_t>(static_cast<size_t>(count))};
  }
  Lpbq e{4, 8, 0, 1, block, Floats(shape[0], 0.0005f, 0.002f), {}};
  for (int64_t i = 0; i < count; ++i) {
    e.per_block_int_scale.push_back(static_cast<uint32_t>(random_.Int(1, 16)));
  }
  return e;
}

RandomGraph::Tensor RandomGraph::Emit(const std::string& op, std::vector<ValueId> inputs,
                                      GraphBuilder::Attributes attributes, const Shape& shape, bool encoded,
                                      float scale) {
  std::optional<Encoding> encoding;
  if (encoded) encoding = Activation(scale);
  return {builder_.Node(op, std::move(inputs), std::move(attributes), std::move(encoding)), shape, encoded};
}

RandomGraph::Tensor RandomGraph::Finish(Tensor x, bool batch_norm) {
  const int64_t channels = x.shape[1];
  if (batch_norm && !x.encoded && random_.Chance(0.3)) {
    const std::vector<ValueId> inputs{x.id, builder_.Floats({channels}, Floats(channels, -2, 2)),
                                      builder_.Floats({channels}, Floats(channels, -1, 1)),
                                      builder_.Floats({channels}, Floats(channels, -1, 1)),
                                      builder_.Floats({channels}, Floats(channels, 0.2f, 3))};
    x = Emit("BatchNormalization", inputs, {{"epsilon", 1e-5f}}, x.shape, random_.Chance(0.3), kActivationScale);
  }
  if (!x.encoded || random_.Chance(0.3)) x = Clip(x);
  return x;
}

RandomGraph::Tensor RandomGraph::Clip(Tensor x) {
  if (random_.Chance(0.6)) return Emit("Relu", {x.id}, {}, x.shape, true, kActivationScale);
  const ValueId low = builder_.Floats({}, {random_.Chance(0.5) ? 0.0f : -1.5f}),
                high = builder_.Floats({}, {random_.Float(1, 6)});
  return Emit("Clip", {x.id, low, high}, {}, x.shape, true, kActivationScale);
}

RandomGraph::Tensor RandomGraph::MaybeUnencoded(Tensor x) {
  if (random_.Chance(0.9)) return x;
  return Emit(random_.Chance(0.5) ? "HardSwish" : "Sigmoid", {x.id}, {}, x.shape, false, 0);
}

RandomGraph::Tensor RandomGraph::Conv(Tensor x) {
  x = MaybeUnencoded(x);
  const int64_t in = x.shape[1];
  int64_t groups = 1;
  if (random_.Chance(0.3))
    groups = in;
  else if (in % 2 == 0 && random_.Chance(0.2))
    groups = 2;
  const int64_t out = groups * random_.Int(1, groups == 1 ? 24 : 3);
  std::vector<int64_t> kernel(2), stride(2), dilation(2), pads(4);
  Shape shape{x.shape[0], out, 0, 0};
  for (size_t i = 0; i < 2; ++i) {
    do {
      kernel[i] = random_.Chance(0.4) ? 1 : random_.Int(1, 4);
      stride[i] = random_.Int(1, 2);
      dilation[i] = random_.Int(1, 2);
      pads[i] = random_.Int(0, 2);
      pads[i + 2] = random_.Int(0, 2);
      shape[i + 2] = OutputLength(x.shape[i + 2], kernel[i], stride[i], dilation[i], pads[i] + pads[i + 2]);
    } while (shape[i + 2] < 1);
  }
  const Shape weight{out, in / groups, kernel[0], kernel[1]};
  std::vector<ValueId> inputs{x.id, builder_.Floats(weight, Floats(weight.NumElements(), -0.3f, 0.3f), Weight(weight))};
  const bool bias = random_.Chance(0.7);
  if (bias) inputs.push_back(builder_.Floats({out}, Floats(out, -1, 1)));
  const bool added = !bias && random_.Chance(0.5);
  Tensor y = Emit("Conv", inputs, {{"group", groups}, {"strides", stride}, {"dilations", dilation}, {"pads", pads}},
                  shape, !added && random_.Chance(0.5), kActivationScale);
  // A bias of its own, or a constant along the width, which is none.
  if (added) {
    const Shape constant = random_.Chance(0.8) ? Shape{out, 1, 1} : Shape{shape[3]};
    y = Add(y, constant, constant.rank() == 1);
  }
  return Finish(y, true);
}

RandomGraph::Tensor RandomGraph::Add(Tensor x, const Shape& constant, bool encoded) {
  const ValueId values = builder_.Floats(constant, Floats(constant.NumElements(), -1, 1));
  return Emit("Add", {x.id, values}, {}, x.shape, encoded || random_.Chance(0.5), kActivationScale);
}

RandomGraph::Tensor RandomGraph::Linear(Tensor x) {
  x = MaybeUnencoded(x);
  const int64_t k = x.shape[1], n = random_.Int(1, 80);
  const Shape shape{x.shape[0], n};
  const float largest = 2 / std::sqrt(static_cast<float>(k));
  if (random_.Chance(0.5)) {
    std::vector<ValueId> inputs{x.id, builder_.Floats({n, k}, Floats(n * k, -largest, largest), Weight({n, k}))};
    const bool bias = random_.Chance(0.7), added = !bias && random_.Chance(0.5);
    if (bias) inputs.push_back(builder_.Floats(random_.Chance(0.8) ? Shape{n} : Shape{1, n}, Floats(n, -1, 1)));
    const GraphBuilder::Attributes attributes{{"transB", int64_t{1}},
                                              {"alpha", random_.Chance(0.8) ? 1.0f : 0.7f},
                                              {"beta", random_.Chance(0.8) ? 1.0f : 0.5f}};
    Tensor y = Emit("Gemm", inputs, attributes, shape, !added && random_.Chance(0.5), kActivationScale);
    if (added) y = Add(y, {n}, false);
    return Finish(y, false);
  }
  // (K, N): the channel axis is the last one.
  const PerChannel weight{{8, true}, 1, Floats(n, 0.004f, 0.02f), std::vector<int32_t>(static_cast<size_t>(n), 0)};
  Tensor y =
      Emit("MatMul", {x.id, builder_.Floats({k, n}, Floats(k * n, -largest, largest), weight)}, {}, shape, false, 0);
  const ValueId bias = builder_.Floats({n}, Floats(n, -1, 1));
  const bool first = random_.Chance(0.5);
  y = Emit("Add", first ? std::vector<ValueId>{bias, y.id} : std::vector<ValueId>{y.id, bias}, {}, shape,
           random_.Chance(0.5), kActivationScale);
  return Finish(y, false);
}

RandomGraph::Tensor RandomGraph::Pool(Tensor x) {
  if (random_.Chance(0.25)) {
    return Emit("GlobalAveragePool", {x.id}, {}, {x.shape[0], x.shape[1], 1, 1}, true, kActivationScale);
  }
  const bool max = random_.Chance(0.5);
  std::vector<int64_t> kernel(2), stride(2), pads(4);
  Shape shape = x.shape;
  for (size_t i = 0; i < 2; ++i) {
    do {
      kernel[i] = random_.Int(1, 3);
      stride[i] = random_.Int(1, 2);
      pads[i] = random_.Int(0, kernel[i] - 1);
      pads[i + 2] = random_.Int(0, kernel[i] - 1);
      shape[i + 2] = OutputLength(x.shape[i + 2], kernel[i], stride[i], 1, pads[i] + pads[i + 2]);
    } while (shape[i + 2] < 1);
  }
  GraphBuilder::Attributes attributes{{"kernel_shape", kernel}, {"strides", stride}, {"pads", pads}};
  if (!max) attributes["count_include_pad"] = random_.Int(0, 1);
  Tensor y =
      Emit(max ? "MaxPool" : "AveragePool", {x.id}, attributes, shape, !max || random_.Chance(0.5), kActivationScale);
  if (max) y.encoded = true;  // without an entry of its own it keeps its input's codes
  return y;
}

RandomGraph::Tensor RandomGraph::AddOrKeep(Tensor x) {
  for (const Tensor& other : images_) {
    if (other.id != x.id && other.shape == x.shape) {
      return Finish(Emit("Add", {x.id, other.id}, {}, x.shape, random_.Chance(0.5), kActivationScale), false);
    }
  }
  // A constant for each channel, as of a shifted input.
  const ValueId constant = builder_.Floats({x.shape[1], 1, 1}, Floats(x.shape[1], -1, 1));
  return Emit("Add", {x.id, constant}, {}, x.shape, true, kActivationScale);
}

RandomGraph::Tensor RandomGraph::Flatten(Tensor x) {
  const Shape shape{x.shape[0], x.shape[1] * x.shape[2] * x.shape[3]};
  Tensor y = random_.Chance(0.5) ? Emit("Flatten", {x.id}, {{"axis", int64_t{1}}}, shape, false, 0)
                                 : Emit("Reshape", {x.id, builder_.Ints({0, -1})}, {}, shape, false, 0);
  y.encoded = true;
  return y;
}

GraphBuilder RandomGraph::Draw(int64_t batch, size_t length) {
  builder_ = GraphBuilder();
  images_.clear();
  input_shape_ = {batch, random_.Int(1, 6), random_.Int(3, 12), random_.Int(3, 12)};
  Tensor x{builder_.Input({-1, input_shape_[1], input_shape_[2], input_shape_[3]}, Activation(kActivationScale)),
           input_shape_, true};
  for (size_t i = 0; i < length; ++i) {
    images_.push_back(x);
    const int64_t kind = random_.Int(0, 9);
    x = kind < 5 ? Conv(x) : kind < 7 ? Pool(x) : kind < 9 ? AddOrKeep(x) : Clip(x);
  }
  if (random_.Chance(0.8)) {
    x = Flatten(x);
    for (size_t i = random_.Size(1, 2); i > 0; --i) x = Linear(x);
  }
  builder_.Output(x.id);
  return builder_;
}

}  // namespace lq::testing
